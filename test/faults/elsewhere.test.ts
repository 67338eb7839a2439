// What went wrong in other systems, by the place where it was told.
import { setTimeout as sleep } from 'node:timers/promises';
import { freePair, type ServiceName, type ServiceProcess } from '@touchstone/local-stack';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectEnd, expectEndOfCredential, present } from '../e2e/support-entrances.ts';
import { shared } from '../harness/shared-stack.ts';
import { bootstrapped, type Clients, clientsOf, openWorld, unique } from '../harness/world.ts';
import { callsOf } from './calls.ts';
import { outcomeOf } from './outcome.ts';
import { type OwnStack, openOwnStack } from './own-stack.ts';
import { startTraffic } from './traffic.ts';
import { untilTrue } from './until.ts';

let own: OwnStack;
let validators: ServiceProcess[];
/** The first replica of each service, as it was started last. */
let running: Record<ServiceName, ServiceProcess>;
let operator: Clients;
beforeAll(async () => {
  own = await openOwnStack();
  const second = await own.stack.startAnother('validator', await freePair());
  await second.untilReady();
  validators = [own.stack.services.validator, second];
  running = { ...own.stack.services };
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

const revokeAll = ({ revocation } = operator, includeCredentials = false) =>
  revocation.revokeTokens({
    target: { target: { case: 'all', value: {} } },
    reason: 'leak',
    idempotencyKey: unique('incident'),
    includeCredentials,
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
  const end = Number(expiresAt?.seconds) * 1_000 + Number(expiresAt?.nanos) / 1e6;
  await sleep(Math.max(0, end + 1_000 - Date.now()));
  expect(await validateEverywhere(token)).toEqual([false, false]);
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
  const { failures, answered, wrong } = await traffic.stop();
  expect(failures).toEqual([]);
  // What it issues may be refused at any time, and of what it has revoked nothing is honoured.
  expect(wrong.filter((one) => one.endsWith('is active'))).toEqual([]);
  expect(answered).toBeGreaterThan(100);
});

test('Vault issue 3410: services that are restarted while revocations are under way do not wait for their end', async () => {
  const another = await own.stack.startAnother('revocation', await freePair());
  await another.untilReady();
  const elsewhere = clientsOf({ ...shared(own.stack), revocation: another.grpc }, operator.credential);
  const before = await restartAll();
  let [isOver, revoked] = [false, 0];
  const revoking = (async () => {
    for (; !isOver; revoked++) await revokeAll(elsewhere);
  })();
  // At those that are restarted as well: they may refuse what comes meanwhile.
  const refused = (async () => {
    const codes = new Set<string>();
    while (!isOver) {
      const outcome = await outcomeOf(revokeAll());
      if (!outcome.ok) codes.add(outcome.code);
      await sleep(5);
    }
    return [...codes];
  })();
  await untilTrue('revocations are under way', () => revoked > 0);
  const already = revoked;
  const busy = await restartAll().finally(() => {
    isOver = true;
  });
  await revoking;
  expect(['Unavailable', 'Canceled']).toEqual(expect.arrayContaining(await refused));
  expect(revoked - already).toBeGreaterThan(10);
  // The machine may have come to be busy with something else: one that waits for revocations would wait for as long as they go on.
  const quiet = Math.max(...before, ...(await restartAll()));
  expect(Math.max(...busy)).toBeLessThan(3 * quiet + 5_000);
  expect((await own.world.validate((await own.world.issue()).token)).active).toBe(true);
});

/** Stops each service, and starts it anew at its ports. @returns how long each took from its stop until it was ready, in milliseconds. */
async function restartAll(): Promise<number[]> {
  const names = ['issuer', 'validator', 'revocation'] as const;
  const started = performance.now();
  await Promise.all(names.map((name) => running[name].stop()));
  return Promise.all(
    names.map(async (name) => {
      running[name] = await own.stack.startAnother(name, portsOf(running[name]));
      await running[name].untilReady();
      return performance.now() - started;
    }),
  );
}

const portsOf = ({ grpc, http }: ServiceProcess) => [Number(grpc.split(':')[1]), Number(new URL(http).port)] as const;

test('Keycloak issue 15195: once all is revoked a token is refused at every entrance', async () => {
  await expectEnd(await present(shared(own.stack)), () => revokeAll());
});

// The last one: its callers are known no more.
test('Keycloak issue 15195: once all is revoked, credentials included, no service knows a credential', async () => {
  const stack = shared(own.stack);
  const { credential } = (await openWorld(stack)).identity;
  await expectEndOfCredential(stack, credential, () => revokeAll(operator, true));
});
