import type { Ancestor, NewTokenRecord, TokenRecord, Usage, WrappedKey } from '@touchstone/core';
import { instantText } from './instants.ts';

/** Makes the record out of what `token_<day>_records` tells of it: text that is parsed at once costs a third of a value for each column. */
export function recordOf(values: readonly unknown[]): TokenRecord {
  return {
    key: { partition: values[0] as number, key: (values[1] as string).replaceAll('-', '') },
    tokenClass: values[2] as TokenRecord['tokenClass'],
    tenantId: values[3] as string,
    appId: values[4] as string | null,
    userHandle: values[5] as string | null,
    consentId: values[6] as string | null,
    audience: values[7] as string,
    scopes: values[8] as string[],
    usage: values[9] as Usage | null,
    method: values[10] as TokenRecord['method'],
    signingKeyId: values[11] as string | null,
    policyVersion: values[12] as number,
    confirmation: values[13] as string | null,
    lineage: (values[14] as Ancestor[] | null) ?? [],
    sequence: values[15] as number,
    issuedAt: values[16] as number,
    expiresAt: values[17] as number,
    sealKeyId: values[18] as number,
    sealed: Buffer.from(values[19] as string, 'hex'),
    consentKey: consentKeyOf(values[20] as [string, string] | null),
  };
}

const consentKeyOf = (key: [string, string] | null): WrappedKey | null =>
  key && { dataKeyId: key[0], wrapped: Buffer.from(key[1], 'hex') };

/** The record as an object for json_to_recordset: names and types as `recordFields` declares them. What is null is left out. */
export function fieldsOf(record: NewTokenRecord): Record<string, unknown> {
  return {
    expiry_day: record.key.partition,
    id: record.key.key,
    token_class: record.tokenClass,
    tenant_id: record.tenantId,
    app_id: record.appId ?? undefined,
    user_handle: record.userHandle ?? undefined,
    consent_id: record.consentId ?? undefined,
    audience: record.audience,
    scopes: record.scopes,
    usage: record.usage ?? undefined,
    method: record.method,
    signing_key_id: record.signingKeyId ?? undefined,
    policy_version: record.policyVersion,
    confirmation: record.confirmation ?? undefined,
    lineage: record.lineage.length > 0 ? record.lineage : undefined,
    sequence: record.sequence,
    issued_at: instantText(record.issuedAt),
    expires_at: instantText(record.expiresAt),
    token_hash: `\\x${record.tokenHash}`,
    tag_key_id: record.tagKeyId,
    seal_key_id: record.sealKeyId,
    sealed: `\\x${record.sealed.toString('hex')}`,
    drawn_on: record.drawnOn,
  };
}

export const insertColumns = `
  expiry_day, id, token_class, tenant_id, app_id, user_handle, consent_id, audience, scopes, usage, method,
  signing_key_id, policy_version, confirmation, lineage, sequence, issued_at, expires_at, token_hash, tag_key_id,
  seal_key_id, sealed`;

export const recordFields = `
  expiry_day int, id uuid, token_class text, tenant_id text, app_id text, user_handle text, consent_id text,
  audience text, scopes text[], usage text, method text, signing_key_id text, policy_version bigint, confirmation text,
  lineage jsonb, sequence bigint, issued_at timestamptz, expires_at timestamptz, token_hash bytea, tag_key_id smallint,
  seal_key_id smallint, sealed bytea, drawn_on text`;

/** Of token_sequence, the highest that has been drawn. A fresh one says 1 before its first number has been drawn. */
export const lastDrawn = 'case when is_called then last_value else last_value - 1 end';

/** How long before it is stored the sequence of a token may have been drawn: by the database's clock. */
export const drawnSecondsMax = 8;
