import { type Issued, levels, type Revoked, type Target, targetOf } from './history.ts';

/** The revocations of a token, without looking at all there are. */
export class RevokedIndex {
  readonly #byKey: Map<string, Revoked[]>;
  readonly #signingKeysByTenant: Map<string, Revoked[]>;

  constructor(revoked: readonly Revoked[]) {
    this.#byKey = Map.groupBy(revoked, ({ target }) => keyOf(target));
    const ofSigningKeys = revoked.filter(({ target }) => target.level === 'signing_key');
    this.#signingKeysByTenant = Map.groupBy(ofSigningKeys, ({ target }) => target.tenantId);
  }

  /** Of the token itself, with those of all keys that may have signed it. */
  of(issued: Issued): Revoked[] {
    const { tenantId, signingKeyId } = issued;
    const ofKeys = signingKeyId === '' ? (this.#signingKeysByTenant.get(tenantId) ?? []) : [];
    const named = levels.flatMap((level) => this.#byKey.get(keyOf({ level, ...targetOf(issued) })) ?? []);
    return [...named, ...ofKeys];
  }

  /** When the grant that it was issued by was taken back. */
  ofGrant(issued: Issued): Revoked[] {
    return this.#byKey.get(keyOf({ level: 'grant', ...targetOf(issued) })) ?? [];
  }
}

/** What of a target its level looks at: of a token, what a revocation of that level must name to cover it. */
function keyOf({
  level,
  tenantId,
  appId,
  userId,
  tokenId,
  consentId,
  signingKeyId,
  audience,
  grantedAt,
}: Target): string {
  switch (level) {
    case 'all':
      return level;
    case 'token':
    case 'family':
      return `${level} ${tokenId}`;
    case 'tenant':
      return `${level} ${tenantId}`;
    case 'user':
      return `${level} ${tenantId} ${userId}`;
    case 'app':
    case 'disabled_app':
      return `${level} ${appId}`;
    case 'disabled_server':
      return `${level} ${audience}`;
    case 'app_user':
      return `${level} ${appId} ${userId}`;
    case 'grant':
      return `${level} ${appId} ${grantedAt}`;
    case 'consent':
      return `${level} ${consentId}`;
    case 'signing_key':
      return `${level} ${signingKeyId}`;
  }
}
