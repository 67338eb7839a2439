import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts, openTemporaryFolder, startPostgres } from '@touchstone/local-stack';
import { migrate } from '@touchstone/store-postgres';
import pg from 'pg';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { cliSettings, serviceSettings } from '../../scripts/describe-configuration.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const file = readFileSync(join(root, 'docker-compose.yml'), 'utf8');

interface Container {
  readonly image: string;
  readonly build?: string;
  readonly command?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
}

const compose: {
  readonly services: Readonly<Record<string, Container>>;
  readonly configs: { readonly logins: { readonly content: string } };
} = parse(file, { merge: true });
const ours = Object.entries(compose.services).filter(([, { image }]) => image === 'touchstone');
const services = Object.keys(serviceSettings) as (keyof typeof serviceSettings)[];

test('each service of ours is in docker-compose.yml', () => {
  expect(ours.map(([name]) => name).sort()).toEqual(['cli', 'prepare', ...services].sort());
});

test('one of them builds the image that all of them run', () => {
  expect(ours.filter(([, { build }]) => build).map(([name]) => name)).toEqual(['prepare']);
});

test('no key, and no settings, get into the image', () => {
  const ignored = readFileSync(join(root, '.dockerignore'), 'utf8').split('\n');
  expect(ignored).toEqual(expect.arrayContaining(['*.key', '.env', '.env.*']));
});

test.each(ours)('%s is given settings that it has, and all that it must be given', (name, { environment }) => {
  const known = services.find((service) => service === name);
  const settings = known ? serviceSettings[known] : cliSettings;
  const names = settings.map((setting) => setting.name);
  expect(names).toEqual(expect.arrayContaining(Object.keys(environment)));
  const needed = settings.filter(({ usual }) => usual === null).map((setting) => setting.name);
  expect(Object.keys(environment)).toEqual(expect.arrayContaining(needed));
});

test.each(services)('the ports of the %s that are published are those it listens on', (service) => {
  const usual = serviceSettings[service].filter(({ name }) => name.endsWith('_PORT')).map((setting) => setting.usual);
  expect(compose.services[service]?.ports).toEqual(usual.map((port) => `127.0.0.1:${port}:${port}`));
});

test('what containers and the Dockerfile run is there', () => {
  const text = ours.map(([, { entrypoint = [], command = [] }]) => [...entrypoint, ...command].join(' ')).join('\n');
  const programs = text.match(/\b(?:packages|services)\/\S+\.ts/g) ?? [];
  expect(programs.length).toBeGreaterThanOrEqual(6);
  for (const program of programs) expect(existsSync(join(root, program)), program).toBe(true);
  const workspaces = [...readFileSync(join(root, 'Dockerfile'), 'utf8').matchAll(/--workspace (\S+)/g)];
  expect(workspaces).toHaveLength(4);
  for (const [, folder = ''] of workspaces) expect(existsSync(join(root, folder, 'package.json')), folder).toBe(true);
});

test('each command of the CLI that the file names exists', () => {
  const named = [...file.matchAll(/(?:cli\/src\/main\.ts|run --rm -T cli) ([a-z-]+)/g)].map(([, command]) => command);
  expect(named).toEqual(['bootstrap', 'master-key', 'migrate']);
  for (const command of named) expect(existsSync(join(root, `packages/cli/src/commands/${command}.ts`))).toBe(true);
});

test('the logins that it makes are those of the services, each with the role of its own', async () => {
  await using folder = await openTemporaryFolder();
  const { postgres: port } = await freePorts();
  await using server = await startPostgres({ dataDir: join(folder.path, 'postgres'), port });
  await query(server.adminUrl, compose.configs.logins.content);
  await migrate(server.adminUrl);
  const urls = services.map((service) => [service, compose.services[service]?.environment.DATABASE_URL ?? ''] as const);
  const upkeep = ['upkeep', compose.services.revocation?.environment.UPKEEP_DATABASE_URL ?? ''] as const;
  for (const [role, url] of [...urls, upkeep]) {
    const here = url.replace('@postgres/', `@127.0.0.1:${port}/`);
    const { rows } = await query(
      here,
      `select rolname from pg_roles where rolname like 'touchstone%' and pg_has_role(oid, 'member')`,
    );
    expect(rows.map(({ rolname }) => rolname).sort()).toEqual([`touchstone_${role}`, `touchstone_${role}_login`]);
  }
});

async function query(url: string, sql: string): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await client.query(sql);
  } finally {
    await client.end();
  }
}
