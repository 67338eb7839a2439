import type { Chain, Revocation, RevocationReader } from '@touchstone/core';
import type { Database, Row } from './database.ts';
import { millisecondsOf } from './instants.ts';

export const revocationColumns = `
  v.revocation_id, v.revision, r.hash, v.target_kind, v.target_key, v.tenant_id, v.ceiling, v.include_credentials,
  v.reason, v.actor_kind, v.actor_name, v.actor_credential_id, v.idempotency_key, v.request_text,
  ${millisecondsOf('v.recorded_at')}, v.mac`;

/** Null where the row was not written under our key. */
export function revocationOf(row: Row, chain: Chain): Revocation | null {
  const revocation: Revocation = {
    revocationId: row[0] as string,
    head: { revision: row[1] as number, hash: row[2] as string },
    target: { kind: row[3], key: row[4] } as Revocation['target'],
    tenantId: row[5] as string | null,
    ceiling: row[6] as number | null,
    includeCredentials: row[7] as boolean,
    reason: row[8] as string,
    actor: { kind: row[9], name: row[10], credentialId: row[11] } as Revocation['actor'],
    idempotencyKey: row[12] as string | null,
    requestText: row[13] as string,
    recordedAt: row[14] as number,
  };
  return chain.sealRevocation(textOf(revocation)) === row[15] ? revocation : null;
}

const textOf = (one: Revocation): string =>
  JSON.stringify([
    // By the hash, too: a row of another history under the same number says nothing of this one.
    [one.revocationId, one.head.revision, one.head.hash, one.target.kind, one.target.key, one.tenantId, one.ceiling],
    [one.includeCredentials, one.reason, one.actor.kind, one.actor.name, one.actor.credentialId],
    [one.idempotencyKey, one.requestText, one.recordedAt],
  ]);

/** The revocation as an object for json_to_recordset, as `revocationFields` declares it. */
export function revocationFieldsOf(revocation: Revocation, chain: Chain): Record<string, unknown> {
  const { target, actor } = revocation;
  return {
    revocation_id: revocation.revocationId,
    target_kind: target.kind,
    target_key: target.key,
    tenant_id: revocation.tenantId,
    ceiling: revocation.ceiling,
    include_credentials: revocation.includeCredentials,
    reason: revocation.reason,
    actor_kind: actor.kind,
    actor_name: actor.name,
    actor_credential_id: actor.credentialId,
    idempotency_key: revocation.idempotencyKey,
    request_text: revocation.requestText,
    mac: chain.sealRevocation(textOf(revocation)),
  };
}

/** All but the revision, and its time: these are the same for all that it holds. */
export const revocationInsertColumns = `
  revocation_id, target_kind, target_key, tenant_id, ceiling, include_credentials, reason, actor_kind, actor_name,
  actor_credential_id, idempotency_key, request_text, mac`;

export const revocationFields = `
  revocation_id text, target_kind text, target_key text, tenant_id text, ceiling bigint, include_credentials boolean,
  reason text, actor_kind text, actor_name text, actor_credential_id text, idempotency_key text, request_text text,
  mac text`;

/** Revocations by their id. */
export function revocationReader(database: Database, chain: Chain): RevocationReader {
  const text = `select ${revocationColumns} from revocation v join revision r using (revision) where v.revocation_id = $1`;
  return {
    async find(revocationId, tenantIds) {
      const [row] = await database.of(tenantIds).query({ name: 'revocation', text, values: [revocationId] });
      return row ? revocationOf(row, chain) : null;
    },
  };
}
