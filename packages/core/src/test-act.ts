import type { Act, Caller } from './access/act.ts';

/** An act of a caller: unless it is said otherwise, of tenant t1's resource server s1. */
export const actOf = (over: Partial<Caller> = {}): Act => ({
  caller: {
    kind: 'resource_server',
    name: 's1',
    tenantIds: ['t1'],
    scopes: ['tokens:validate'],
    credentialId: 'tok_caller',
    credentialExpiresAt: 1_000_000,
    ...over,
  },
  peer: '127.0.0.1',
  traceId: '0'.repeat(32),
});
