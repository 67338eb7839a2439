import { promisify } from 'node:util';
import { gunzip, zstdDecompress } from 'node:zlib';

/** A message as it lies in a partition. */
export interface PartitionMessage {
  readonly offset: bigint;
  readonly value: Uint8Array | null;
}

/** What was read of a partition. */
export interface ReadBatches {
  readonly messages: readonly PartitionMessage[];
  /** The offset after it; null: it is nothing. */
  readonly end: bigint | null;
}

/** What is read at once, unpacked: more than any batch of the relay's. */
const bytesMax = 16 * 1024 * 1024;
/** What a message counts of that, be it empty: each is looked at before anything else is done. */
const messageCost = 2_048;

/** Where what stands in a batch, since Kafka 0.11. */
const at = { length: 8, magic: 16, attributes: 21, lastDelta: 23, count: 57, records: 61 };
const lengthEnd = 12;
const magic = 2;
const packing = 0b111;
const control = 0b10_0000;

type Unpack = (bytes: Buffer, options: { readonly maxOutputLength: number }) => Promise<Buffer>;

/** By their numbers in Kafka. Node has none for snappy and lz4. */
const unpackers: ReadonlyMap<number, Unpack> = new Map<number, Unpack>([
  [1, promisify(gunzip)],
  [4, promisify(zstdDecompress)],
]);

/**
 * Reads a partition's batches, the last of which may be cut off, as far as there is room for what they hold. One that can't
 * be read, or is too large by itself, counts as one message without a value: whoever reaches the brokers can send such.
 */
export async function readBatches(bytes: Buffer): Promise<ReadBatches> {
  const messages: PartitionMessage[] = [];
  let end: bigint | null = null;
  let room = bytesMax;
  for (let rest = bytes; ; ) {
    const batch = firstOf(rest);
    if (!batch) return { messages, end };
    const last = lastOffsetOf(batch);
    const read = await readBatch(batch, room).catch(() => null);
    // Where it comes first there is more room.
    if (!read && end !== null) return { messages, end };
    for (const message of read?.messages ?? [{ offset: last, value: null }]) messages.push(message);
    room -= read?.size ?? 0;
    end = last + 1n;
    rest = rest.subarray(batch.length);
  }
}

function firstOf(bytes: Buffer): Buffer | null {
  if (bytes.length < lengthEnd) return null;
  const length = lengthEnd + bytes.readInt32BE(at.length);
  return length > bytes.length ? null : bytes.subarray(0, length);
}

/** What is of an older format is one message, or several under the offset of the last one. */
function lastOffsetOf(batch: Buffer): bigint {
  const first = batch.readBigInt64BE();
  return batch.readInt8(at.magic) === magic ? first + BigInt(batch.readInt32BE(at.lastDelta)) : first;
}

/** @throws where it can't be read, or there is no room for it. */
async function readBatch(batch: Buffer, room: number): Promise<{ messages: PartitionMessage[]; size: number }> {
  if (batch.readInt8(at.magic) !== magic) throw new Error('it is of an older format');
  const attributes = batch.readInt16BE(at.attributes);
  const count = batch.readUInt32BE(at.count);
  const size = count * messageCost;
  if (size > room) throw new Error('there are too many messages in it');
  const records = await unpacked(attributes & packing, batch.subarray(at.records), room - size);
  const messages = messagesOf(records, count, batch);
  // Those of a control batch are none: they end transactions.
  return { messages: attributes & control ? [] : messages, size: size + records.length };
}

async function unpacked(by: number, records: Buffer, room: number): Promise<Buffer> {
  if (by === 0) return records;
  const unpack = unpackers.get(by);
  if (!unpack) throw new Error('it is packed by what Node does not have');
  return unpack(records, { maxOutputLength: room });
}

/** Brokers do not look where a record says that it lies: it could be told of instead of one that lies there. */
function messagesOf(records: Buffer, count: number, batch: Buffer): PartitionMessage[] {
  const first = batch.readBigInt64BE();
  const lastDelta = batch.readInt32BE(at.lastDelta);
  const cursor = new Cursor(records);
  let before = -1;
  return Array.from({ length: count }, () => {
    const length = cursor.number();
    const end = cursor.position + length;
    if (length < 0 || end > records.length) throw new RangeError('it is cut off');
    cursor.position += 1; // attributes
    cursor.number(); // its time, since the first one's
    const delta = cursor.number();
    if (delta <= before || delta > lastDelta) throw new RangeError('it lies where it cannot');
    before = delta;
    const offset = first + BigInt(delta);
    cursor.bytes(); // key
    const value = cursor.bytes();
    // Headers are not read: there may be very many.
    cursor.position = end;
    return { offset, value };
  });
}

/** @throws RangeError at the end of the bytes. */
class Cursor {
  position = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** Seven bits a byte, the low ones first, and the lowest of all is the sign. */
  number(): number {
    let value = 0;
    for (let worth = 1; ; worth *= 128) {
      const byte = this.#bytes.readUInt8(this.position++);
      value += (byte & 127) * worth;
      if (byte < 128) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    }
  }

  /** After their length; null: there are none, by a negative one. */
  bytes(): Buffer | null {
    const length = this.number();
    if (length < 0) return null;
    this.position += length;
    return this.#bytes.subarray(this.position - length, this.position);
  }
}
