// What went wrong in other systems, by the place where it was told.
import { setTimeout as sleep } from 'node:timers/promises';
import { freePair, type ServiceProcess } from '@touchstone/local-stack';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { shared } from '../harness/shared-stack.ts';
import { bootstrapped, type Clients, clientsOf, unique } from '../harness/world.ts';
import { callsOf } from './calls.ts';
import { outcomeOf } from './outcome.ts';
import { type OwnStack, openOwnStack } from './own-stack.ts';
import { startTraffic } from './traffic.ts';
import { untilTrue } from './until.ts';

let own: OwnStack;
let validators: ServiceProcess[];
let operator: Clients;
beforeAll(async () => {
  own = await openOwnStack();
  const second = await own.stack.startAnother('validator', await freePair());
  await second.untilReady();
  validators = [own.stack.services.validator, second];
  operator = await bootstrapped(shared(own.stack), [own.world.tenantId], ['tokens:revoke_all']);
});
afterAll(() => own?.[Symbol.asyncDispose]());

const staleMilliseconds = 300;

/** What each validator says, from its cache where it can. */
const validateEverywhere = (token: string): Promise<boolean[]> =>
  Promise.all(
    validators.map(async ({ grpc }) => {
      const { validator } = clientsOf({ ...shared(own.stack), validator: grpc }, own.world.resourceServer.credential);
      const answer = await validator.validateToken({
        token,
        audience: own.world.audience,
        requiredScopes: ['orders:read'],
        consistency: {
          requirement: { case: 'maxStaleness', value: { seconds: 0n, nanos: staleMilliseconds * 1_000_000 } },
        },
      });
      return answer.active;
    }),
  );

const revokeAll = () =>
  operator.revocation.revokeTokens({
    target: { target: { case: 'all', value: {} } },
    reason: 'leak',
    idempotencyKey: unique('incident'),
  });

test('LIT-Protocol/chipotle issue 631: a revocation that empties the cache of one replica only', async () => {
  const { token } = await own.world.issue();
  expect(await validateEverywhere(token)).toEqual([true, true]);
  await operator.revocation.revokeToken({ tokenOrId: { case: 'token', value: token } });
  await sleep(staleMilliseconds);
  expect(await validateEverywhere(token)).toEqual([false, false]);
});

test('quarkus PR 43994, OAuth2Introspection issue 178: what is remembered outlives the token', async () => {
  const { token, expiresAt } = await own.world.issue({ ttl: { seconds: 3n } });
  expect(await validateEverywhere(token)).toEqual([true, true]);
  await sleep(Math.max(0, Number(expiresAt?.seconds) * 1_000 + Number(expiresAt?.nanos) / 1e6 - Date.now()));
  await untilTrue('both refuse it', async () => !(await validateEverywhere(token)).includes(true), 1_000);
});

test('Gravitee issue 6305: a token that is revoked right after it was issued stays active', async () => {
  const revokedAtOnce = async () => {
    const { token, tokenId } = await own.world.issue();
    await operator.revocation.revokeToken({ tokenOrId: { case: 'tokenId', value: tokenId } });
    expect((await own.world.validate(token)).active).toBe(false);
    return token;
  };
  const tokens = await Promise.all(Array.from({ length: 50 }, revokedAtOnce));
  await sleep(staleMilliseconds);
  for (const token of tokens) expect(await validateEverywhere(token)).toEqual([false, false]);
});

test('Vault issues 2515, 2576, 1951, 6417, 3410: while everything is revoked, over and over, nothing fails', async () => {
  const traffic = startTraffic(callsOf(own.stack, own.world), 4);
  for (let i = 0; i < 50; i++) await revokeAll();
  const { failures } = await traffic.stop();
  expect(failures).toEqual([]);
});

test('Vault issue 3410: a service that starts while revocations are under way is ready all the same', async () => {
  let isOver = false;
  const revoking = (async () => {
    while (!isOver) await revokeAll();
  })();
  const started = await own.stack.startAnother('validator', await freePair());
  const ready = await outcomeOf(started.untilReady());
  isOver = true;
  await revoking;
  expect(ready).toMatchObject({ ok: true });
});
