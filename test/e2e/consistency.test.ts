import { setTimeout as sleep } from 'node:timers/promises';
import type { Message, MessageInitShape } from '@bufbuild/protobuf';
import type { ConsistencySchema, RevocationTargetSchema } from '@touchstone/contracts';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import { bootstrapped, openWorld, unique, type World } from '../harness/world.ts';
import { failureOf, outcomeInBatch, outcomeOf } from './support-outcome.ts';

type Consistency = MessageInitShape<typeof ConsistencySchema>;
type Target = Exclude<MessageInitShape<typeof RevocationTargetSchema>, Message>['target'];

const stack = inject('stack');
let world: World;
beforeAll(async () => {
  world = await openWorld(stack);
});

const staleness = { milliseconds: 300, duration: { seconds: 0n, nanos: 300_000_000 } };
const fully: Consistency = { requirement: { case: 'fullyConsistent', value: true } };
const stale: Consistency = { requirement: { case: 'maxStaleness', value: staleness.duration } };
const atLeast = (revision: string): Consistency => ({ requirement: { case: 'atLeastRevision', value: revision } });
/** Modes in which a revocation counts that returned longer ago than the staleness, with this revision. */
const modesAfter = (revision: string): [string, Consistency | undefined][] => [
  ['by default', undefined],
  ['fully consistent', fully],
  ['max_staleness', stale],
  ['at_least_revision', atLeast(revision)],
];

const requestOf = (own: World, token: string, consistency?: Consistency) => ({
  token,
  audience: own.audience,
  requiredScopes: ['orders:read'],
  ...(consistency ? { consistency } : {}),
});
const validate = (own: World, token: string, consistency?: Consistency) =>
  own.resourceServer.validator.validateToken(requestOf(own, token, consistency));

test('a token is honoured in every mode the moment it has been issued', async () => {
  const { token, revision } = await world.issue();
  for (const [mode, consistency] of modesAfter(revision)) {
    expect([mode, await validate(world, token, consistency)]).toMatchObject([mode, { active: true, subject: 'ada' }]);
  }
});

test('an answer from memory says as much as one from the database, and as of when', async () => {
  const { token } = await world.issue();
  const { asOf: _, ...first } = await validate(world, token, stale);
  const { asOf, ...again } = await validate(world, token, stale);
  expect(again).toEqual(first);
  const age = Date.now() - (Number(asOf?.seconds) * 1_000 + Number(asOf?.nanos) / 1e6);
  expect(age).toBeLessThan(staleness.milliseconds + 1_000);
});

describe('a revoked token is refused at every entrance', () => {
  type Revoke = (own: World, token: string) => Promise<{ readonly revision: string }>;
  const revokeAll =
    (target: (own: World) => NonNullable<Target>): Revoke =>
    (own) =>
      own.operator.revocation.revokeTokens({
        target: { target: target(own) },
        reason: 'test',
        idempotencyKey: unique('incident'),
      });
  const levels: [string, Revoke][] = [
    ['token', (own, token) => own.operator.revocation.revokeToken({ tokenOrId: { case: 'token', value: token } })],
    ['user', revokeAll(({ tenantId }) => ({ case: 'user', value: { tenantId, userId: 'ada' } }))],
    ['app', revokeAll(({ appId }) => ({ case: 'app', value: { appId } }))],
    ['app and user', revokeAll(({ appId }) => ({ case: 'appUser', value: { appId, userId: 'ada' } }))],
    ['tenant', revokeAll(({ tenantId }) => ({ case: 'tenant', value: { tenantId } }))],
    ['app, disabled', ({ operator, appId }) => operator.registry.disableApp({ appId })],
  ];

  test.each(levels)('by %s', async (_, revoke) => {
    const own = await openWorld(stack);
    const { token } = await own.issue();
    // Now it is remembered.
    expect(await validate(own, token, stale)).toMatchObject({ active: true });
    const { revision } = await revoke(own, token);
    expect(await validate(own, token)).toMatchObject({ active: false });
    await sleep(staleness.milliseconds);
    for (const [mode, consistency] of modesAfter(revision)) {
      const request = requestOf(own, token, consistency);
      const { results } = await own.resourceServer.validator.batchValidateTokens({ requests: [request] });
      const refused = { active: false, tokenId: '', subject: '' };
      expect([mode, await validate(own, token, consistency)]).toMatchObject([mode, refused]);
      expect([mode, results]).toMatchObject([mode, [{ outcome: { case: 'validated', value: refused } }]]);
    }
  });

  test.each([
    ['full', { fullyConsistent: true }],
    ['bounded', { maxStaleness: '0.3s' }],
  ])('as JSON, %s', async (_, consistency) => {
    const { token } = await world.issue();
    const ask = async () => {
      const answer = await fetch(`${stack.http.validator}/touchstone.v1.ValidatorService/ValidateToken`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          authorization: `Bearer ${world.resourceServer.credential}`,
        },
        body: JSON.stringify({ token, audience: world.audience, requiredScopes: ['orders:read'], consistency }),
      });
      return answer.json();
    };
    expect(await ask()).toMatchObject({ active: true });
    await world.operator.revocation.revokeToken({ tokenOrId: { case: 'token', value: token } });
    await sleep(staleness.milliseconds);
    expect(await ask()).toMatchObject({ reason: 'REFUSAL_REASON_NOT_HONOURED' });
  });

  test('as the credential of a caller, of each service', async () => {
    const operator = await bootstrapped(stack, [world.tenantId]);
    const { credential } = operator;
    const calls = {
      issuer: () => operator.registry.disableApp({ appId: 'absent' }),
      validator: () => operator.validator.validateToken(requestOf(world, 'tks_x')),
      revocation: () => operator.revocation.getRevocation({ revocationId: `rvk_${'0'.repeat(21)}` }),
    };
    const outcomes = () => Promise.all(Object.values(calls).map((call) => outcomeOf(call())));
    for (const outcome of await outcomes()) expect(outcome).not.toContain('Unauthenticated');
    await operator.revocation.revokeToken({ tokenOrId: { case: 'token', value: credential } });
    await sleep(1_000);
    expect(await outcomes()).toEqual(Array.from(Object.keys(calls), () => 'Unauthenticated CALLER_UNKNOWN'));
  });
});

test("one batch may ask in several modes, and one that can't be met fails alone", async () => {
  const { token, revision } = await world.issue();
  const ask = (consistency?: Consistency) => requestOf(world, token, consistency);
  const { results } = await world.resourceServer.validator.batchValidateTokens({
    requests: [ask(), ask(stale), ask(atLeast('nonsense')), ask(atLeast(revision)), ask(fully)],
  });
  expect(results.map(({ outcome }) => outcome.case)).toEqual([
    'validated',
    'validated',
    'error',
    'validated',
    'validated',
  ]);
});

describe('what is no demand is refused', () => {
  const duration = (seconds: bigint, nanos = 0): Consistency => ({
    requirement: { case: 'maxStaleness', value: { seconds, nanos } },
  });
  test.each<[string, Consistency, string]>([
    ['no staleness', duration(0n), 'INVALID_FIELD consistency.max_staleness'],
    ['a negative one', duration(-1n), 'INVALID_FIELD consistency.max_staleness'],
    ['one above the limit', duration(60n, 1), 'INVALID_FIELD consistency.max_staleness'],
    ['no revision', atLeast(''), 'INVALID_FIELD consistency.at_least_revision'],
    ['a revision with other characters', atLeast('a b'), 'INVALID_FIELD consistency.at_least_revision'],
    ['what is no revision', atLeast('abc'), 'REVISION_UNKNOWN consistency.at_least_revision'],
    [
      'a revision that is not there yet',
      atLeast(`0${'z'.repeat(20)}`),
      'REVISION_UNKNOWN consistency.at_least_revision',
    ],
    ['nothing', {}, 'INVALID_FIELD consistency.requirement'],
    [
      'full, negated',
      { requirement: { case: 'fullyConsistent', value: false } },
      'INVALID_FIELD consistency.fully_consistent',
    ],
  ])('%s', async (_, consistency, expected) => {
    const { token } = await world.issue();
    const request = requestOf(world, token, consistency);
    for (const call of [
      world.resourceServer.validator.validateToken(request),
      outcomeInBatch(world.resourceServer.validator.batchValidateTokens({ requests: [request] })),
    ]) {
      const { code, reason, metadata } = await failureOf(call);
      expect([code, `${reason} ${metadata.field}`]).toEqual(['InvalidArgument', expected]);
    }
  });
});
