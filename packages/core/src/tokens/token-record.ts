import type { WrappedKey } from '../keys/ports.ts';
import { type TokenKey, tokenIdOf } from './token-key.ts';

/** Tokens that apps hold, or the credentials of Touchstone's own callers. */
export type TokenClass = 'token' | 'credential';
export type TokenMethodName = 'reference' | 'encrypted' | 'consent_key' | 'signed' | 'split' | 'attenuable';
export type Usage = 'interactive' | 'batch' | 'automation' | 'test';

/** A token that this one was derived from, as far as it decides about this one: both end together. */
export interface Ancestor {
  readonly tokenId: string;
  readonly sequence: number;
  readonly tenantId: string;
  readonly appId: string | null;
  readonly userHandle: string | null;
  readonly consentId: string | null;
  readonly audience: string;
  readonly signingKeyId: string | null;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

/** The most tokens that one can have been derived from, one after the other. */
export const ancestorsMax = 4;

/** What decides about a token: whatever of it is changed in the database, the token is refused from then on. */
export interface Authorisation {
  readonly key: TokenKey;
  readonly tokenClass: TokenClass;
  readonly tenantId: string;
  /** The app that holds it; null for the credentials of others. */
  readonly appId: string | null;
  /** A keyed hash that stands for the user; null without one. */
  readonly userHandle: string | null;
  readonly consentId: string | null;
  readonly audience: string;
  /** At least one. */
  readonly scopes: readonly string[];
  /** Null for credentials. */
  readonly usage: Usage | null;
  readonly method: TokenMethodName;
  readonly signingKeyId: string | null;
  /** The version of the tenant's registry that it was issued under. */
  readonly policyVersion: number;
  /** What its holder must prove to have (RFC 7800), as JSON; null: nothing. */
  readonly confirmation: string | null;
  /** Nearest first; at most `ancestorsMax`. */
  readonly lineage: readonly Ancestor[];
  /** The number that the database gave it. */
  readonly sequence: number;
  /** Milliseconds since 1970, by the database's clock. */
  readonly issuedAt: number;
  /** Milliseconds since 1970: from this instant on it is refused. */
  readonly expiresAt: number;
}

/** What is read of a token's row, whatever its method. */
export interface TokenRecord extends Authorisation {
  readonly sealKeyId: number;
  /** What only the token's string and the service's key open together. */
  readonly sealed: Buffer;
  /** The key of its consent, where it was made under one and that is still there. */
  readonly consentKey?: WrappedKey | null;
}

/** A row as it is written. */
export interface NewTokenRecord extends TokenRecord {
  /** SHA-256 of the string handed out, in hexadecimal digits, so that leaked hashes can be matched. */
  readonly tokenHash: string;
  readonly tagKeyId: number;
  /** The server that its sequence was drawn on: it is written there, or not at all. */
  readonly drawnOn: string;
}

/** The record's deciding columns as bytes, the same for the same columns and for no others. */
export function authorisationBytes(record: Authorisation): Buffer {
  return Buffer.from(
    JSON.stringify([
      record.key.partition,
      record.key.key,
      record.tokenClass,
      record.tenantId,
      record.appId,
      record.userHandle,
      record.consentId,
      record.audience,
      record.scopes,
      record.usage,
      record.method,
      record.signingKeyId,
      record.policyVersion,
      record.confirmation,
      record.lineage.map((a) => [
        a.tokenId,
        a.sequence,
        a.tenantId,
        a.appId,
        a.userHandle,
        a.consentId,
        a.audience,
        a.signingKeyId,
        a.expiresAt,
      ]),
      record.sequence,
      record.issuedAt,
      record.expiresAt,
    ]),
  );
}

const nothing = Buffer.alloc(0);

/** What may be kept of a record that has been opened: each piece that was sealed is of a buffer of many. */
export const withoutSealed = (record: TokenRecord): TokenRecord => ({ ...record, sealed: nothing, consentKey: null });

/** The record's name in logs and on the audit trail. */
export const idOf = (record: Authorisation): string => tokenIdOf(record.key);
