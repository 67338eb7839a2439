import { execFile } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hmac } from './hmac.ts';

test.each(['sha256', 'sha512'] as const)('is HMAC with %s for keys and messages of any length', (algorithm) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.array(fc.uint8Array({ maxLength: 300 })), (key, messages) => {
      expect(messages.map(hmac(algorithm, key))).toEqual(
        messages.map((message) => createHmac(algorithm, key).update(message).digest()),
      );
    }),
  );
});

test('a key that is remembered takes less than a kilobyte, whatever else has used memory meanwhile', async () => {
  const script = `
    import { hmac } from '${new URL('./hmac.ts', import.meta.url)}';
    function used() {
      // Buffers are given back in the background; a second collection waits for that.
      gc();
      gc();
      return process.memoryUsage().arrayBuffers;
    }
    const [count, key] = [1_000, new Uint8Array(32)];
    const messages = [3, 30, 300].map((length) => new Uint8Array(length));
    const kept = [];
    function keep() {
      const one = hmac('sha256', key);
      kept.push(one);
      for (const message of messages) {
        one(message);
        // As much of Node's pool as is used at a time.
        for (let used = 0; used < Buffer.poolSize; used += 1_000) Buffer.allocUnsafe(1_000);
      }
    }
    keep();
    const before = used();
    for (let i = 0; i < count; i++) keep();
    console.log((used() - before) / count, kept.length);`;
  const args = ['--expose-gc', '--input-type=module', '--eval', script];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const [bytes, kept] = stdout.split(' ').map(Number);
  expect(kept).toBe(1_001);
  expect(bytes).toBeLessThan(1_024);
});
