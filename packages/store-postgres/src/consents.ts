import {
  type AppGrant,
  type AuditCodec,
  type AuditEvent,
  type Consent,
  type ConsentAsOf,
  type ConsentStore,
  Disabled,
  gather,
  inTurnOfEach,
  type Mac,
  type NewConsent,
  type WrappedKey,
} from '@touchstone/core';
import { insertEvents } from './audit-writer.ts';
import type { Database, Query, Row } from './database.ts';
import { millisecondsOf } from './instants.ts';
import { OutboxWriter } from './outbox-rows.ts';

const columns = `
  c.consent_id, c.tenant_id, c.app_id, c.user_handle, c.grants, ${millisecondsOf('c.recorded_at')},
  ${millisecondsOf('c.expires_at')}, c.mac, c.disabled_revision is not null, ${millisecondsOf('clock_timestamp()')}`;

const findStatement = `select ${columns} from consent c where c.consent_id = $1`;
// As for watermarks, `limit` holds the planner to the index.
const findWithKeysStatement = `
  select v.* from unnest($1::text[]) as w (consent_id) cross join lateral (
    select ${columns}, k.data_key_id, k.wrapped from consent c left join consent_key k using (consent_id)
     where c.consent_id = w.consent_id limit 1) as v`;
const findByKeyStatement = `select ${columns} from consent c where c.tenant_id = $1 and c.idempotency_key = $2`;

interface Recording {
  readonly consent: NewConsent;
  readonly event: AuditEvent;
}

interface Wanted {
  readonly consentId: string;
  readonly tenantId: string;
}

const tenantOf = ({ consent }: Recording): string => consent.tenantId;

type ConsentWithKey = ConsentAsOf & { readonly key: WrappedKey | null };

export interface ConsentStoreOptions {
  readonly mac: Mac;
  readonly codec: AuditCodec;
  readonly instanceId: string;
}

/** Consents, and their keys. */
export function consentStore(database: Database, { mac, codec, instanceId }: ConsentStoreOptions): ConsentStore {
  const writer = new OutboxWriter(instanceId, codec);

  // One at a time, for the sake of the events' count.
  const record = inTurnOfEach(tenantOf, async ({ consent, event }: Recording): Promise<ConsentAsOf> => {
    const { recorded } = await writer.writing(() =>
      database.of([consent.tenantId]).transaction(async (query) => {
        const inserted = await insert(query, consent, mac);
        if (inserted) await insertEvents(query, writer, [event], Date.now());
        const found = await findByKey(query, consent, mac);
        if (!found) throw new Disabled('tenant');
        return { recorded: found, written: inserted ? 1 : 0 };
      }),
    );
    return recorded;
  });

  async function findWithKeys(wanted: readonly Wanted[]): Promise<(ConsentWithKey | null)[]> {
    const tenants = new Set(wanted.map(({ tenantId }) => tenantId));
    const ids = new Set(wanted.map(({ consentId }) => consentId));
    const statement = { name: 'consents and keys', text: findWithKeysStatement, values: [[...ids]] };
    const rows = await database.of([...tenants]).query(statement);
    const found = new Map(rows.map((row) => [row[0] as string, withKeyOf(row, mac)]));
    return wanted.map(({ consentId, tenantId }) => {
      const one = found.get(consentId);
      // Another of the same batch may have wanted it for another tenant.
      return one?.consent.tenantId === tenantId ? one : null;
    });
  }
  const findWithKey = gather(
    findWithKeys,
    { batchMax: 250, lanes: 2, waitingMax: 20_000 },
    { keyOf: ({ tenantId }) => tenantId },
  );

  return {
    ...consentReader(database, mac),

    findWithKey: (consentId, tenantId) => findWithKey({ consentId, tenantId }),

    findByKey: (tenantId, idempotencyKey) =>
      findByKey(database.of([tenantId]).query, { tenantId, idempotencyKey }, mac),

    record: (consent, event) => record({ consent, event }),
  };
}

async function findByKey(
  query: Query,
  { tenantId, idempotencyKey }: Pick<NewConsent, 'tenantId' | 'idempotencyKey'>,
  mac: Mac,
): Promise<ConsentAsOf | null> {
  const values = [tenantId, idempotencyKey];
  const [row] = await query({ name: 'consent by key', text: findByKeyStatement, values });
  return row ? consentOf(row, mac) : null;
}

/** Consents by their id, and by their user. */
export function consentReader(database: Database, mac: Mac): Pick<ConsentStore, 'find' | 'list'> {
  return {
    async find(consentId, tenantIds) {
      const [row] = await database.of(tenantIds).query({ name: 'consent', text: findStatement, values: [consentId] });
      return row ? consentOf(row, mac) : null;
    },

    async list(tenantId, userHandle, after, limit) {
      const rows = await database.of([tenantId]).query({
        name: 'consents of a user',
        text: `select ${columns} from consent c
                where c.user_handle = $1
                  and ($2 = '' or (c.recorded_at, c.consent_id) < (select a.recorded_at, a.consent_id from consent a where a.consent_id = $2))
                order by c.recorded_at desc, c.consent_id desc limit $3`,
        values: [userHandle, after, limit + 1],
      });
      const page = rows.slice(0, limit);
      const consents = page.map((row) => consentOf(row, mac)).filter((consent) => consent !== null);
      // By what is there, not by what was written under our key: else one that was not would end the list.
      return { consents, next: rows.length > limit ? ((page.at(-1)?.[0] as string) ?? null) : null };
    },
  };
}

/** False where the idempotency key has been used, or the tenant has ended: all of it may be erased by now. */
async function insert(query: Query, wanted: NewConsent, mac: Mac): Promise<boolean> {
  const [[now]] = (await query({ text: `select ${millisecondsOf('now()')}` })) as [[number]];
  const consent: Consent = { ...wanted, recordedAt: now, expiresAt: now + wanted.ttl * 1_000 };
  const rows = await query({
    text: `insert into consent (consent_id, tenant_id, app_id, user_handle, grants, recorded_at, expires_at, idempotency_key, mac)
           select $1, $2, $3, $4, $5, $6, $7, $8, $9
             from tenant t where t.tenant_id = $2 and t.disabled_revision is null
           on conflict (tenant_id, idempotency_key) do nothing returning consent_id`,
    values: [
      consent.consentId,
      consent.tenantId,
      consent.appId,
      consent.userHandle,
      JSON.stringify(consent.grants),
      new Date(consent.recordedAt),
      new Date(consent.expiresAt),
      wanted.idempotencyKey,
      macOf(consent, mac),
    ],
  });
  if (rows.length === 0) return false;
  await query({
    text: 'insert into consent_key (consent_id, data_key_id, wrapped) values ($1, $2, $3)',
    values: [consent.consentId, wanted.key.dataKeyId, wanted.key.wrapped],
  });
  return true;
}

/** Null where the consent was not written under our key. */
function consentOf(row: Row, mac: Mac): ConsentAsOf | null {
  const [consentId, tenantId, appId, userHandle, grants, recordedAt, expiresAt, storedMac, isWithdrawn, now] = row;
  const consent = { consentId, tenantId, appId, userHandle, grants, recordedAt, expiresAt } as Consent;
  return macOf(consent, mac) === storedMac
    ? { consent, isWithdrawn: isWithdrawn as boolean, now: now as number }
    : null;
}

function withKeyOf(row: Row, mac: Mac): ConsentWithKey | null {
  const found = consentOf(row, mac);
  const [dataKeyId, wrapped] = row.slice(-2) as [string | null, Buffer];
  return found && { ...found, key: dataKeyId === null ? null : { dataKeyId, wrapped } };
}

const macOf = (consent: Consent, mac: Mac): string =>
  mac(
    'consent',
    JSON.stringify([
      [consent.consentId, consent.tenantId, consent.appId, consent.userHandle],
      consent.grants.map(({ audience, scopes }: AppGrant) => [audience, scopes]),
      [consent.recordedAt, consent.expiresAt],
    ]),
  );
