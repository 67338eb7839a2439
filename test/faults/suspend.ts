import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LocalPostgres, ServiceProcess } from '@touchstone/local-stack';
import { type Outcome, outcomeOf } from './outcome.ts';

/** Longer than what may be stale then, and shorter than callers are taken as they are known: to look at them brings the revisions. */
export const suspendedMilliseconds = 600;

/** Suspends a process and its children, or wakes them up. Linux only. */
export async function signalTree(pid: number, signal: 'SIGSTOP' | 'SIGCONT'): Promise<void> {
  process.kill(pid, signal); // First, so that it makes no more of them.
  for (const child of await childrenOf(pid)) signalUnlessEnded(child, signal);
}

/** Children end by themselves, such as a worker of Postgres that has done its work. */
function signalUnlessEnded(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function childrenOf(parent: number): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const stats = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')));
  // `pid (name) state parent ...`, where the name may hold spaces and brackets.
  const isChild = (stat: string) => Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === parent;
  return stats.filter(isChild).map((stat) => Number.parseInt(stat, 10));
}

/** What a suspended service answers that wakes up to calls, while with the database away it can only go by what it knows. */
export async function askedOnWaking<Answer>(
  service: ServiceProcess,
  postgres: LocalPostgres,
  call: () => Promise<Answer>,
): Promise<Outcome<Answer>[]> {
  await signalTree(postgres.pid, 'SIGSTOP');
  const answers = Promise.all(Array.from({ length: 20 }, () => outcomeOf(call())));
  service.signal('SIGCONT');
  await Promise.race([answers, sleep(500)]);
  await signalTree(postgres.pid, 'SIGCONT');
  return answers;
}
