import { RevocationState } from '@touchstone/contracts';
import { freePair, type ServiceProcess } from '@touchstone/local-stack';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { shared } from '../harness/shared-stack.ts';
import { clientsOf, unique, type World } from '../harness/world.ts';
import { outcomeOf } from './outcome.ts';
import { type OwnStack, openOwnStack } from './own-stack.ts';
import { until, untilTrue } from './until.ts';

/** A suspended validator is counted for so long still: enough to be looked at. */
const fence = { FENCE_MILLISECONDS: '6000' };
let own: OwnStack;
let second: ServiceProcess;
beforeAll(async () => {
  own = await openOwnStack({ environment: fence });
  second = await own.stack.startAnother('validator', await freePair());
  await second.untilReady();
});
afterAll(() => own?.[Symbol.asyncDispose]());

const revocations = () => own.world.operator.revocation;

async function revokeUser(): Promise<string> {
  const value = { tenantId: own.world.tenantId, userId: 'ada' };
  const request = {
    target: { target: { case: 'user', value } },
    reason: 'test',
    idempotencyKey: unique('incident'),
  } as const;
  return (await revocations().revokeTokens(request)).revocationId;
}

const progressOf = async (revocationId: string) =>
  (await revocations().getRevocation({ revocationId })).revocation?.progress;

/** Asks the second validator for an answer that may be a minute old. */
const validateThere = (token: string) =>
  clientsOf(
    { ...shared(own.stack), validator: second.grpc },
    own.world.resourceServer.credential,
  ).validator.validateToken(
    {
      token,
      audience: own.world.audience,
      requiredScopes: ['orders:read'],
      consistency: { requirement: { case: 'maxStaleness', value: { seconds: 60n, nanos: 0 } } },
    },
    { timeoutMs: 10_000 },
  );

async function untilComplete(revocationId: string) {
  return until('it is complete', async () => {
    const { revocation } = await revocations().getRevocation({ revocationId });
    return revocation?.state === RevocationState.COMPLETE ? revocation : undefined;
  });
}

/** A revocation that is not complete for as long as a validator that can't apply it may answer. */
async function revokeWhileSuspended() {
  const suspended = await own.stack.startAnother('validator', await freePair());
  await suspended.untilReady();
  suspended.signal('SIGSTOP');
  const revocationId = await revokeUser();
  return {
    revocationId,
    async [Symbol.asyncDispose]() {
      suspended.signal('SIGCONT');
      await untilComplete(revocationId);
      await suspended.stop();
    },
  };
}

/** Watches until it ends: what it has told, and how it ended. */
function watch({ revocation }: Pick<World['operator'], 'revocation'>, revocationId: string) {
  const told: unknown[] = [];
  const watching = async () => {
    for await (const one of revocation.watchRevocation({ revocationId })) told.push(one);
  };
  return { told, ended: outcomeOf(watching()) };
}

test('both are counted', async () => {
  const { progress } = await untilComplete(await revokeUser());
  expect(progress).toMatchObject({ validatorsLive: 2, validatorsApplied: 2, behind: [] });
});

test('a validator that is suspended is waited for, by its name, until it can answer nothing; awake again it answers nothing old', async () => {
  const { token } = await own.world.issue();
  expect(await validateThere(token)).toMatchObject({ active: true });
  second.signal('SIGSTOP');
  const revocationId = await revokeUser();
  const suspended = { address: second.grpc };
  expect(await progressOf(revocationId)).toMatchObject({
    validatorsLive: 2,
    behind: expect.arrayContaining([expect.objectContaining(suspended)]),
  });
  expect((await progressOf(revocationId))?.completeAt).toBeUndefined();

  const { progress } = await untilComplete(revocationId);
  expect(progress).toMatchObject({ validatorsLive: 1, validatorsApplied: 1, unreachable: [suspended] });
  const [lost] = progress?.unreachable ?? [];
  expect(Number(lost?.revisionsBehind)).toBeGreaterThan(0);
  expect(Number(progress?.completeAt?.seconds)).toBeGreaterThanOrEqual(Number(lost?.answersUntil?.seconds));

  second.signal('SIGCONT');
  // It may say that it can't tell, and then that the token is refused; never that it is active.
  await until('it answers', async () => {
    const answer = await validateThere(token).catch(() => null);
    expect(answer?.active ?? false).toBe(false);
    return answer ?? undefined;
  });
  await untilTrue('it is counted again', async () => (await progressOf(revocationId))?.validatorsLive === 2);
});

test('one that stops by itself is not waited for at all', async () => {
  await second.stop();
  const revocationId = await revokeUser();
  expect(await progressOf(revocationId)).toMatchObject({ validatorsLive: 1, unreachable: [] });
  await untilComplete(revocationId);
});

test('one that is killed is named until it is back, and known to answer nothing', async () => {
  second = await own.stack.startAnother('validator', await freePair());
  await second.untilReady();
  await second.kill();
  const revocationId = await revokeUser();
  const { progress } = await untilComplete(revocationId);
  expect(progress).toMatchObject({ validatorsLive: 1, unreachable: [{ address: second.grpc }] });
});

test('a watcher is told that the service stops, and may go on at another', async () => {
  const other = await own.stack.startAnother('revocation', await freePair());
  await other.untilReady();
  await using revoked = await revokeWhileSuspended();
  const clients = clientsOf({ ...shared(own.stack), revocation: other.grpc }, own.world.operator.credential);
  const { told, ended } = watch(clients, revoked.revocationId);
  await untilTrue('it has told something', () => told.length > 0);
  await other.stop();
  expect(await ended).toMatchObject({ ok: false, code: 'Unavailable', reason: 'STORE_UNAVAILABLE' });
});

test('a watcher whose credential is revoked is told no more', async () => {
  const value = { name: 'watcher', tenantIds: [own.world.tenantId] };
  const { credential, tokenId } = await own.world.operator.registry.issueCredential({
    principal: { case: 'operator', value },
    scopes: ['tokens:revoke'],
    ttl: { seconds: 600n },
  });
  await using revoked = await revokeWhileSuspended();
  const { told, ended } = watch(clientsOf(shared(own.stack), credential), revoked.revocationId);
  await untilTrue('it has told something', () => told.length > 0);
  await revocations().revokeToken({ tokenOrId: { case: 'tokenId', value: tokenId } });
  expect(await ended).toMatchObject({ ok: false, code: 'Unauthenticated', reason: 'CALLER_UNKNOWN' });
});
