import type { MessageInitShape } from '@bufbuild/protobuf';
import type { ConsistencySchema } from '@touchstone/contracts';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import { openWorld, type World } from '../harness/world.ts';
import { failureOf, outcomeInBatch } from './support-outcome.ts';

type Consistency = MessageInitShape<typeof ConsistencySchema>;

const stack = inject('stack');
let world: World;
beforeAll(async () => {
  world = await openWorld(stack);
});

const staleness = { milliseconds: 300, duration: { seconds: 0n, nanos: 300_000_000 } };
const fully: Consistency = { requirement: { case: 'fullyConsistent', value: true } };
const stale: Consistency = { requirement: { case: 'maxStaleness', value: staleness.duration } };
const atLeast = (revision: string): Consistency => ({ requirement: { case: 'atLeastRevision', value: revision } });
const modesWith = (revision: string): [string, Consistency | undefined][] => [
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
  for (const [mode, consistency] of modesWith(revision)) {
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
