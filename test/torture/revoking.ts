import { setTimeout as sleep } from 'node:timers/promises';
import { RevocationState, SigningAlgorithm, SigningKeyState } from '@touchstone/contracts';
import { type Arena, within } from './arena.ts';
import type { Target } from './history.ts';
import type { Random } from './random.ts';
import { attempt, noteFound, noteRevision, type Outcome, outcomeOf, type Recorded, whileUnderWay } from './recorded.ts';

/** Milliseconds: between two calls, and from when on it is left at that. */
const [repeatPause, repeatsMax] = [100, 60_000];
/** The same of looks at how far a revocation has come: a validator that is suspended is waited for. */
const [lookPause, looksMax] = [25, 15_000];

/** What a call tells that revokes. */
interface Told {
  readonly revision: string;
  readonly revocationId?: string;
}

/** A revocation that can be looked up, as it was told. */
export type Followed = Required<Told>;

/**
 * @param token the target, where it is a token; one of its refresh tokens, where it is a family.
 * @returns what can be looked up; null where nothing was told.
 */
export async function revoke(
  arena: Arena,
  target: Target,
  token: string,
  random: Random,
  recorded: Recorded,
): Promise<Followed | null> {
  const start = performance.now();
  const call = revocationOf(arena, target, token, random);
  const { answer, reason, isUnknown, sentAt } = await whileUnderWay(recorded, target, () =>
    untilKnown(recorded, `Revoke ${target.level}`, call),
  );
  const end = performance.now();
  if (answer) {
    const told = noteRevision(recorded, answer.revision, start);
    const revision = target.level === 'grant' ? Infinity : told;
    recorded.events.push({ type: 'revoked', start, end, target, revision, answeredFrom: sentAt });
  } else if (isUnknown) {
    recorded.events.push({ type: 'revoked', start, end: Infinity, target, revision: null });
  }
  // Whoever does not find it would refuse it, too.
  const found = { start, end, tokenId: target.tokenId, by: 'RevokeToken', active: false };
  if (reason === 'TOKEN_UNKNOWN') noteFound(recorded, found);
  return answer?.revocationId ? { revocationId: answer.revocationId, revision: answer.revision } : null;
}

/** Looks until the revocation is complete, and notes that; not for ever. @returns whether it has come to be. */
export async function untilComplete(
  { revocations }: Arena,
  { revocationId, revision }: Followed,
  random: Random,
  recorded: Recorded,
): Promise<boolean> {
  const last = performance.now() + looksMax;
  while (performance.now() < last) {
    const start = performance.now();
    const call = () => random.of(revocations).getRevocation({ revocationId }, within);
    const { answer, isUnknown } = await outcomeOf(recorded, 'GetRevocation', call);
    // It went when the database was put back.
    if (!answer && !isUnknown) return false;
    const { revocation } = answer ?? {};
    if (revocation && revocation.revision !== revision)
      recorded.unexpected.push('GetRevocation told another revision than had been told');
    if (revocation?.state === RevocationState.COMPLETE) {
      const number = noteRevision(recorded, revision, start);
      if (number !== null) recorded.events.push({ type: 'completed', start, end: performance.now(), revision: number });
      return true;
    }
    await sleep(lookPause);
  }
  return false;
}

/** As callers are told to do, the same call is made again until it is answered: what may have happened at any time hides much. */
async function untilKnown<Answer>(
  recorded: Recorded,
  what: string,
  call: () => Promise<Answer>,
): Promise<Outcome<Answer> & { readonly sentAt: number }> {
  const last = performance.now() + repeatsMax;
  for (let isRepeated = false; ; isRepeated = true) {
    const sentAt = performance.now();
    const outcome = await outcomeOf(recorded, what, call);
    // What is refused now may have been done before.
    if (!outcome.isUnknown) return { ...outcome, isUnknown: isRepeated && outcome.answer === null, sentAt };
    if (sentAt > last) return { ...outcome, sentAt };
    await sleep(repeatPause);
  }
}

/** The call, as often as it is made, is of the same revocation. */
function revocationOf(
  { revocations, registry }: Arena,
  { level, tenantId, appId, userId, tokenId, consentId, signingKeyId, audience, grantedAt }: Target,
  token: string,
  random: Random,
): () => Promise<Told> {
  const client = random.of(revocations);
  const idempotencyKey = randomName('race', random);
  const all = (target: Parameters<typeof client.revokeTokens>[0]['target']) => () =>
    client.revokeTokens({ target, reason: 'torture', idempotencyKey }, within);
  switch (level) {
    case 'token': {
      const tokenOrId = random.of([
        { case: 'tokenId', value: tokenId },
        { case: 'token', value: token },
      ] as const);
      return () => client.revokeToken({ tokenOrId, reason: 'torture' }, within);
    }
    case 'family':
      return () => client.revokeToken({ tokenOrId: { case: 'token', value: token }, reason: 'torture' }, within);
    case 'user':
      return all({ target: { case: 'user', value: { tenantId, userId } } });
    case 'app_user':
      return all({ target: { case: 'appUser', value: { appId, userId } } });
    case 'app':
      return all({ target: { case: 'app', value: { appId } } });
    case 'tenant':
      return all({ target: { case: 'tenant', value: { tenantId } } });
    case 'consent':
      return all({ target: { case: 'consentId', value: consentId } });
    case 'signing_key':
      return all({ target: { case: 'signingKeyId', value: signingKeyId } });
    case 'all':
      return all({ target: { case: 'all', value: {} } });
    case 'grant':
      return () => ungrant(registry, appId, grantedAt);
    case 'disabled_app':
      return () => registry.disableApp({ appId }, within);
    case 'disabled_server':
      return () => registry.disableResourceServer({ audience }, within);
  }
}

/** No revision tells of it. */
async function ungrant(registry: Arena['registry'], appId: string, audience: string): Promise<{ revision: string }> {
  const { app } = await registry.getApp({ appId }, within);
  if (app) {
    app.grants = app.grants.filter((grant) => grant.audience !== audience);
    await registry.updateApp({ app }, within);
  }
  return { revision: '' };
}

/** One of the tenant's keys, mostly the one that signs; empty where there is none, or it is not told. */
export async function aKeyOf({ registry, tenantId }: Arena, random: Random, recorded: Recorded): Promise<string> {
  const listed = await attempt(recorded, 'ListSigningKeys', () => registry.listSigningKeys({ tenantId }, within));
  const keys = listed?.signingKeys.filter(({ state }) => state !== SigningKeyState.REVOKED) ?? [];
  const active = keys.filter(({ state }) => state === SigningKeyState.ACTIVE);
  // The next one, or one that signed before: what it signed still lives.
  const wanted = random.next() < 0.8 ? active : keys;
  return wanted.length === 0 ? '' : random.of(wanted).signingKeyId;
}

export async function rotate({ registry, tenantId }: Arena, random: Random, recorded: Recorded): Promise<void> {
  const algorithm = random.of([SigningAlgorithm.ED25519, SigningAlgorithm.ES256]);
  const request = { tenantId, algorithm, reason: 'torture' };
  const rotated = await attempt(recorded, 'RotateSigningKey', () => registry.rotateSigningKey(request, within));
  if (rotated) recorded.rotations++;
}

/** A name that nothing else in the run has. */
export const randomName = (prefix: string, random: Random): string =>
  `${prefix}-${random.below(2 ** 32).toString(36)}${random.below(2 ** 32).toString(36)}`;
