import { expect, test } from 'vitest';
import { platformTenantId } from '../access/home.ts';
import { RevocationUnknown } from '../errors.ts';
import { actOf } from '../test-act.ts';
import { getRevocation } from './get-revocation.ts';
import type { Revocation } from './ports.ts';

const revocation: Revocation = {
  revocationId: 'rvk_1',
  head: { revision: 1, hash: '' },
  target: { kind: 'token', key: 'tok_1' },
  tenantId: platformTenantId,
  ceiling: null,
  includeCredentials: true,
  reason: '',
  actor: { kind: 'operator', name: 'ops', credentialId: 'tok_0' },
  requestText: '',
  idempotencyKey: null,
  recordedAt: 0,
};
const progress = { isPublished: true, completeAt: null, validators: [] };

const get = (scopes: readonly string[], tenantIds: readonly string[] = ['t1']) =>
  getRevocation(actOf({ kind: 'operator', scopes, tenantIds }), 'rvk_1', {
    revocations: { find: async (_, seen) => (seen.includes(revocation.tenantId as string) ? revocation : null) },
    census: { progressOf: async () => progress },
  });

test('who may revoke what is at home in no tenant sees that it was, and nobody else', async () => {
  expect(await get(['tokens:revoke', 'tokens:revoke_all'])).toEqual({ revocation, progress });
  for (const scopes of [['tokens:revoke'], ['tokens:revoke_all'], []]) {
    await expect(get(scopes)).rejects.toThrow(RevocationUnknown);
  }
  await expect(get(['tokens:revoke'], [platformTenantId])).rejects.toThrow(RevocationUnknown);
});
