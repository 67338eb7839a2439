import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import getPort from 'get-port';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { FolderClosed, FolderForeign, PortTaken } from './errors.ts';
import { openTemporaryFolder, type TemporaryFolder } from './folders.ts';
import { type LocalPostgres, startPostgres } from './postgres.ts';
import { commandOf, isAlive } from './processes.ts';

let folder: TemporaryFolder;
let dataDir: string;

beforeEach(async () => {
  folder = await openTemporaryFolder();
  dataDir = join(folder.path, 'postgres');
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await folder[Symbol.asyncDispose]();
});

const start = async (onProgress?: (line: string) => void): Promise<LocalPostgres> =>
  startPostgres({ dataDir, port: await getPort(), ...(onProgress && { onProgress }) });

async function query(url: string, sql: string): Promise<unknown[][]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {}); // Some tests crash the server under it.
  await client.connect();
  try {
    return (await client.query({ text: sql, rowMode: 'array' })).rows;
  } finally {
    await client.end();
  }
}

/** A Node process of its own that starts Postgres in the folder, prints its pid, and stays. */
async function startOwner(): Promise<ChildProcess> {
  const options = JSON.stringify({ dataDir, port: await getPort() });
  const code = `import { startPostgres } from ${JSON.stringify(import.meta.resolve('./postgres.ts'))};
    console.log((await startPostgres(${options})).pid);`;
  return spawn(process.execPath, ['--input-type=module', '--eval', code], { stdio: ['ignore', 'pipe', 'inherit'] });
}

describe('a stop and a start', () => {
  test('keep the data and make no new cluster', async () => {
    await using first = await start();
    await query(first.adminUrl, 'create table kept as select 42 as answer');
    await first.stop();
    const lines: string[] = [];
    await using second = await start((line) => lines.push(line));
    expect(await query(second.adminUrl, 'select answer from kept')).toEqual([[42]]);
    expect(lines).toEqual([`Starting Postgres on port ${second.port} ...`]);
  });

  test('leave no process behind, even with a client connected', async () => {
    await using server = await start();
    const client = new pg.Client({ connectionString: server.adminUrl });
    client.on('error', () => {});
    await client.connect();
    const { rows } = await client.query('select pg_backend_pid() as pid');
    await server.stop();
    await server.stop();
    expect([await isAlive(server.pid), await isAlive(rows[0].pid)]).toEqual([false, false]);
  });
});

describe('a crash', () => {
  test('takes every process at once, loses nothing that was committed, and is started after', async () => {
    await using server = await start();
    await query(server.adminUrl, 'create table kept (answer int)');
    await query(server.adminUrl, 'insert into kept values (42)');
    const sleeping = query(server.adminUrl, 'select pg_sleep(60)');
    const lost = expect(sleeping).rejects.toThrow();
    const backends = await query(server.adminUrl, 'select pid from pg_stat_activity');
    await server.kill();
    await lost;
    const alive = await Promise.all(backends.flat().map((pid) => isAlive(pid as number)));
    expect(alive).not.toContain(true);
    expect(await readdir(dataDir)).toContain('postmaster.pid');
    await using again = await start();
    expect(await query(again.adminUrl, 'select answer from kept')).toEqual([[42]]);
  });

  test('is started after although its process id is meanwhile that of another process', async () => {
    await using server = await start();
    await server.kill();
    const pidFile = join(dataDir, 'postmaster.pid');
    const stale = (await readFile(pidFile, 'utf8')).replace(/^\d+/, String(process.pid));
    await writeFile(pidFile, stale);
    await using again = await start();
    expect(await query(again.adminUrl, 'select 1')).toEqual([[1]]);
  });

  test('of the owner while it makes the cluster is made good by the next start', async () => {
    const owner = await startOwner();
    const unfinished = async () => (await readdir(folder.path)).find((name) => name.includes('.unfinished-')) ?? '';
    await vi.waitFor(async () => stat(join(folder.path, await unfinished(), 'PG_VERSION')), 10_000);
    owner.kill('SIGKILL');
    await once(owner, 'exit');
    await using server = await start();
    expect(await query(server.adminUrl, 'select 1')).toEqual([[1]]);
    expect((await readdir(folder.path)).sort()).toEqual(['postgres', 'postgres-log', 'postgres.password']);
  });
});

describe('the owner', () => {
  test.each(['SIGTERM', 'SIGKILL', 'SIGINT'] as const)('ended by %s takes Postgres with it', async (signal) => {
    const owner = await startOwner();
    const [line] = (await once(owner.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
    const pid = Number(line);
    expect(await isAlive(pid)).toBe(true);
    owner.kill(signal);
    expect(await once(owner, 'exit')).toEqual([null, signal]);
    await using server = await start(); // At once: it waits for the one that still shuts down.
    expect(await isAlive(pid)).toBe(false);
    expect(await readFile(join(`${dataDir}-log`, 'postgresql.log'), 'utf8')).not.toContain('not properly shut down');
    await server.stop();
  });
});

describe('what is in the way', () => {
  test('a taken port is named', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    const refused = startPostgres({ dataDir, port });
    await expect(refused).rejects.toThrow(PortTaken);
    await expect(refused).rejects.toThrow(String(port));
    other.close();
  });

  test('a folder with something else in it stays as it is', async () => {
    await mkdir(dataDir);
    await writeFile(join(dataDir, 'letter.txt'), 'dear reader');
    await expect(start()).rejects.toThrow(FolderForeign);
    expect(await readdir(dataDir)).toEqual(['letter.txt']);
  });

  const root = test.runIf(process.getuid?.() === 0);

  async function closedToOthers(): Promise<string> {
    const closed = join(folder.path, 'closed');
    await mkdir(closed);
    await chmod(closed, 0o700);
    dataDir = join(closed, 'postgres');
    return closed;
  }

  root(
    'as root, Postgres passes through a folder that only root may enter, and may do nothing else there',
    async () => {
      const closed = await closedToOthers();
      await using server = await start();
      expect(await query(server.adminUrl, 'select 1')).toEqual([[1]]);
      const written = query(server.adminUrl, `copy (select 1) to '${closed}/x'`);
      await expect(written).rejects.toThrow('Permission denied');
      const status = await readFile(`/proc/${server.pid}/status`, 'utf8');
      expect(status).toMatch(/^CapEff:\t0000000000000004$/m);
      expect(status).not.toMatch(/^Uid:\t0\t/m);
    },
  );

  root('where it can not be let through, the folder is named', async () => {
    await closedToOthers();
    // Users can be looked up, and nothing else.
    const programs = join(folder.path, 'programs');
    await mkdir(programs);
    await symlink('/usr/bin/id', join(programs, 'id'));
    vi.stubEnv('PATH', programs);
    const refused = start();
    await expect(refused).rejects.toThrow(FolderClosed);
    // The folder that this repository is in may be the first that is closed.
    await expect(refused).rejects.toThrow(/who may not enter \/.+ to reach \/.+: allow it/);
  });

  test('folders above it that do not exist are made', async () => {
    dataDir = join(folder.path, 'some', 'where', 'postgres');
    await using server = await start();
    expect(await query(server.adminUrl, 'select 1')).toEqual([[1]]);
  });
});

describe('two at once', () => {
  test('run side by side', async () => {
    const beside = async (name: string) => startPostgres({ dataDir: `${dataDir}-${name}`, port: await getPort() });
    await using stack = new AsyncDisposableStack();
    const servers = await Promise.all(['a', 'b'].map(beside));
    for (const server of servers) stack.use(server);
    const answers = await Promise.all(servers.map(({ adminUrl }) => query(adminUrl, 'show data_directory')));
    expect(answers).toEqual([[[`${dataDir}-a`]], [[`${dataDir}-b`]]]);
  });

  test('on one new folder: one of them gets it, whole', async () => {
    const results = await Promise.allSettled([start(), start()]);
    const servers = results.filter((result) => result.status === 'fulfilled').map(({ value }) => value);
    expect(servers).toHaveLength(1);
    await using server = servers[0] as LocalPostgres;
    expect(await query(server.adminUrl, 'select 1')).toEqual([[1]]);
  });
});

describe('settings', () => {
  test('durability is on, and text is the same on every system', async () => {
    await using server = await start();
    const names = ['fsync', 'synchronous_commit', 'full_page_writes', 'data_checksums', 'jit', 'server_encoding'];
    const values = await query(server.adminUrl, `select ${names.map((name) => `current_setting('${name}')`)}`);
    expect(values).toEqual([['on', 'on', 'on', 'on', 'off', 'UTF8']]);
    const locale = await query(server.adminUrl, `select datlocale from pg_database where datname = 'postgres'`);
    expect(locale).toEqual([['C.UTF-8']]);
  });

  test('only who knows the password gets in, which nobody else can read', async () => {
    await using server = await start();
    const { password } = new URL(server.adminUrl);
    const file = await stat(`${dataDir}.password`);
    expect(file.mode & 0o777).toBe(0o600);
    expect(await readFile(`${dataDir}.password`, 'utf8')).toBe(`${password}\n`);
    expect(await commandOf(server.pid)).not.toContain(password);
    await expect(query(server.adminUrl.replace(password, 'guess'), 'select 1')).rejects.toThrow('password');
    const methods = await query(server.adminUrl, 'select distinct auth_method from pg_hba_file_rules');
    expect(methods).toEqual([['scram-sha-256']]);
    expect(await query(server.adminUrl, 'show listen_addresses')).toEqual([['127.0.0.1']]);
  });
});
