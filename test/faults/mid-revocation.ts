import { numberOf, openAdmin } from './admin.ts';
import type { OwnStack } from './own-stack.ts';
import { untilTrue } from './until.ts';

/** Keeps the transaction of a revocation from going on; disposing of it lets it go. */
export interface Hold extends AsyncDisposable {
  /** Waits until a transaction is held that has raised its watermarks. */
  untilHeld(): Promise<void>;
}

// It has its watermarks' table, and waits for another lock or, in its commit, for a standby.
const heldStatement = `
  select count(*) from pg_stat_activity a join pg_locks l using (pid)
   where l.relation = 'watermark'::regclass and l.mode = 'RowExclusiveLock' and l.granted
     and (a.wait_event_type = 'Lock' or a.wait_event = 'SyncRep')`;
const underWayStatement = `
  select count(*) from pg_locks where relation = 'watermark'::regclass and mode = 'RowExclusiveLock'`;

async function untilHeld(own: OwnStack): Promise<void> {
  await using admin = await openAdmin(own);
  await untilTrue('a revocation is held', async () => (await numberOf(admin, heldStatement)) > 0);
}

/** Waits until the transactions of revocations have ended, as they may without whoever began them. */
export async function untilNoneUnderWay(own: OwnStack): Promise<void> {
  await using admin = await openAdmin(own);
  await untilTrue('no revocation is under way', async () => (await numberOf(admin, underWayStatement)) === 0);
}

/** Holds revocations before their last write, the audit event. */
export async function holdLastWrite(own: OwnStack): Promise<Hold> {
  const admin = await openAdmin(own);
  await admin.query('begin');
  await admin.query('lock table outbox in exclusive mode');
  return { untilHeld: () => untilHeld(own), [Symbol.asyncDispose]: () => admin.end() };
}

/** Holds revocations in their commit, which waits for a standby: they have happened, and nobody sees that yet. */
export async function holdCommit(own: OwnStack): Promise<Hold> {
  await setStandbys(own, 'absent');
  await using admin = await openAdmin(own);
  // The census is committed to all the time.
  const waiting = `select count(*) from pg_stat_activity where wait_event = 'SyncRep'`;
  await untilTrue('commits wait', async () => (await numberOf(admin, waiting)) > 0);
  return { untilHeld: () => untilHeld(own), [Symbol.asyncDispose]: () => setStandbys(own, '') };
}

/** Commits wait for these. A server that is killed and started again goes on with that, but the connections to it are gone. */
async function setStandbys(own: OwnStack, names: string): Promise<void> {
  await using admin = await openAdmin(own);
  await admin.query(`alter system set synchronous_standby_names = '${names}'`);
  await admin.query('select pg_reload_conf()');
}
