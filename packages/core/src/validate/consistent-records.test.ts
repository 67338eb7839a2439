import { expect, test } from 'vitest';
import { Overloaded } from '../errors.ts';
import { Follower } from '../revisions/follower.ts';
import { chain, History, quiet, TestClock } from '../test-history.ts';
import { consistentRecords } from './consistent-records.ts';
import type { WantedRecord } from './ports.ts';

const wantedBy = (tenantId: string, count: number): WantedRecord[] =>
  Array.from({ length: count }, () => ({ key: { partition: 0, key: '0'.repeat(32) }, tenantIds: [tenantId] }));

test('however much one tenant asks for, another one is neither refused nor waits for all of that', async () => {
  const history = new History();
  const follower = await Follower.start(history, chain, new TestClock(), quiet);
  const read: string[][] = [];
  const reader = {
    async read(wanted: readonly WantedRecord[], revision: number) {
      read.push([...new Set(wanted.flatMap(({ tenantIds }) => tenantIds ?? []))]);
      return { records: wanted.map(() => null), tail: await history.readAfter(revision) };
    },
  };
  const records = consistentRecords(reader, follower, { batchMax: 10, lanes: 1, waitingMax: 100 });
  const many = Array.from({ length: 10 }, () => records(wantedBy('many', 10)));
  const outcomes = Promise.allSettled(many);
  await records(wantedBy('few', 1));
  expect(read.findIndex((tenantIds) => tenantIds.includes('few'))).toBeLessThan(3);
  const refused = (await outcomes).filter(({ status }) => status === 'rejected');
  expect(refused).toMatchObject([{ reason: expect.any(Overloaded) }]);
});
