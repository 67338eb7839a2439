import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hmac } from './hmac.ts';

test.each(['sha256', 'sha512'] as const)('is HMAC with %s for keys and messages of any length', (algorithm) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.uint8Array({ maxLength: 300 }), (key, message) => {
      expect(hmac(algorithm, key)(message)).toEqual(createHmac(algorithm, key).update(message).digest());
    }),
  );
});
