import { firstWhere } from './first-where.ts';
import { type Issued, isForGood, levels, type Revoked, type Target, targetOf } from './history.ts';

/** The revocations of a token, without looking at all there are. */
export class RevokedIndex {
  readonly #byKey: Map<string, Revoked[]>;
  readonly #signingKeysByTenant: Map<string, Revoked[]>;
  /** Those that have no end. */
  readonly #endlessByKey: Map<string, Revoked[]>;
  /** How long any other one was under way, at most. */
  readonly #longest: number;

  constructor(revoked: readonly Revoked[]) {
    const ordered = revoked.toSorted((a, b) => a.start - b.start);
    const ended = ordered.filter(({ end }) => end !== Infinity);
    this.#longest = ended.reduce((longest, { start, end }) => Math.max(longest, end - start), 0);
    this.#byKey = Map.groupBy(ordered, ({ target }) => keyOf(target));
    this.#endlessByKey = Map.groupBy(
      ordered.filter(({ end }) => end === Infinity),
      ({ target }) => keyOf(target),
    );
    const ofSigningKeys = ordered.filter(({ target }) => target.level === 'signing_key');
    this.#signingKeysByTenant = Map.groupBy(ofSigningKeys, ({ target }) => target.tenantId);
  }

  /**
   * Of the token itself, with those of all keys that may have signed it: what had begun by an instant, and whatever is not for
   * good had not ended before another one.
   */
  of(issued: Issued, { from, until }: { readonly from: number; readonly until: number }): Revoked[] {
    const { tenantId, signingKeyId } = issued;
    const ofKeys = signingKeyId === '' ? (this.#signingKeysByTenant.get(tenantId) ?? []) : [];
    const named = levels.flatMap((level) => {
      const target = { level, ...targetOf(issued) };
      return isForGood(target) ? this.#all(target) : this.#between(target, from, until);
    });
    return [...named, ...ofKeys].filter(({ start }) => start < until);
  }

  /** The last one that has ended by an instant, unless it is for good. */
  lastBefore(issued: Issued, instant: number): Revoked | undefined {
    return levels
      .map((level) => ({ level, ...targetOf(issued) }))
      .filter((target) => !isForGood(target))
      .flatMap((target) => this.#all(target).findLast(({ end }) => end < instant) ?? [])
      .reduce<Revoked | undefined>((last, one) => (last && last.end >= one.end ? last : one), undefined);
  }

  #all(target: Target): readonly Revoked[] {
    return this.#byKey.get(keyOf(target)) ?? [];
  }

  #between(target: Target, from: number, until: number): Revoked[] {
    const all = this.#all(target);
    const first = firstWhere(all, ({ start }) => start >= from - this.#longest);
    const end = firstWhere(all, ({ start }) => start >= until);
    const earlier = (this.#endlessByKey.get(keyOf(target)) ?? []).filter(({ start }) => start < from - this.#longest);
    return [...earlier, ...all.slice(first, end).filter((one) => one.end >= from)];
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
