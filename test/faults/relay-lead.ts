import type { ServiceProcess } from '@touchstone/local-stack';
import type pg from 'pg';
import { isRelayLock, numberOf, openAdmin } from './admin.ts';
import type { OwnStack } from './own-stack.ts';
import { hasSocket } from './sockets.ts';
import { until, untilTrue } from './until.ts';

/** A revocation service that relays, and the process in the database that holds the lock for it. */
export interface Lead {
  readonly service: ServiceProcess;
  readonly backend: number;
}

const holdersStatement = `
  select pid, client_port from pg_locks join pg_stat_activity using (pid)
   where ${isRelayLock}`;

/** Which of these services leads; undefined: none of them. Linux only. */
export async function leadOf(admin: pg.Client, services: readonly ServiceProcess[]): Promise<Lead | undefined> {
  const { rows } = await admin.query<{ pid: number; client_port: number }>(holdersStatement);
  for (const { pid: backend, client_port: port } of rows) {
    for (const service of services) {
      if (await hasSocket(service.pid, port)) return { service, backend };
    }
  }
  return undefined;
}

/** Of pg_stat_activity: who carries out a statement that holds this text. */
export const carriesOut = (text: string): string =>
  `state = 'active' and pid <> pg_backend_pid() and position('${text}' in query) > 0`;

/**
 * Holds the relay's position in this mode, and the leader with it, at a statement that holds this text: until the connection is
 * given back, or lets it go.
 */
export async function holdUpAt(own: OwnStack, mode: string, text: string): Promise<pg.Client & AsyncDisposable> {
  const inTheWay = await openAdmin(own);
  await using admin = await openAdmin(own);
  const heldUp = `select count(*) from pg_stat_activity where wait_event_type = 'Lock' and ${carriesOut(text)}`;
  // It waits behind whatever else the leader does on its connection: that has to go on then.
  await until('the leader is held up', async () => {
    await inTheWay.query(`begin; lock table relay_position in ${mode} mode`);
    const isCaught = untilTrue('it is held up', async () => (await numberOf(admin, heldUp)) > 0, 500);
    if (await isCaught.then(() => true).catch(() => false)) return true;
    await inTheWay.query('rollback');
    return undefined;
  });
  return inTheWay;
}
