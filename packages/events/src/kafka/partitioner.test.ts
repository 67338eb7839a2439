import { expect, test } from 'vitest';
import { choosingOnce } from './partitioner.ts';

const partitions = (count: number) =>
  Array.from({ length: count }, (_, partitionId) => ({
    partitionId,
    partitionErrorCode: 0,
    leader: 1,
    replicas: [],
    isr: [],
  }));

test('a message that is sent again within a batch goes to the partition that it was sent to, however many there are by then', () => {
  const chosen = new Map<object, number>();
  const choose = choosingOnce(chosen)();
  const messages = Array.from({ length: 40 }, (_, i) => ({ key: `tenant ${i}`, value: null }));
  const among = (count: number) =>
    messages.map((message) => choose({ topic: 'audit', partitionMetadata: partitions(count), message }));
  const first = among(12);
  expect(among(16)).toEqual(first);
  expect([...chosen.values()]).toEqual(first);
  chosen.clear();
  expect(among(16)).not.toEqual(first);
});
