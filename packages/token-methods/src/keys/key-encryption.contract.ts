import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type KeyEncryption, KeyEncryptionFailed } from './key-encryption.ts';

const context = 'touchstone data key signing 1';

/** What every key encryption promises. @param open the one with the key of this number; the same each time. */
export function describeKeyEncryption(name: string, open: (key: 1 | 2) => KeyEncryption): void {
  describe(`key encryption ${name}`, () => {
    const refused = async (wrapped: Uint8Array, over: { by?: KeyEncryption; context?: string } = {}) => {
      const { by = open(1) } = over;
      await expect(by.unwrap(wrapped, over.context ?? context)).rejects.toThrow(KeyEncryptionFailed);
    };

    test('what it wrapped it unwraps, after a restart too', async () => {
      const keys = fc.uint8Array({ minLength: 16, maxLength: 64 });
      const contexts = fc.string({ minLength: 1, maxLength: 100, unit: 'grapheme' });
      await fc.assert(
        fc.asyncProperty(keys, contexts, async (key, context) => {
          const wrapped = await open(1).wrap(key, context);
          expect(await open(1).unwrap(wrapped, context)).toEqual(Buffer.from(key));
        }),
        { numRuns: 50 },
      );
    });

    test('its id stays, and another key has another', () => {
      expect(open(1).id).toBe(open(1).id);
      expect(open(1).id).not.toBe(open(2).id);
    });

    test('a key is never wrapped to the same bytes twice', async () => {
      const key = randomBytes(32);
      const wrapped = await Promise.all(Array.from({ length: 50 }, () => open(1).wrap(key, context)));
      expect(new Set(wrapped.map((bytes) => bytes.toString('hex'))).size).toBe(50);
      for (const bytes of wrapped) expect(bytes.includes(key)).toBe(false);
    });

    test('what was wrapped in another context is refused', async () => {
      const wrapped = await open(1).wrap(randomBytes(32), context);
      for (const other of [`${context} `, context.slice(0, -1), context.toUpperCase()]) {
        await refused(wrapped, { context: other });
      }
    });

    test('what another key wrapped is refused', async () => {
      await refused(await open(1).wrap(randomBytes(32), context), { by: open(2) });
    });

    test('what was changed in any byte, shortened or made longer is refused', async () => {
      const by = open(1);
      const wrapped = await by.wrap(randomBytes(32), context);
      const place = fc.integer({ min: 0, max: wrapped.length - 1 });
      await fc.assert(
        fc.asyncProperty(place, fc.integer({ min: 1, max: 255 }), async (at, change) => {
          const changed = Buffer.from(wrapped);
          changed.writeUInt8(changed.readUInt8(at) ^ change, at);
          await refused(changed, { by });
          await refused(wrapped.subarray(0, at), { by });
        }),
      );
      await refused(Buffer.concat([wrapped, Buffer.alloc(1)]), { by });
    });

    test('a refusal names the key encryption, and tells nothing of the key', async () => {
      const [key, by] = [randomBytes(32), open(1)];
      const wrapped = await by.wrap(key, context);
      const refusal: unknown = await by.unwrap(wrapped, 'another').catch((error: unknown) => error);
      expect(refusal).toBeInstanceOf(KeyEncryptionFailed);
      expect(String(refusal)).toContain(by.id);
      expectNothingOf(key, refusal);
    });
  });
}

/** Of the error, its causes and all that belongs to them. */
export function expectNothingOf(key: Buffer, error: unknown): void {
  const everything = inspect(error, { depth: null, maxStringLength: null, maxArrayLength: null });
  for (const encoding of ['hex', 'base64', 'base64url', 'latin1'] as const) {
    expect(everything).not.toContain(key.subarray(0, 6).toString(encoding));
  }
}
