import { describe, expect, test } from 'vitest';
import { signingKeyIdOf } from './presented.ts';

describe('the key that signed a token', () => {
  test('is told by a signed one, and by the records of those that hide it', () => {
    const header = Buffer.from('{"alg":"EdDSA","kid":"k"}').toString('base64url');
    expect(signingKeyIdOf(`${header}.payload.signature`, { method: 'signed' })).toBe('k');
    for (const method of ['encrypted', 'split'] as const) expect(signingKeyIdOf('tks_', { method })).toBe('');
    for (const method of ['reference', 'consent_key', 'attenuable'] as const) {
      expect(signingKeyIdOf('tks_', { method })).toBeNull();
    }
  });
});
