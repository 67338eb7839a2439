import type { PublicSigningKey, Rotated, SigningKey } from '@touchstone/core';
import { expect, test } from 'vitest';
import { testDataKeys } from '../test-keys.ts';
import { rotateDue } from './signing-keys.ts';

test('of what is due, no key is made for a tenant whose active key is another by now, or none', async () => {
  const due = ['acme', 'other', 'third'].map((tenantId) => ({ tenantId, keyId: tenantId, algorithm: 'EdDSA' }));
  const replaced: string[] = [];
  const store = {
    listDue: async () => due as unknown as PublicSigningKey[],
    active: async (tenantId: string) =>
      tenantId === 'third' ? null : ({ keyId: tenantId === 'acme' ? 'acme' : 'younger' } as SigningKey),
    rotate: async ({ replaces }: { readonly replaces?: string | null }) => {
      replaced.push(String(replaces));
      return {} as Rotated;
    },
  };
  expect(await rotateDue(store, testDataKeys(Buffer.alloc(32)), 1, () => false)).toBe(1);
  expect(replaced).toEqual(['acme']);
});
