import type { AuditEvent, NewTokenRecord, TokenRecord, WantedRecord } from '@touchstone/core';
import type { TestDatabase } from '../harness/database.ts';

/** Who does it all. */
export const actor = { kind: 'operator', name: 'op', credentialId: 'tok_x', peer: '', traceId: '' } as const;

/** A token's record, ready to be stored. */
export async function mint(
  { tokens, method }: Pick<TestDatabase, 'tokens' | 'method'>,
  over: Partial<NewTokenRecord> = {},
  lifeMilliseconds = 60_000,
): Promise<NewTokenRecord> {
  const { sequence, now, server } = await tokens.draw(over.tenantId ?? 'acme');
  const draft = {
    tokenClass: 'token',
    tenantId: 'acme',
    appId: 'app',
    userHandle: 'handle',
    consentId: null,
    audience: 'orders',
    scopes: ['read'],
    usage: 'test',
    policyVersion: 0,
    confirmation: null,
    lineage: [],
    sequence,
    drawnOn: server,
    issuedAt: now,
    expiresAt: now + lifeMilliseconds,
  } as const;
  return { ...method.mint(draft, { userId: 'ada', claims: {}, principal: null }).record, ...over };
}

/** The record, as its own tenant asks for it. */
export const wanted = ({ key, tenantId }: NewTokenRecord): WantedRecord => ({ key, tenantIds: [tenantId] });

/** The event that goes with the storing of a record. */
export const issuedEvent = (record: NewTokenRecord): AuditEvent => ({
  tenantId: record.tenantId,
  actor,
  act: { type: 'token_issued', record, credentialFor: '' },
});

/** What comes back of a row that was written. */
export const asRead = ({ tokenHash: _hash, tagKeyId: _key, drawnOn: _on, ...read }: NewTokenRecord): TokenRecord => ({
  ...read,
  consentKey: null,
});
