import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { isRelayLock, openAdmin } from '../faults/admin.ts';
import { hasSocket } from '../faults/sockets.ts';
import { until } from '../faults/until.ts';
import type { Random } from './random.ts';
import type { Replica, Victims } from './victims.ts';

/** A revocation service that relays, and the process in the database that holds the lock for it. */
interface Lead {
  readonly replica: Replica;
  readonly backend: number;
}

const holdersStatement = `
  select pid, client_port from pg_locks join pg_stat_activity using (pid)
   where ${isRelayLock}`;

async function leadOf(admin: pg.Client, replicas: readonly Replica[]): Promise<Lead | undefined> {
  const { rows } = await admin.query<{ pid: number; client_port: number }>(holdersStatement);
  for (const { pid: backend, client_port: port } of rows) {
    for (const replica of replicas) {
      if (await hasSocket(replica.process.pid, port)) return { replica, backend };
    }
  }
  return undefined;
}

/** A relay that has just been started waits for Kafka. */
const leadMilliseconds = 60_000;

/** Suspends the relay, takes the lock from it, and wakes it up once another has published for a while. */
export async function suspendWhileAnotherLeads({ postgres, replicas }: Victims, random: Random): Promise<void> {
  await using admin = await openAdmin({ postgres });
  const { replica, backend } = await until('one leads', () => leadOf(admin, replicas), leadMilliseconds);
  replica.process.signal('SIGSTOP');
  try {
    await admin.query('select pg_terminate_backend($1)', [backend]);
    const others = replicas.filter((one) => one !== replica);
    await until('another leads', () => leadOf(admin, others), leadMilliseconds);
    await sleep(random.next() * 2_000);
  } finally {
    replica.process.signal('SIGCONT');
  }
}
