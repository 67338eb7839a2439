import { parentPort, workerData } from 'node:worker_threads';
import type { TokenMethod } from '@touchstone/core';
import { type KeyRing, openKeyRing, readMasterKeyFile, referenceMethod } from '@touchstone/token-methods';
import pg from 'pg';
import { fieldsOf, insertColumns, recordFields } from '../../packages/store-postgres/src/token-rows.ts';
import type { SeedSource } from './seed.ts';
import { claimsOf, userIdOf } from './users.ts';

/** One worker's share. */
export interface SeedTask extends SeedSource {
  readonly count: number;
  /** How many records come before. */
  readonly first: number;
}

/** The tokens of one insert, after its commit. */
export type SeedBatch = readonly string[];

const batchRows = 2_000;
const lifeMilliseconds = 6 * 3_600_000;

const drawStatement = `
  select nextval('touchstone.token_sequence')::int as sequence, (extract(epoch from now()) * 1000)::float8 as now
    from generate_series(1, $1::int)`;
const insertStatement = `
  insert into touchstone.token (${insertColumns}) select ${insertColumns} from json_to_recordset($1) as r (${recordFields})`;
const versionStatement = 'select registry_version::int as version from touchstone.tenant where tenant_id = $1';

interface Birth {
  readonly sequence: number;
  readonly now: number;
}

async function work(task: SeedTask): Promise<void> {
  const { users = Number.POSITIVE_INFINITY } = task;
  const keys = openKeyRing(await readMasterKeyFile(task.masterKeyFile));
  const method = referenceMethod(keys);
  const client = new pg.Client({ connectionString: task.adminUrl, application_name: 'bench seed' });
  await client.connect();
  const found = await client.query<{ version: number }>(versionStatement, [task.tenantId]);
  const policyVersion = found.rows[0]?.version ?? 0;
  for (let done = 0; done < task.count; done += batchRows) {
    const { rows: births } = await client.query<Birth>(drawStatement, [Math.min(batchRows, task.count - done)]);
    const minted = births.map((birth, index) =>
      mint(task, { keys, method }, (task.first + done + index) % users, policyVersion, birth),
    );
    await client.query(insertStatement, [JSON.stringify(minted.map(({ record }) => fieldsOf(record)))]);
    parentPort?.postMessage(minted.map(({ token }) => token) satisfies SeedBatch);
  }
  await client.end();
}

function mint(
  { tenantId, appId, audience, scopes }: SeedTask,
  { keys, method }: { keys: KeyRing; method: TokenMethod },
  user: number,
  policyVersion: number,
  { sequence, now }: Birth,
) {
  const userId = userIdOf(user);
  const issuedAt = Math.floor(now);
  const draft = {
    tokenClass: 'token',
    tenantId,
    appId,
    userHandle: keys.handles.handleOf(tenantId, userId),
    consentId: null,
    audience,
    scopes,
    usage: 'interactive',
    policyVersion,
    confirmation: null,
    lineage: [],
    sequence,
    issuedAt,
    expiresAt: issuedAt + lifeMilliseconds,
  } as const;
  return method.mint(draft, { userId, claims: claimsOf(user), principal: null });
}

await work(workerData as SeedTask);
