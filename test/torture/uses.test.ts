import { expect, test } from 'vitest';
import type { Target } from './history.ts';
import { happened, nothingRecorded, type Outcome } from './recorded.ts';
import { reused, unused, whileUsed } from './uses.ts';

const target: Target = {
  level: 'family',
  ...{ tenantId: 't1', appId: 'a1', userId: 'u1', tokenId: 'r1', consentId: '', signingKeyId: '' },
  ...{ audience: 's1', grantedAt: '' },
};
const taken: Outcome<unknown> = { answer: {}, reason: '', isUnknown: false };
const refused: Outcome<unknown> = { answer: null, reason: reused, isUnknown: false };
const lost: Outcome<unknown> = { answer: null, reason: '', isUnknown: true };

function open() {
  const recorded = nothingRecorded();
  const uses = unused();
  const use = (outcome: Promise<Outcome<unknown>> | Outcome<unknown>) =>
    whileUsed(recorded, uses, target, async () => outcome);
  const threats = () => happened(recorded).map(({ start, end }) => ({ isSince: start >= uses.secondAt, end }));
  return { use, threats, recorded };
}
const threat = { isSince: true, end: Number.POSITIVE_INFINITY };

test('a single use ends no family, whatever came of it', async () => {
  const { use, threats } = open();
  const answer = Promise.withResolvers<Outcome<unknown>>();
  const using = use(answer.promise);
  expect(threats()).toEqual([]);
  answer.resolve(lost);
  await using;
  expect(threats()).toEqual([]);
});

test('from a second one on any that is under way may', async () => {
  const { use, threats, recorded } = open();
  const [first, second] = [Promise.withResolvers<Outcome<unknown>>(), Promise.withResolvers<Outcome<unknown>>()];
  const using = [use(first.promise), use(second.promise)];
  expect(threats()).toEqual([threat]);
  second.resolve(taken);
  await using[1];
  expect(threats()).toEqual([threat]);
  first.resolve(refused);
  await using[0];
  expect(threats()).toEqual([]);
  expect(recorded.unexpected).toEqual([]);
});

test('and one of which nobody knows what came of it may for ever', async () => {
  const { use, threats, recorded } = open();
  await use(lost);
  await use(taken);
  await use(taken);
  expect(threats()).toEqual([threat]);
  expect(recorded.events).toHaveLength(1);
});

test('one is found used again only where another has been taken, or may have been', async () => {
  for (const outcomes of [[refused], [refused, refused]]) {
    const { use, recorded } = open();
    await Promise.all(outcomes.map(use));
    expect(recorded.unexpected).toHaveLength(1);
  }
  for (const first of [taken, lost]) {
    const { use, recorded } = open();
    await use(first);
    await use(refused);
    expect(recorded.unexpected).toEqual([]);
  }
});
