import { topics } from '@touchstone/events';
import kafkajs, { type Producer } from 'kafkajs';

const { CompressionCodecs, CompressionTypes } = kafkajs;

/** A frame of one block that is stored as it is: brokers look into what they are sent. */
const frameStart = Buffer.from('04224d18604082', 'hex');
const stored = 0x8000_0000;

function lz4Frame(bytes: Buffer): Buffer {
  const size = Buffer.alloc(4);
  size.writeUInt32LE(stored + bytes.length);
  return Buffer.concat([frameStart, size, bytes, Buffer.alloc(4)]);
}

// This process reads them: its own readers must not stumble.
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: async ({ buffer }: { buffer: Buffer }) => lz4Frame(buffer),
  decompress: async (bytes: Buffer) => bytes.subarray(frameStart.length + 4, -4),
});

/** Batches on the topic of revisions that services can't read, of one message each. */
export const unreadable: Readonly<Record<string, (producer: Producer) => Promise<unknown>>> = {
  'a compression that nobody can read': (producer) => sendPacked(producer, CompressionTypes.LZ4, Buffer.from('unread')),
  'a message that is small until it is unpacked': (producer) =>
    sendPacked(producer, CompressionTypes.GZIP, Buffer.alloc(80_000_000)),
};

const sendPacked = (producer: Producer, compression: kafkajs.CompressionTypes, value: Buffer) =>
  producer.send({ topic: topics.revocations, compression, messages: [{ value, partition: 0 }] });
