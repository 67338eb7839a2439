import { RevokeTokenRequestSchema } from '@touchstone/contracts';
import { isPlain, requireReadAlike } from '@touchstone/service-kit/test-plain';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readPlainRequest } from './read-plain.ts';

const id = `tok_${'a'.repeat(26)}`;
const text = fc.oneof(
  fc.string({ unit: fc.constantFrom(...'abz019_- '), maxLength: 40 }),
  fc.string({ unit: 'binary', maxLength: 10 }),
  fc.constantFrom(id, 't'.repeat(512), 't'.repeat(513), 't'.repeat(8192), 't'.repeat(8193)),
);
const tokenOrId = fc.oneof(
  text.map((value) => ({ case: 'token' as const, value })),
  text.map((value) => ({ case: 'tokenId' as const, value })),
  fc.constant({ case: undefined }),
);

test('a plain request is read as any message is', () => {
  requireReadAlike(RevokeTokenRequestSchema, readPlainRequest, fc.record({ tokenOrId, reason: text }));
});

test('a token, or its id, is plain, with a reason or without one', () => {
  for (const tokenOrId of [{ case: 'token', value: 'tks_1' } as const, { case: 'tokenId', value: id } as const]) {
    for (const reason of ['', 'found in a log']) {
      expect(isPlain(RevokeTokenRequestSchema, readPlainRequest, { tokenOrId, reason })).toBe(true);
    }
  }
});
