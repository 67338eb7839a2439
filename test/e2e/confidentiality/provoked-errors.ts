import { ConnectError } from '@connectrpc/connect';
import { HostingType, TokenMethod } from '@touchstone/contracts';
import { ErrorInfoSchema } from '@touchstone/contracts/google-rpc';
import { tokenIdOf } from '@touchstone/core';
import type { Source } from '../../harness/canary.ts';
import { bootstrapped, clientsOf, unique } from '../../harness/world.ts';
import type { Using } from './use-of-everything.ts';
import type { Made } from './use-of-methods.ts';

/** Errors as callers get them: all that they say. */
export class ToldErrors {
  readonly #told: { readonly reason: string; readonly text: string }[] = [];

  /** What the call fails with. */
  async hear(call: Promise<unknown>): Promise<void> {
    const failed = await call.then(
      () => null,
      (error: unknown) => ConnectError.from(error),
    );
    if (!failed) return;
    const [info] = failed.findDetails(ErrorInfoSchema);
    const { code, message, rawMessage, metadata, cause } = failed;
    const details = failed.details.map((detail) =>
      'value' in detail && detail.value instanceof Uint8Array ? Buffer.from(detail.value).toString('latin1') : detail,
    );
    const text = JSON.stringify([code, message, rawMessage, [...metadata], details, info, String(cause)], (_, value) =>
      typeof value === 'bigint' ? String(value) : value,
    );
    this.#told.push({ reason: info?.reason ?? 'none', text });
  }

  /** What was answered on HTTP. */
  add(reason: string, text: string): void {
    this.#told.push({ reason, text });
  }

  get reasons(): ReadonlySet<string> {
    return new Set(this.#told.map(({ reason }) => reason));
  }

  get sources(): readonly Source[] {
    return this.#told.map(({ reason, text }) => ({ name: `an error ${reason}`, bytes: Buffer.from(text) }));
  }
}

export interface Provoking {
  readonly using: Using;
  /** An app that may have tokens of every method. */
  readonly appId: string;
  readonly made: readonly Made[];
  /** Stands in an error, for what is asked for too much is named. */
  readonly planted: string;
  readonly told: ToldErrors;
}

/** Calls that fail, each with a user, claims or a token in it that nobody may see. */
export async function provokeErrors({ using, appId, made, planted, told }: Provoking): Promise<void> {
  const { world, secrets, own } = using;
  const { operator, identity, resourceServer, tenantId, audience, request } = world;
  const [userId, claims] = [secrets.userId(4_000_000), secrets.claims(4_000_000)];
  const issue = (over: Record<string, unknown>, by = identity) =>
    told.hear(by.issuer.issueToken(request({ appId, userId, claims, ...over })));
  const signed = made.find(({ method }) => method === TokenMethod.SIGNED)?.token ?? '';
  const encrypted = made.find(({ method }) => method === TokenMethod.ENCRYPTED)?.token ?? '';
  const revoke = (target: object, over: object = {}, by = operator) =>
    told.hear(
      by.revocation.revokeTokens({
        target: { target } as never,
        reason: 'test',
        idempotencyKey: unique('incident'),
        ...over,
      }),
    );

  // INVALID_FIELD
  await issue({ userId: userId.repeat(20) });
  await issue({ scopes: [] });
  await issue({ method: TokenMethod.CONSENT_KEY });
  await told.hear(operator.revocation.revokeToken({ tokenOrId: { case: 'tokenId', value: encrypted } }));
  await revoke({ case: 'user', value: { tenantId, userId: userId.repeat(20) } });
  await revoke({ case: 'consentId', value: signed });
  await told.hear(
    resourceServer.validator.validateToken({ token: signed.repeat(20), audience, requiredScopes: ['x'] }),
  );
  await told.hear(
    resourceServer.validator.validateToken({ token: signed, audience, requiredScopes: ['x'], request: signed }),
  );
  await told.hear(identity.consents.getConsent({ consentId: encrypted }));
  await told.hear(
    identity.consents.listConsents({ tenantId, userId, pageToken: encrypted.slice(0, 64), pageSize: 300 }),
  );
  await told.hear(
    operator.registry.rotateSigningKey({ tenantId, algorithm: 99 as never, reason: signed.slice(0, 500) }),
  );
  // CALLER_UNKNOWN
  for (const { token } of made) {
    await told.hear(clientsOf(own.shared, token).issuer.issueToken(request({ userId, claims })));
  }
  await issue({}, clientsOf(own.shared, operator.credential.slice(0, -1)));
  // CALLER_NOT_ALLOWED
  await issue({}, resourceServer);
  await issue({}, world.app);
  await issue({ tenantId: 'elsewhere' });
  await told.hear(
    resourceServer.validator.validateToken({ token: signed, audience: 'https://elsewhere', requiredScopes: ['x'] }),
  );
  // TENANT_UNKNOWN
  const ghost = unique('ghost');
  const nowhere = await bootstrapped(own.shared, [ghost]);
  secrets.keep(nowhere.credential, 'a credential');
  await revoke({ case: 'tenant', value: { tenantId: ghost } }, { reason: userId }, nowhere);
  // APP_UNKNOWN, AUDIENCE_UNKNOWN, CONSENT_UNKNOWN, TOKEN_UNKNOWN, REVOCATION_UNKNOWN, SIGNING_KEY_UNKNOWN, REVISION_UNKNOWN
  await issue({ appId: 'elsewhere' });
  await issue({ audience: 'https://elsewhere' });
  await issue({ consentId: made[0]?.consentId });
  const tokenId = tokenIdOf({ partition: 20_000, key: '0'.repeat(32) });
  await told.hear(
    operator.revocation.revokeToken({
      tokenOrId: { case: 'tokenId', value: tokenId },
      reason: encrypted.slice(0, 500),
    }),
  );
  await told.hear(operator.revocation.getRevocation({ revocationId: `rvk_${'0'.repeat(21)}` }));
  await revoke({ case: 'signingKeyId', value: 'k'.repeat(43) }, { reason: signed.slice(0, 500) });
  await revoke({ case: 'appUser', value: { appId: 'elsewhere', userId } });
  const atLeastRevision = encrypted.slice(5, 65);
  const consistency = { requirement: { case: 'atLeastRevision', value: atLeastRevision } } as const;
  await told.hear(
    resourceServer.validator.validateToken({ token: signed, audience, requiredScopes: ['x'], consistency }),
  );
  // DISABLED, SCOPE_NOT_ALLOWED, TTL_TOO_LONG, METHOD_NOT_ALLOWED, CONSENT_REQUIRED, CONSENT_ENDED
  const disabled = await world.addApp();
  await operator.registry.disableApp({ appId: disabled, reason: 'test' });
  await issue({ appId: disabled });
  await issue({ scopes: [planted] });
  await issue({ ttl: { seconds: 99_999_999n } });
  await issue({ appId: await world.addApp(), method: TokenMethod.SIGNED });
  await issue({ appId: await world.addApp({ hostingType: HostingType.PARTNER_CLOUD }) });
  const ended = await world.consent({ appId, userId });
  await revoke({ case: 'consentId', value: ended }, {}, identity);
  await issue({ consentId: ended });
  // CLAIM_RESERVED, CLAIMS_TOO_LARGE, TOKEN_TOO_LONG
  await issue({ claims: { sub: secrets.claim, ...claims } });
  await issue({ claims: { ...claims, large: secrets.claim.repeat(400) } });
  const wide = Array.from({ length: 64 }, (_, i) => `${'s'.repeat(100)}:${i}`);
  const wideAudience = `https://${unique('wide')}.example.com`;
  await operator.registry.createResourceServer({
    resourceServer: { audience: wideAudience, tenantId, scopes: wide.map((name) => ({ name })) },
  });
  const wideApp = await world.addApp({
    methods: [TokenMethod.ENCRYPTED],
    grants: [{ audience: wideAudience, scopes: wide }],
  });
  await issue({ appId: wideApp, audience: wideAudience, scopes: wide, method: TokenMethod.ENCRYPTED });
  // ALREADY_EXISTS, IDEMPOTENCY_KEY_REUSED, CREDENTIAL_NOT_ALLOWED
  await told.hear(operator.registry.createTenant({ tenant: { tenantId, displayName: 'again' } }));
  const idempotencyKey = unique('consent');
  for (const number of [4_000_001, 4_000_002]) {
    await told.hear(world.consent({ appId, userId: secrets.userId(number), idempotencyKey }));
  }
  await told.hear(
    operator.registry.issueCredential({
      principal: { case: 'operator', value: { name: 'third', tenantIds: [tenantId] } },
      scopes: ['tokens:revoke_all'],
      ttl: { seconds: 60n },
    }),
  );
  // INTERNAL: a key that does not unwrap.
  const broken = await world.consent({ appId, userId });
  const superuser = await own.superuser();
  await superuser.query(`update consent_key set wrapped = sha256(wrapped) || wrapped where consent_id = $1`, [broken]);
  await issue({ consentId: broken, method: TokenMethod.CONSENT_KEY });
  await superuser.query('delete from consent_key where consent_id = $1', [broken]);
}
