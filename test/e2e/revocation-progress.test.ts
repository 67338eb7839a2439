import { createClient, type Transport } from '@connectrpc/connect';
import { createConnectTransport, createGrpcWebTransport } from '@connectrpc/connect-node';
import { RevocationService, RevocationState, type WatchRevocationResponse } from '@touchstone/contracts';
import { beforeAll, expect, inject, test } from 'vitest';
import { bootstrapped, clientsOf, openWorld, unique, type World } from '../harness/world.ts';
import { outcomeOf } from './support-outcome.ts';

const stack = inject('stack');
let world: World;
beforeAll(async () => {
  world = await openWorld(stack);
});

async function revokeUser(): Promise<string> {
  const value = { tenantId: world.tenantId, userId: 'ada' };
  const target = { target: { case: 'user', value } } as const;
  const request = { target, reason: 'test', idempotencyKey: unique('incident') };
  return (await world.operator.revocation.revokeTokens(request)).revocationId;
}

async function allOf<Message>(stream: AsyncIterable<Message>): Promise<Message[]> {
  const all: Message[] = [];
  for await (const message of stream) all.push(message);
  return all;
}

const seconds = (at: { seconds: bigint; nanos: number } | undefined): number =>
  Number(at?.seconds) + Number(at?.nanos) / 1e9;

function expectCompleteAtTheEnd(told: readonly WatchRevocationResponse[]): void {
  const states = told.map(({ revocation }) => revocation?.state);
  const before = states.slice(0, -1);
  expect(before).toEqual(before.map(() => RevocationState.IN_FORCE));
  expect(states.at(-1)).toBe(RevocationState.COMPLETE);
}

test('WatchRevocation ends once every live validator has applied it, with the time since when', async () => {
  const { token } = await world.issue();
  const demand = { requirement: { case: 'maxStaleness', value: { seconds: 60n, nanos: 0 } } } as const;
  const request = { token, audience: world.audience, requiredScopes: ['orders:read'], consistency: demand };
  const validate = () => world.resourceServer.validator.validateToken(request);
  expect(await validate()).toMatchObject({ active: true });
  const revocationId = await revokeUser();
  const told = await allOf(world.operator.revocation.watchRevocation({ revocationId }));
  expectCompleteAtTheEnd(told);
  const { progress, revokedAt } = told.at(-1)?.revocation ?? {};
  expect(progress).toMatchObject({ behind: [] });
  expect(progress?.validatorsLive).toBeGreaterThanOrEqual(1);
  expect(progress?.validatorsApplied).toBe(progress?.validatorsLive);
  expect(seconds(progress?.completeAt)).toBeGreaterThanOrEqual(seconds(revokedAt));
  // However stale an answer may be, nobody gives one any more that does not know of it.
  expect(await validate()).toMatchObject({ active: false });
  // The relay may come a moment later: nobody waits for it.
  const isPublished = async () =>
    (await world.operator.revocation.getRevocation({ revocationId })).revocation?.progress?.published;
  await expect.poll(isPublished).toBe(stack.kafkaBrokers.length > 0);
});

test('since when it is complete is a fact: it does not change', async () => {
  const revocationId = await revokeUser();
  const [last] = (await allOf(world.operator.revocation.watchRevocation({ revocationId }))).slice(-1);
  await revokeUser();
  const later = await world.operator.revocation.getRevocation({ revocationId });
  expect(later.revocation).toMatchObject({
    state: RevocationState.COMPLETE,
    progress: { completeAt: last?.revocation?.progress?.completeAt },
  });
  const again = await allOf(world.operator.revocation.watchRevocation({ revocationId }));
  expect(again).toHaveLength(1);
  expectCompleteAtTheEnd(again);
});

test.each<[string, (options: { baseUrl: string; httpVersion: '1.1' }) => Transport]>([
  ['Connect', createConnectTransport],
  ['gRPC-Web', createGrpcWebTransport],
])('WatchRevocation over %s', async (_, transport) => {
  const revocationId = await revokeUser();
  const client = createClient(RevocationService, transport({ baseUrl: stack.http.revocation, httpVersion: '1.1' }));
  const headers = { authorization: `Bearer ${world.operator.credential}` };
  expectCompleteAtTheEnd(await allOf(client.watchRevocation({ revocationId }, { headers })));
  await expect(outcomeOf(allOf(client.watchRevocation({ revocationId })))).resolves.toBe(
    'Unauthenticated CALLER_UNKNOWN',
  );
});

test('it is told to those only who may revoke the target, and of what there is', async () => {
  const revocationId = await revokeUser();
  const stranger = await bootstrapped(stack, [unique('absent')]);
  const watch = (callers: { revocation: World['operator']['revocation'] }, id = revocationId) =>
    outcomeOf(allOf(callers.revocation.watchRevocation({ revocationId: id })));
  expect(await watch(stranger)).toBe('NotFound REVOCATION_UNKNOWN');
  expect(await watch(world.operator, `rvk_${'0'.repeat(21)}`)).toBe('NotFound REVOCATION_UNKNOWN');
  expect(await watch(world.operator, 'rvk_0')).toBe('InvalidArgument INVALID_FIELD');
  expect(await watch(world.resourceServer)).toBe('PermissionDenied CALLER_NOT_ALLOWED');
  expect(await watch(world.app)).toBe('PermissionDenied CALLER_NOT_ALLOWED');
  expect(await watch(world.identity)).toBe('ok');
  expect(await watch(clientsOf(stack, 'tks_x'))).toBe('Unauthenticated CALLER_UNKNOWN');
});
