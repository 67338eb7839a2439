import { parentPort, workerData } from 'node:worker_threads';
import type { TenantHandles } from '@touchstone/core';
import { referenceMethod } from '@touchstone/token-methods';
import pg from 'pg';
import { fieldsOf, insertColumns, recordFields } from '../../packages/store-postgres/src/token-rows.ts';
import { installationKeys, openHandles } from '../harness/installation-keys.ts';
import type { Holder, SeedSource } from './seed.ts';
import { claimsOf, userIdOf } from './users.ts';

/** One worker's share. */
export interface SeedTask extends SeedSource {
  readonly count: number;
  /** The turn that the first of them is. */
  readonly first: number;
}

/** The tokens of one insert, after its commit, and the turn that the first of them was. */
export interface SeedBatch {
  readonly first: number;
  readonly tokens: readonly string[];
}

const batchRows = 2_000;
const lifeMilliseconds = 6 * 3_600_000;

const drawStatement = `
  select nextval('touchstone.token_sequence')::int as sequence, (extract(epoch from now()) * 1000)::float8 as now
    from generate_series(1, $1::int)`;
const insertStatement = `
  insert into touchstone.token (${insertColumns}) select ${insertColumns} from json_to_recordset($1) as r (${recordFields})`;
const versionsStatement = `
  select tenant_id as tenant, registry_version::float8 as version from touchstone.tenant where tenant_id = any($1)`;

interface Birth {
  readonly sequence: number;
  readonly now: number;
}

async function work(task: SeedTask): Promise<void> {
  const method = referenceMethod(await installationKeys(task));
  const client = new pg.Client({ connectionString: task.adminUrl, application_name: 'bench seed' });
  await client.connect();
  const tenants = task.holders.map(({ tenantId }) => tenantId);
  const found = await client.query<{ tenant: string; version: number }>(versionsStatement, [tenants]);
  const versions = new Map(found.rows.map(({ tenant, version }) => [tenant, version]));
  const handles = new Map<string, TenantHandles>();
  await using installation = await openHandles(task);
  for (const tenantId of new Set(tenants)) handles.set(tenantId, await installation.of(tenantId));
  for (let done = 0; done < task.count; done += batchRows) {
    const { rows: births } = await client.query<Birth>(drawStatement, [Math.min(batchRows, task.count - done)]);
    const first = task.first + done;
    const minted = births.map((birth, index) => mint(task, { handles, method, versions }, first + index, birth));
    await client.query(insertStatement, [JSON.stringify(minted.map(({ record }) => fieldsOf(record)))]);
    parentPort?.postMessage({ first, tokens: minted.map(({ token }) => token) } satisfies SeedBatch);
  }
  await client.end();
}

interface Minting {
  readonly handles: ReadonlyMap<string, TenantHandles>;
  readonly method: ReturnType<typeof referenceMethod>;
  readonly versions: ReadonlyMap<string, number>;
}

function mint(
  { holders, users }: SeedTask,
  { handles, method, versions }: Minting,
  turn: number,
  { sequence, now }: Birth,
) {
  const { tenantId, appId, audience, scopes } = holders[turn % holders.length] as Holder;
  const user = turn % users;
  const userId = userIdOf(user);
  const issuedAt = Math.floor(now);
  const draft = {
    tokenClass: 'token',
    tenantId,
    appId,
    userHandle: handles.get(tenantId)?.handleOf(userId) ?? null,
    consentId: null,
    audience,
    scopes,
    usage: 'interactive',
    policyVersion: versions.get(tenantId) ?? 0,
    confirmation: null,
    lineage: [],
    sequence,
    drawnOn: '',
    issuedAt,
    expiresAt: issuedAt + lifeMilliseconds,
  } as const;
  return method.mint(draft, { userId, claims: claimsOf(user), principal: null });
}

await work(workerData as SeedTask);
