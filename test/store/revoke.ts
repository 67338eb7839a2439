import { type NewTokenRecord, type Revocation, type RevocationIntent, tokenIdOf } from '@touchstone/core';
import type { TestDatabase } from '../harness/database.ts';
import { actor } from './minted.ts';

type Store = Pick<TestDatabase, 'revocations'>;

const intent: Omit<RevocationIntent, 'revocationId' | 'target' | 'cuts'> = {
  tenantId: null,
  reach: 'issued',
  disables: null,
  includeCredentials: false,
  sparedTokenId: null,
  reason: '',
  actor,
  idempotencyKey: null,
};

/** Revokes every token there is, as a revocation of this name. */
export function revokeAll({ revocations }: Store, name: string): Promise<Revocation> {
  const target = { kind: 'all', key: '' } as const;
  const cuts = [{ ...target, tokenClass: 'token' }] as const;
  return revocations.write({ ...intent, revocationId: name, idempotencyKey: name, target, cuts });
}

/** Revokes one token. @param over what is otherwise than usual. */
export const revokeOne = (
  { revocations }: Store,
  token: Pick<NewTokenRecord, 'key' | 'tenantId'>,
  over: Partial<RevocationIntent> = {},
): Promise<Revocation> => revocations.write(intentOfOne(token, over));

/** That one token is to be revoked. */
export function intentOfOne(
  { key, tenantId }: Pick<NewTokenRecord, 'key' | 'tenantId'>,
  over: Partial<RevocationIntent> = {},
): RevocationIntent {
  const target = { kind: 'token', key: tokenIdOf(key) } as const;
  const cuts = [{ ...target, tokenClass: 'token' }] as const;
  return { ...intent, revocationId: target.key, tenantId, target, cuts, reach: 'forever', ...over };
}
