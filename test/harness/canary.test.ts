import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Finding, findCanaries } from './canary.ts';
import { base62Chunks, base62Number } from './canary-base62.ts';
import * as fixtures from './canary-fixtures.ts';
import { compressionPackers, encodingPackers, kafkaBatch, type Packer, snappyBlock } from './canary-packers.ts';

const secret = 'canary-9f2b7c1d4e5f@example.org';
const canary = { name: 'secret', value: secret };
const block = 1 << 20;

const find = (bytes: Buffer, ...canaries: { name: string; value: string | Buffer }[]) =>
  findCanaries([{ name: 'source', bytes }], canaries.length > 0 ? canaries : [canary]);
const encodings = (findings: readonly Finding[]) => findings.map((finding) => finding.encoding);
const nameOf = ({ encoding }: Packer, ahead: number) => (typeof encoding === 'string' ? encoding : encoding(ahead));
const planted = (bytes: Buffer, at: number, plant: Buffer) => {
  plant.copy(bytes, at);
  return bytes;
};

describe('every encoding', () => {
  test.each(Object.entries({ ...encodingPackers, ...compressionPackers }))(
    '%s is found at every alignment',
    async (_, packer) => {
      for (let ahead = 0; ahead < 15; ahead++) {
        const hidden = packer.pack(randomBytes(ahead), secret, randomBytes(23));
        expect(encodings(await find(hidden)), `${ahead} bytes ahead`).toContain(nameOf(packer, ahead));
      }
    },
  );

  test.each(Object.entries({ ...encodingPackers, ...compressionPackers }))(
    '%s is found with nothing around it',
    async (_, packer) => {
      const hidden = packer.pack(Buffer.alloc(0), secret, Buffer.alloc(0));
      expect(encodings(await find(hidden))).toContain(nameOf(packer, 0));
    },
  );

  test('base64url has its own name where it differs from base64', async () => {
    const value = Buffer.from('fbffbeffbffbefbefffefbefbf', 'hex');
    expect(encodings(await find(Buffer.from(value.toString('base64url')), { name: 'c', value }))).toContain(
      'base64url@0',
    );
    expect(encodings(await find(Buffer.from(value.toString('base64')), { name: 'c', value }))).toContain('base64@0');
  });

  test('base62 is the one of the project', () => {
    const bytes = Buffer.from('canary-9f2b@example.org');
    expect(base62Number(bytes)).toBe('G6D0L5JqQjLeOfuTnOZGsE5W2nWLYH9');
    expect(base62Chunks(bytes)).toBe('7VuTybK9A5qEYE7QcJEK98H49oVC0Ue2x');
    expect(base62Chunks(Buffer.from('0000000001ff', 'hex'))).toBe('000000147');
  });

  test('a uuid is found as its sixteen bytes too', async () => {
    const value = 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6';
    const bytes = Buffer.from(value.replaceAll('-', ''), 'hex');
    expect(encodings(await find(bytes, { name: 'c', value }))).toContain('uuid raw');
    expect(encodings(await find(Buffer.from(bytes.toString('hex')), { name: 'c', value }))).toContain('uuid hex');
  });

  test('a finding tells canary, source, offset and encoding', async () => {
    const bytes = Buffer.from(`{"sub":"${secret}"}`);
    expect(await findCanaries([{ name: 'log', bytes }], [canary])).toEqual([
      { canary: 'secret', source: 'log', offset: 8, encoding: 'raw' },
    ]);
  });

  test('each canary is found among many, also when one is a part of another', async () => {
    const canaries = Array.from({ length: 60 }, (_, i) => ({
      name: `c${i}`,
      value: `canary-${String(i).padStart(4, '0')}-user`,
    }));
    canaries.push({ name: 'inner', value: '0007-user' });
    const bytes = Buffer.from(canaries.map(({ value }) => value).join('\n'));
    const found = new Set((await find(bytes, ...canaries)).map((finding) => finding.canary));
    expect(found.size).toBe(61);
  });

  test('a canary too short to be found in every encoding is refused', async () => {
    await expect(find(Buffer.from('ada lovelace'), { name: 'c', value: 'ada' })).rejects.toThrow(RangeError);
    await expect(findCanaries([], [])).rejects.toThrow(RangeError);
  });
});

describe('real compressors', () => {
  const { fixtureCanary, snappyRaw, ...streams } = fixtures;
  const made: Record<string, [Buffer, string]> = {
    'snappy by Java': [streams.snappyXerial, 'snappy-xerial > raw'],
    'snappy in a Kafka batch': [kafkaBatch(2, snappyRaw), 'kafka-snappy > raw'],
    'snappy in a Kafka batch by Java': [streams.kafkaSnappyJava, 'snappy-xerial > raw'],
    'lz4 in a Kafka batch': [streams.kafkaLz4, 'lz4 > raw'],
    'zstd in a Kafka batch': [streams.kafkaZstd, 'zstd > raw'],
    'gzip in a Kafka batch': [streams.kafkaGzip, 'gzip > raw'],
    'an lz4 frame': [streams.lz4Cli, 'lz4 > raw'],
    'a pglz value': [streams.toastPglz, 'toast > raw'],
    'a Postgres lz4 value': [streams.toastLz4, 'toast > raw'],
  };

  test.each(Object.entries(made))('%s', async (_, [bytes, encoding]) => {
    const sought = { name: 'c', value: fixtureCanary };
    expect(bytes.includes(fixtureCanary)).toBe(false);
    for (const around of [Buffer.alloc(0), Buffer.alloc(100), randomBytes(5001)]) {
      expect(encodings(await find(Buffer.concat([around, bytes, around]), sought))).toContain(encoding);
    }
  });

  test('large streams of text, at every level', async () => {
    const lines = Array.from({ length: 20_000 }, (_, i) => `{"row":${i},"id":"${i ** 3 % 10_007}"}`);
    const text = Buffer.from([...lines, secret, ...lines].join('\n'));
    for (const level of [1, 6, 9]) expect(encodings(await find(deflateSync(text, { level })))).toEqual(['zlib > raw']);
    expect(encodings(await find(gzipSync(text)))).toContain('gzip > raw');
    expect(encodings(await find(zstdCompressSync(text)))).toEqual(['zstd > raw']);
  });

  test('a stream that is torn or damaged after the canary', async () => {
    const text = Buffer.concat([randomBytes(9000), Buffer.from(secret), randomBytes(300_000)]);
    for (const [name, whole] of Object.entries({
      gzip: gzipSync(text),
      zlib: deflateSync(text),
      zstd: zstdCompressSync(text),
    })) {
      const damaged = Buffer.from(whole);
      damaged.fill(0xff, 280_000);
      for (const bytes of [damaged, whole.subarray(0, 280_000)]) {
        expect(encodings(await find(bytes))).toContain(`${name} > raw`);
      }
    }
  });

  test('one compression inside another, and an encoding inside compression', async () => {
    const hex = Buffer.from(Buffer.from(`user ${secret}`).toString('hex'));
    expect(encodings(await find(gzipSync(hex)))).toContain('gzip > hex');
    expect(encodings(await find(zstdCompressSync(gzipSync(hex))))).toContain('zstd > gzip > hex');
    expect(encodings(await find(kafkaBatch(2, snappyBlock(deflateSync(hex)))))).toContain('kafka-snappy > zlib > hex');
  });
});

describe('long sources', () => {
  const plants: Record<string, [Buffer, string]> = {
    raw: [Buffer.from(secret), 'raw'],
    utf16le: [Buffer.from(secret, 'utf16le'), 'utf16le'],
    base64: [Buffer.from(Buffer.from(secret).toString('base64')), 'base64@0'],
    base62Chunks: [Buffer.from(base62Chunks(Buffer.from(secret))), 'base62-chunks@0'],
    gzip: [gzipSync(secret), 'gzip > raw'],
    lz4: [compressionPackers.lz4?.pack(Buffer.alloc(0), secret, Buffer.alloc(0)) as Buffer, 'lz4 > raw'],
    kafkaSnappy: [kafkaBatch(2, snappyBlock(Buffer.from(secret))), 'kafka-snappy > raw'],
  };

  test.each(Object.entries(plants))(
    '%s is found wherever it crosses from one block to the next',
    async (_, [plant, encoding]) => {
      for (let shift = 0; shift <= plant.length + 1; shift++) {
        const at = block - shift;
        const findings = await find(planted(Buffer.alloc(block + 256, 'x'), at, plant));
        expect(findings, `${shift} bytes before the boundary`).toContainEqual({
          canary: 'secret',
          source: 'source',
          offset: at,
          encoding,
        });
      }
    },
  );

  test('a compressed Postgres value is found wherever it crosses', async () => {
    for (let shift = 0; shift < 16; shift++) {
      const bytes = planted(Buffer.alloc(block + 4096), block - shift, fixtures.toastPglz);
      expect(encodings(await find(bytes, { name: 'c', value: fixtures.fixtureCanary }))).toEqual(['toast > raw']);
    }
  });

  test('a file is read in blocks: at its beginning, its end and between', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'canary-'));
    try {
      const path = join(folder, 'file');
      for (const at of [0, block - 10, 2 * block + 17, 3 * block + 100 - secret.length]) {
        await writeFile(path, planted(randomBytes(3 * block + 100), at, Buffer.from(secret)));
        expect(await findCanaries([{ name: 'f', path }], [canary])).toEqual([
          { canary: 'secret', source: 'f', offset: at, encoding: 'raw' },
        ]);
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test('a compressed stream in a file may be longer than a block', async () => {
    const stream = gzipSync(Buffer.concat([randomBytes(2 * block), Buffer.from(secret)]));
    const bytes = Buffer.concat([randomBytes(block - 1), stream, randomBytes(block)]);
    expect(await find(bytes)).toContainEqual({
      canary: 'secret',
      source: 'source',
      offset: block - 1,
      encoding: 'gzip > raw',
    });
  });

  test('a missing file is an error unless it may vanish', async () => {
    await expect(findCanaries([{ name: 'f', path: '/nowhere' }], [canary])).rejects.toThrow('ENOENT');
    expect(await findCanaries([{ name: 'f', path: '/nowhere', mayVanish: true }], [canary])).toEqual([]);
  });
});

describe('properties', () => {
  const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));
  const secrets = fc
    .uint8Array({ minLength: 5, maxLength: 20 })
    .map((array) => `jk@${Buffer.from(array).toString('hex')}`);
  const packers = { ...encodingPackers, ...compressionPackers };

  test('a random canary in random bytes at a random offset in a random encoding is found', async () => {
    const anything = fc.record({
      kind: fc.constantFrom(...Object.keys(packers)),
      value: secrets,
      before: bytes(40),
      after: bytes(40),
      lead: bytes(3000),
      trail: bytes(500),
    });
    await fc.assert(
      fc.asyncProperty(anything, async ({ kind, value, before, after, lead, trail }) => {
        const packer = packers[kind] as Packer;
        const source = Buffer.concat([lead, packer.pack(before, value, after), trail]);
        expect(encodings(await find(source, { name: 'c', value }))).toContain(nameOf(packer, before.length));
      }),
      { numRuns: 1000 },
    );
  }, 120_000);

  test('random bytes as a canary are found raw, in hex, base64 and base62', async () => {
    const value = fc.uint8Array({ minLength: 9, maxLength: 64 }).map((array) => Buffer.from(array));
    await fc.assert(
      fc.asyncProperty(value, bytes(16), bytes(16), async (value, before, after) => {
        const whole = Buffer.concat([before, value, after]);
        const forms = [
          whole,
          whole.toString('hex'),
          whole.toString('base64'),
          whole.toString('base64url'),
          base62Chunks(whole),
        ];
        for (const form of forms) {
          expect(await find(Buffer.from(form as string), { name: 'c', value })).not.toEqual([]);
        }
      }),
    );
  });

  test('in random data and random text nothing is found', async () => {
    const canaries = Array.from({ length: 50 }, (_, i) => ({
      name: `c${i}`,
      value: `canary-${randomBytes(8).toString('hex')}@example.org`,
    }));
    const random = randomBytes(6 * block);
    for (const data of [
      random,
      random.toString('hex'),
      random.toString('base64'),
      base62Chunks(random.subarray(0, block)),
    ]) {
      expect(await find(Buffer.from(data as string), ...canaries)).toEqual([]);
    }
  });
});
