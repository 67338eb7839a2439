import { execFile } from 'node:child_process';
import { appendFile, chown, rm, stat, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { freePair, type LocalPostgres, startPostgres } from '@touchstone/local-stack';
import { numberOf, openAdmin } from './admin.ts';
import type { Door } from './door.ts';
import { untilTrue } from './until.ts';

const run = promisify(execFile);

/**
 * A hot standby of a running primary, which streams through the door and which the primary's commits wait for from then
 * on: a copy of its files, taken as a base backup takes them.
 */
export async function startStandby(primary: LocalPostgres, door: Door): Promise<LocalPostgres> {
  await using admin = await openAdmin({ postgres: primary });
  const dataDir = `${primary.dataDir}-standby`;
  await admin.query(`select pg_backup_start('standby', fast => true)`);
  await copyInUse(primary.dataDir, dataDir);
  await run('cp', ['-a', `${primary.dataDir}.password`, `${dataDir}.password`]);
  const { rows } = await admin.query('select labelfile from pg_backup_stop(wait_for_archive => false)');
  await rm(`${dataDir}/postmaster.pid`);
  const { uid, gid } = await stat(dataDir);
  for (const [name, content] of [
    ['backup_label', rows[0].labelfile],
    ['standby.signal', ''],
  ]) {
    await writeFile(`${dataDir}/${name}`, content);
    await chown(`${dataDir}/${name}`, uid, gid);
  }
  const { username, password } = new URL(primary.adminUrl);
  const source = `host=127.0.0.1 port=${door.port} user=${username} password=${password} application_name=standby`;
  const settings = [`primary_conninfo = '${source}'`, `synchronous_standby_names = ''`];
  await appendFile(`${dataDir}/postgresql.auto.conf`, `${settings.join('\n')}\n`);

  const [port] = await freePair();
  const standby = await startPostgres({ dataDir, port });
  await admin.query(`alter system set synchronous_standby_names = 'standby'`);
  await admin.query('select pg_reload_conf()');
  const waitedFor = `select count(*) from pg_stat_replication where sync_state = 'sync'`;
  await untilTrue('commits wait for the standby', async () => (await numberOf(admin, waitedFor)) === 1);
  // The checkpointer tells all others that they are to wait: by the end of a checkpoint it has. For what was committed before
  // nobody has waited.
  await admin.query('checkpoint');
  const { rows: before } = await admin.query('select pg_current_wal_flush_lsn() as lsn');
  const isThere = 'select count(*) from pg_stat_replication where flush_lsn >= $1';
  await untilTrue('the standby has what was committed before', async () => {
    return (await numberOf(admin, isThere, [before[0].lsn])) === 1;
  });
  return standby;
}

/** Files go while they are copied: what is in the log makes up for it. */
async function copyInUse(from: string, to: string): Promise<void> {
  await run('cp', ['-a', from, to]).catch((error: { readonly stderr: string }) => {
    const lines = error.stderr.trimEnd().split('\n');
    if (!lines.every((line) => line.endsWith('No such file or directory'))) throw error;
  });
}

/** Resolves once it is a primary of its own; one that is already is left alone. */
export async function promote(standby: LocalPostgres): Promise<void> {
  await using admin = await openAdmin({ postgres: standby });
  await admin.query('select pg_promote() where pg_is_in_recovery()');
}
