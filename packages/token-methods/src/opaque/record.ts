import { hash } from 'node:crypto';
import {
  type Authorisation,
  authorisationBytes,
  type NewTokenRecord,
  type Opened,
  type TokenMethodName,
  type TokenRecord,
} from '@touchstone/core';
import { currentKeyId } from '../keys/key-ring.ts';
import { seal, unseal } from './seal.ts';

/**
 * The record of a new token. The seal binds the deciding columns, whatever else it hides.
 *
 * @param key 32 bytes, the token's own.
 */
export function sealedRecord(
  authorisation: Authorisation & Pick<NewTokenRecord, 'drawnOn'>,
  token: string,
  key: Uint8Array,
  hidden: readonly unknown[],
): NewTokenRecord {
  return {
    ...authorisation,
    tokenHash: hash('sha256', token),
    tagKeyId: currentKeyId,
    sealKeyId: currentKeyId,
    sealed: seal(key, hidden, authorisationBytes(authorisation)),
  };
}

/** What the seal of a record hides; null where the record is not what it was, or another method's. */
export const openRecord = (method: TokenMethodName, record: TokenRecord, key: Uint8Array): unknown[] | null =>
  record.method === method && record.sealKeyId === currentKeyId
    ? unseal(key, record.sealed, authorisationBytes(record))
    : null;

/** Stands for a string: what the record of a token that tells all by itself hides, so that no other is taken for it. */
export const hashOfString = (token: string): string => hash('sha256', token, 'base64url');

/**
 * What the record hides beside that; null where it is not that of this very string, or has been changed.
 * @param hashed `hashOfString` of it.
 */
export function openRecordOf(
  hashed: string,
  method: TokenMethodName,
  record: TokenRecord,
  key: Uint8Array,
): unknown[] | null {
  const [string, ...hidden] = openRecord(method, record, key) ?? [];
  return string === hashed ? hidden : null;
}

/** What a token said of its user, and what its record allows. */
export const openedAs = (
  said: Pick<Opened, 'userId' | 'claims' | 'actors'>,
  { scopes, expiresAt }: TokenRecord,
): Opened => ({ ...said, principal: null, scopes, expiresAt, requests: [] });
