import type { Revocation } from '@touchstone/core';
import type { TestDatabase } from '../harness/database.ts';
import { actor } from './minted.ts';

/** Revokes every token there is, as a revocation of this name. */
export const revokeAll = ({ revocations }: Pick<TestDatabase, 'revocations'>, name: string): Promise<Revocation> =>
  revocations.write({
    revocationId: name,
    target: { kind: 'all', key: '' },
    tenantId: null,
    cuts: [{ kind: 'all', key: '', tokenClass: 'token' }],
    reach: 'issued',
    token: null,
    disables: null,
    includeCredentials: false,
    sparedTokenId: null,
    reason: '',
    actor,
    idempotencyKey: name,
  });
