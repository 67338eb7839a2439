import { createRequire } from 'node:module';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { readBatches } from './record-batches.ts';

const require = createRequire(import.meta.url);
const { RecordBatch } = require('kafkajs/src/protocol/recordBatch/v0/index.js');
const Record = require('kafkajs/src/protocol/recordBatch/record/v0/index.js');

interface Sent {
  readonly key?: string;
  readonly value: string | null;
  readonly headers?: Readonly<Record<string, string>>;
  /** Where it says that it lies, from the first one of its batch on. */
  readonly offsetDelta?: number;
}

/** A batch as kafkajs sends it, and brokers store it. */
async function batchOf(firstOffset: number, sent: readonly Sent[]): Promise<Buffer> {
  const now = 1_767_225_600_123;
  const records = sent.map((one, i) => Record({ offsetDelta: i, ...one, timestampDelta: 3_000_000_000 }));
  const range = { firstOffset, lastOffsetDelta: sent.length - 1, firstTimestamp: now, maxTimestamp: now };
  return (await RecordBatch({ ...range, records })).buffer;
}

const recordsStart = 61;
const gzip = 1;
const snappy = 2;
const lz4 = 3;
const zstd = 4;
const control = 0b10_0000;

/** The same batch with other bytes in place of its records. */
function packed(batch: Buffer, attributes: number, pack = (records: Buffer) => records): Buffer {
  const made = Buffer.concat([batch.subarray(0, recordsStart), pack(batch.subarray(recordsStart))]);
  made.writeInt32BE(made.length - 12, 8);
  made.writeInt16BE(attributes, 21);
  return made;
}

const told = async (...batches: readonly Buffer[]) => {
  const { messages, end } = await readBatches(Buffer.concat(batches));
  return { messages: messages.map(({ offset, value }) => [offset, value && Buffer.from(value).toString()]), end };
};

const first = await batchOf(7, [{ value: 'a' }, { key: 'key', value: null, headers: { name: 'text' } }, { value: '' }]);
const second = await batchOf(10, [{ value: 'b' }, { value: 'c' }]);
const third = await batchOf(12, [{ value: 'd' }]);
const ofFirst = [
  [7n, 'a'],
  [8n, null],
  [9n, ''],
];

test.each([
  ['as it was sent', 0, (records: Buffer) => records],
  ['packed by gzip', gzip, gzipSync],
  ['packed by zstd', zstd, zstdCompressSync],
])('a batch %s is read', async (_, attributes, pack) => {
  expect(await told(packed(first, attributes, pack), second)).toEqual({
    messages: [...ofFirst, [10n, 'b'], [11n, 'c']],
    end: 12n,
  });
});

const zeros = await batchOf(10, [{ value: '\0'.repeat(80_000_000) }, { value: 'c' }]);
/** As one that ends where `second` does. */
const ending = (batch: Buffer) => {
  batch.writeInt32BE(1, 23);
  return batch;
};
const many = ending(await batchOf(10, Array(10_000).fill({ value: null })));
const saying = async (...deltas: readonly number[]) =>
  ending(
    await batchOf(
      10,
      deltas.map((offsetDelta) => ({ value: 'x', offsetDelta })),
    ),
  );

test.each([
  ['is packed by snappy', packed(second, snappy)],
  ['is packed by lz4', packed(second, lz4)],
  ['is not what it says that it is packed by', packed(second, gzip)],
  ['ends before its records do', packed(second, 0, (records) => records.subarray(0, -5))],
  ['is small until it is unpacked, by gzip', packed(zeros, gzip, gzipSync)],
  ['is small until it is unpacked, by zstd', packed(zeros, zstd, zstdCompressSync)],
  ['holds very many messages', many],
  ['says that it lies behind its end', await saying(0, 2)],
  ['says that it lies before its beginning', await saying(-1, 1)],
  ['says twice that something lies somewhere', await saying(0, 0)],
])('a batch that %s counts as one message, and those about it are read', async (_, batch) => {
  const before = await told(first, batch, third);
  expect(before).toEqual({ messages: ofFirst, end: 10n });
  expect(await told(batch, third)).toEqual({
    messages: [
      [11n, null],
      [12n, 'd'],
    ],
    end: 13n,
  });
});

test('what is unpacked at once is bounded, however many batches it is in', async () => {
  const large = await batchOf(0, [{ value: '\0'.repeat(6_000_000) }]);
  const batches = Array(9).fill(packed(large, zstd, zstdCompressSync));
  expect((await readBatches(Buffer.concat(batches))).messages).toHaveLength(2);
});

test('of headers there may be very many', async () => {
  const headers = Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [String(i), '']));
  expect(await told(await batchOf(1, [{ value: 'a', headers }]))).toEqual({ messages: [[1n, 'a']], end: 2n });
});

test('a batch that is cut off, one that is empty and one that ends a transaction hold no message', async () => {
  expect(await told(first.subarray(0, -1))).toEqual({ messages: [], end: null });
  expect(await told(second, first.subarray(0, 5))).toMatchObject({ end: 12n });
  const empty = packed(second, 0, () => Buffer.alloc(0));
  empty.writeInt32BE(0, 57);
  expect(await told(first, empty)).toEqual({ messages: ofFirst, end: 12n });
  expect(await told(first, packed(second, control))).toEqual({ messages: ofFirst, end: 12n });
});

test('what is of an older format counts as one message', async () => {
  const older = Buffer.from(third);
  older.writeInt8(1, 16);
  expect(await told(older)).toEqual({ messages: [[12n, null]], end: 13n });
});

test('a length that can be none ends the reading', async () => {
  const wrong = Buffer.from(first);
  wrong.writeInt32BE(-100, 8);
  await expect(readBatches(wrong)).rejects.toThrow(RangeError);
});
