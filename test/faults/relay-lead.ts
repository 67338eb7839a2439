import type { ServiceProcess } from '@touchstone/local-stack';
import type pg from 'pg';
import { isRelayLock } from './admin.ts';
import { hasSocket } from './sockets.ts';

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
