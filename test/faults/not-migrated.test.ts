import { join } from 'node:path';
import { freePair, openTemporaryFolder, startPostgres } from '@touchstone/local-stack';
import { createMasterKeyFile } from '@touchstone/token-methods';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { page, readiness } from './services.ts';
import { type Spawned, spawnService } from './spawned.ts';
import { touchstone } from './touchstone.ts';
import { untilTrue } from './until.ts';

const resources = new AsyncDisposableStack();
let adminUrl: string;
let masterKeyFile: string;
beforeAll(async () => {
  const { path } = resources.use(await openTemporaryFolder());
  masterKeyFile = join(path, 'master.key');
  await createMasterKeyFile(masterKeyFile);
  const [port] = await freePair();
  ({ adminUrl } = resources.use(await startPostgres({ dataDir: `${path}/postgres`, port })));
});
afterAll(() => resources.disposeAsync());

/** Starts a validator with that login, and gives it once it says what it waits for. */
async function waiting(url: string): Promise<{ service: Spawned; why: string }> {
  const databaseUrls = { issuer: url, validator: url, revocation: url, upkeep: url, keys: url };
  const service = resources.use(await spawnService({ databaseUrls, masterKeyFile }, 'validator'));
  let why = '';
  await untilTrue('it says what it waits for', async () => {
    why = (await readiness(service).catch(() => null))?.reasons.database ?? '';
    return why !== '';
  });
  return { service, why };
}

test.each([
  ['a login that there is not', (url: URL) => Object.assign(url, { username: 'nobody' }), '28P01'],
  ['a database that there is not', (url: URL) => Object.assign(url, { pathname: '/nowhere' }), '3D000'],
])('a service that starts with %s waits', async (_, change, code) => {
  expect((await waiting(change(new URL(adminUrl)).href)).why).toBe(`waiting for the database: ${code}`);
});

test('a service that starts before there is anything in the database waits, says for what, and goes on by itself', async () => {
  const { service, why } = await waiting(adminUrl);
  expect(why).toBe('waiting for the database: it is not migrated, or the login has not been granted its role');
  expect(await page(service, '/healthz')).toMatchObject({ status: 200 });
  const environment = { DATABASE_URL: adminUrl, MASTER_KEY_FILE: masterKeyFile };
  for (const command of [['migrate'], ['bootstrap', 'root', '--tenant', 'acme']]) {
    const run = touchstone(command, environment);
    expect(await run.exited, run.output()).toBe(0);
  }
  await service.untilReady();
});
