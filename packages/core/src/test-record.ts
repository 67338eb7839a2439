import type { Ancestor, TokenRecord } from './tokens/token-record.ts';
import { isFor, type WantedRecord } from './validate/ports.ts';

/** Data for tests: a record of an ordinary token. */
export const record = (over: Partial<TokenRecord> = {}): TokenRecord => ({
  key: { partition: 1, key: '0'.repeat(32) },
  tokenClass: 'token',
  tenantId: 't1',
  appId: 'a1',
  userHandle: 'u1',
  consentId: null,
  audience: 's1',
  scopes: ['read'],
  usage: 'test',
  method: 'reference',
  signingKeyId: null,
  policyVersion: 1,
  confirmation: null,
  lineage: [],
  sequence: 1,
  issuedAt: 0,
  expiresAt: 1_000,
  sealKeyId: 1,
  sealed: Buffer.alloc(0),
  ...over,
});

/** What a token keeps of one that it was derived from. */
export const ancestor = (over: Partial<Ancestor> = {}): Ancestor => ({
  tokenId: 'tok_parent',
  sequence: 1,
  tenantId: 't1',
  appId: 'a1',
  userHandle: 'u1',
  consentId: null,
  audience: 's1',
  signingKeyId: null,
  expiresAt: 1_000,
  ...over,
});

/** What a database that holds these tells of those that are wanted. */
export const recordsIn = (
  stored: ReadonlyMap<string, TokenRecord>,
  wanted: readonly WantedRecord[],
): (TokenRecord | null)[] =>
  wanted.map((one) => {
    const found = stored.get(one.key.key);
    return found?.key.partition === one.key.partition && isFor(one, found) ? found : null;
  });
