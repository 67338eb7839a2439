import {
  type AuditCodec,
  type AuditEvent,
  Disabled,
  inTurnOfEach,
  type Mac,
  type NewSigningKey,
  type PublicKeyReader,
  type PublicSigningKey,
  platformTtlMax,
  publishedKeysMax,
  publishedKeysMaxAge,
  type Rotated,
  type Rotation,
  type SigningKey,
  type SigningKeyStore,
  TooManySigningKeys,
} from '@touchstone/core';
import { insertEvents } from './audit-writer.ts';
import type { ActingFor, Database, Query, Row } from './database.ts';
import { millisecondsOf } from './instants.ts';
import { OutboxWriter } from './outbox-rows.ts';
import { versionRaised } from './registry.ts';

const publicColumns = `
  k.signing_key_id, k.tenant_id, k.algorithm, k.public_jwk, case when k.disabled_revision is null then k.state else 'revoked' end,
  ${millisecondsOf('k.created_at')}, ${millisecondsOf('k.activated_at')}, ${millisecondsOf('k.retired_at')}, k.mac`;

/** Those that verifiers need to know; the first parameter is for how many seconds they do once one has been retired. */
const isPublished = `
  k.disabled_revision is null and (k.retired_at is null or k.retired_at > now() - $1 * interval '1 second')`;

/** A next key that verifiers may not know yet. Caches on their way may remember the keys for as long as they do. */
const isUnknown = `
  k.state = 'next' and k.disabled_revision is null
  and k.created_at > now() - interval '${2 * publishedKeysMaxAge} seconds'`;

/** The public halves of signing keys. */
export function publicKeyReader(database: Database, mac: Mac): PublicKeyReader {
  const text = `select ${publicColumns} from signing_key k where k.signing_key_id = $1`;
  return {
    async findPublic(keyId, tenantIds) {
      const [row] = await database.of(tenantIds).query({ name: 'public key', text, values: [keyId] });
      return row ? publicKeyOf(row, mac) : null;
    },
  };
}

interface Wanted {
  readonly rotation: Rotation;
  readonly eventOf: (keyId: string) => AuditEvent;
}

const tenantOf = ({ rotation }: Wanted): string => rotation.tenantId;

export interface SigningKeyStoreOptions {
  readonly mac: Mac;
  readonly codec: AuditCodec;
  readonly instanceId: string;
  /** Of a key that is alive by its row, whether it is dead all the same. */
  isDead(key: PublicSigningKey): boolean;
}

/** Signing keys, the private halves wrapped. */
export function signingKeyStore(
  database: Database,
  { mac, codec, instanceId, isDead }: SigningKeyStoreOptions,
): SigningKeyStore {
  const writer = new OutboxWriter(instanceId, codec);

  async function list(of: ActingFor, where: string, values: readonly unknown[]): Promise<PublicSigningKey[]> {
    const text = `select ${publicColumns} from signing_key k where ${where} order by k.created_at desc, k.signing_key_id`;
    const rows = await database.of(of).query({ text, values });
    return rows.map((row) => publicKeyOf(row, mac)).filter((key) => key !== null);
  }

  // One at a time, for the sake of the events' count.
  const rotate = inTurnOfEach(tenantOf, async ({ rotation, eventOf }: Wanted): Promise<Rotated> => {
    const { tenantId, replaces, pair } = rotation;
    const { rotated } = await writer.writing(() =>
      database.of([tenantId]).transaction(async (query) => {
        // Who rotates at the same time waits here. What was asked for before the tenant ended would sign for it for ever.
        const text = 'select disabled_revision from tenant where tenant_id = $1 for no key update';
        const [tenant] = await query({ text, values: [tenantId] });
        if (tenant?.[0] !== null) throw new Disabled('tenant');
        if (replaces === undefined) await requireFewPublished(query, tenantId);
        const { active, next } = await currentKeys(query, tenantId, mac);
        if (!next) await insert(query, pair[1], 'next', mac);
        const isReplaced = async (key: PublicSigningKey) =>
          key.keyId === replaces && (isDead(key) || (await isNextKnown(query, tenantId)));
        if (replaces !== undefined && active && !(await isReplaced(active))) {
          return { rotated: (await currentKeys(query, tenantId, mac)) as Rotated, written: 0 };
        }
        await retire(query, tenantId);
        await activate(query, tenantId);
        await insert(query, pair[0], 'next', mac);
        await query({ text: `update tenant set ${versionRaised} where tenant_id = $1`, values: [tenantId] });
        const rotated = (await currentKeys(query, tenantId, mac)) as Rotated;
        await insertEvents(query, writer, [eventOf(rotated.active.keyId)], Date.now());
        return { rotated, written: 1 };
      }),
    );
    return rotated;
  });

  return {
    ...publicKeyReader(database, mac),

    async active(tenantId) {
      const text = `select ${publicColumns}, k.data_key_id, k.wrapped from signing_key k
                     where k.tenant_id = $1 and k.state = 'active' and k.disabled_revision is null`;
      const [row] = await database.of([tenantId]).query({ name: 'active key', text, values: [tenantId] });
      const key = row ? publicKeyOf(row, mac) : null;
      const [dataKeyId, wrapped] = (row?.slice(-2) ?? []) as [string, Buffer];
      return key && ({ ...key, privateKey: { dataKeyId, wrapped } } satisfies SigningKey);
    },

    listPublic: (tenantId) => list([tenantId], 'k.tenant_id = $1', [tenantId]),

    listPublished: () => list('*', isPublished, [platformTtlMax]),

    listDue: (milliseconds) =>
      list(
        '*',
        `k.state = 'active' and k.disabled_revision is null and k.activated_at < now() - $1 * interval '1 millisecond'
         and k.tenant_id not in (select k.tenant_id from signing_key k where ${isUnknown})`,
        [milliseconds],
      ),

    rotate: (rotation, eventOf) => rotate({ rotation, eventOf }),
  };
}

/** All verifiers read the keys of all tenants. @throws TooManySigningKeys */
async function requireFewPublished(query: Query, tenantId: string): Promise<void> {
  const text = `select count(*) from signing_key k where ${isPublished} and k.tenant_id = $2`;
  const [[published]] = (await query({ text, values: [platformTtlMax, tenantId] })) as [[number]];
  if (published >= publishedKeysMax) throw new TooManySigningKeys(publishedKeysMax, platformTtlMax / 86_400);
}

async function currentKeys(query: Query, tenantId: string, mac: Mac): Promise<Partial<Rotated>> {
  const rows = await query({
    text: `select ${publicColumns} from signing_key k
            where k.tenant_id = $1 and k.state in ('active', 'next') and k.disabled_revision is null`,
    values: [tenantId],
  });
  const keys = rows.map((row) => publicKeyOf(row, mac));
  const [active, next] = (['active', 'next'] as const).map((state) => keys.find((key) => key?.state === state));
  return { ...(active ? { active } : {}), ...(next ? { next } : {}) };
}

async function isNextKnown(query: Query, tenantId: string): Promise<boolean> {
  const text = `select 1 from signing_key k where k.tenant_id = $1 and ${isUnknown}`;
  return (await query({ text, values: [tenantId] })).length === 0;
}

const retire = (query: Query, tenantId: string): Promise<Row[]> =>
  query({
    text: `update signing_key set state = 'retired', retired_at = now() where tenant_id = $1 and state = 'active'`,
    values: [tenantId],
  });

const activate = (query: Query, tenantId: string): Promise<Row[]> =>
  query({
    text: `update signing_key set state = 'active', activated_at = now()
            where tenant_id = $1 and state = 'next' and disabled_revision is null`,
    values: [tenantId],
  });

const insert = (query: Query, key: NewSigningKey, state: SigningKey['state'], mac: Mac): Promise<Row[]> =>
  query({
    text: `insert into signing_key (signing_key_id, tenant_id, algorithm, public_jwk, data_key_id, wrapped, state, created_at, mac)
           values ($1, $2, $3, $4, $5, $6, $7, now(), $8)`,
    values: [
      key.keyId,
      key.tenantId,
      key.algorithm,
      key.publicJwk,
      key.privateKey.dataKeyId,
      key.privateKey.wrapped,
      state,
      macOf(key, mac),
    ],
  });

/** Null where the key was not written under our key. */
function publicKeyOf(row: Row, mac: Mac): PublicSigningKey | null {
  const [keyId, tenantId, algorithm, publicJwk, state, createdAt, activatedAt, retiredAt, storedMac] = row;
  const key = { keyId, tenantId, algorithm, publicJwk, state, createdAt, activatedAt, retiredAt } as PublicSigningKey;
  return macOf(key, mac) === storedMac ? key : null;
}

const macOf = (key: Pick<PublicSigningKey, 'keyId' | 'tenantId' | 'algorithm' | 'publicJwk'>, mac: Mac): string =>
  mac('signing_key', JSON.stringify([key.keyId, key.tenantId, key.algorithm, key.publicJwk]));
