import { setTimeout as sleep } from 'node:timers/promises';
import { openAdmin } from '../faults/admin.ts';
import { leadOf } from '../faults/relay-lead.ts';
import { until } from '../faults/until.ts';
import type { Random } from './random.ts';
import { startReplicaAgain, type Victims } from './victims.ts';

/** A relay that has just been started waits for Kafka. */
const leadMilliseconds = 60_000;

/** Kills the relay, and starts it again. */
export async function killRelay(victims: Victims): Promise<void> {
  const { postgres, replicas } = victims;
  await using admin = await openAdmin({ postgres });
  const services = replicas.map(({ process }) => process);
  const { service } = await until('one leads', () => leadOf(admin, services), leadMilliseconds);
  const replica = replicas.find(({ process }) => process === service);
  if (replica) await startReplicaAgain(victims, replica);
}

/** Suspends the relay, takes the lock from it, and wakes it up once another has published for a while. */
export async function suspendWhileAnotherLeads({ postgres, replicas }: Victims, random: Random): Promise<void> {
  await using admin = await openAdmin({ postgres });
  const services = replicas.map(({ process }) => process);
  const { service, backend } = await until('one leads', () => leadOf(admin, services), leadMilliseconds);
  service.signal('SIGSTOP');
  try {
    await admin.query('select pg_terminate_backend($1)', [backend]);
    const others = services.filter((one) => one !== service);
    await until('another leads', () => leadOf(admin, others), leadMilliseconds);
    await sleep(random.next() * 2_000);
  } finally {
    service.signal('SIGCONT');
  }
}
