import { attenuate } from '@touchstone/client';
import { SigningAlgorithm, TokenMethod } from '@touchstone/contracts';
import { unique } from '../../harness/world.ts';
import { methods, namedMethods, outcomeOf } from './scene.ts';
import type { Using } from './use-of-everything.ts';

/** A token, and whom it is for. */
export interface Made {
  readonly method: TokenMethod;
  readonly token: string;
  readonly user: number;
  readonly consentId: string;
}

const algorithms = { ED25519: SigningAlgorithm.ED25519, ES256: SigningAlgorithm.ES256, RS256: SigningAlgorithm.RS256 };
const perMethod = 3;
/** They are all made and kept alike: these of each are looked for. */
const keptPerMethod = 2;

/** Tokens of every method, signed by every algorithm, each for a user of its own who has consented. */
export async function issueByEveryMethod({ world, secrets }: Using, appId: string): Promise<Made[]> {
  const { tenantId, operator, audience } = world;
  const made: Made[] = [];
  let user = 2_000_000;
  for (const [algorithmName, algorithm] of Object.entries(algorithms)) {
    // The second one is of the algorithm that the first one asked for.
    for (let i = 0; i < 2; i++) await operator.registry.rotateSigningKey({ tenantId, algorithm, reason: 'test' });
    for (const [name, method] of namedMethods) {
      for (let i = 0; i < perMethod; i++) {
        const [userId, claims] = [secrets.userId(++user), secrets.claims(user)];
        const consentId = await world.consent({ appId, userId });
        const request = { appId, userId, claims, consentId, method };
        const { token } = i % 2 ? await issueInBatch(world, request) : await world.issue(request);
        made.push({ method, token, user, consentId });
        if (i < keptPerMethod) secrets.keep(token, `a token (${name}, ${algorithmName})`);
      }
    }
  }
  await world.identity.consents.listConsents({ tenantId, userId: secrets.userId(user) });
  await world.identity.consents.getConsent({ consentId: made[0]?.consentId ?? '' });
  // Twice, and once too wide.
  const idempotencyKey = unique('consent');
  const grants = [{ audience, scopes: ['orders:read'] }];
  for (const over of [{}, {}, { scopes: ['orders:everything'] }]) {
    const again = { appId, userId: secrets.userId(++user - 1), idempotencyKey, grants: [{ ...grants[0], ...over }] };
    await outcomeOf(world.consent(again));
  }
  return made;
}

async function issueInBatch({ identity, request }: Using['world'], over: Record<string, unknown>) {
  const { results } = await identity.issuer.batchIssueTokens({ requests: [request(over)] });
  const outcome = results[0]?.outcome;
  if (outcome?.case !== 'issued') throw new Error('a token was not issued');
  return outcome.value;
}

/** Shows each as it is, narrowed, and in wrong ways. @returns how many were honoured as they are. */
export async function validateEach({ world, secrets }: Using, made: readonly Made[]): Promise<number> {
  let honoured = 0;
  for (const { token, method } of made) {
    const { active } = await world.validate(token);
    honoured += active ? 1 : 0;
    const wrong = [token.slice(0, -1), `${token}x`, token.slice(0, token.length / 2), token.replace(/[a-f]/, 'g')];
    for (const one of wrong) await outcomeOf(world.validate(one));
    if (method !== TokenMethod.ATTENUABLE) continue;
    const copy = attenuate(token, { scopes: ['orders:read'], expiresAt: 99_999_999_999, request: 'r'.repeat(43) });
    await outcomeOf(world.validate(copy));
    secrets.keep(copy, 'a narrowed copy');
  }
  return honoured;
}

/** Withdraws consents, revokes tokens by their strings, and the key that signs; and goes on. */
export async function revokeMethods({ world, secrets }: Using, appId: string, made: readonly Made[]): Promise<void> {
  const { identity, operator, tenantId } = world;
  const revoke = (by: typeof operator, target: object) =>
    by.revocation.revokeTokens({
      target: { target } as never,
      reason: 'test',
      idempotencyKey: unique('incident'),
    });
  for (const [i, { token, consentId, user, method }] of made.entries()) {
    if (i % 4 === 0) await operator.revocation.revokeToken({ tokenOrId: { case: 'token', value: token } });
    if (i % 4 !== 1) continue;
    await revoke(i % 2 ? identity : operator, { case: 'consentId', value: consentId });
    const again = { appId, userId: secrets.userId(user), claims: secrets.claims(user), consentId, method };
    await outcomeOf(world.issue(again));
    await outcomeOf(world.validate(token));
  }
  const { signingKeys } = await operator.registry.listSigningKeys({ tenantId });
  for (const { signingKeyId } of signingKeys) await revoke(operator, { case: 'signingKeyId', value: signingKeyId });
  for (const method of methods) {
    const [userId, claims] = [secrets.userId(3_000_000 + method), secrets.claims(3_000_000 + method)];
    const consentId = await world.consent({ appId, userId });
    const { token } = await world.issue({ appId, userId, claims, consentId, method });
    secrets.keep(token, 'a token after the keys were revoked');
    await world.validate(token);
  }
}
