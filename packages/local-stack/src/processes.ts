import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Whether the process runs. One that has ended and that nobody has waited for yet does not. */
export async function isAlive(pid: number): Promise<boolean> {
  return (await processes()).some((row) => row.pid === pid);
}

/** The file and arguments that a process was started with, apart by spaces; empty when it is gone or keeps them to itself. */
export async function commandOf(pid: number): Promise<string> {
  if (process.platform !== 'linux') return commandFromPs(pid);
  const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return line.replaceAll('\0', ' ').trim();
}

/**
 * Kills a process and its children with SIGKILL, as a crash of the machine would: none of them sees another one die.
 * Resolves when the children are dead; the process itself is the caller's to wait for.
 */
export async function killTree(pid: number): Promise<void> {
  signal(pid, 'SIGSTOP'); // It must neither replace the children nor tidy up after them.
  for (let children = await childrenOf(pid); children.length > 0; children = await childrenOf(pid)) {
    for (const child of children) signal(child, 'SIGKILL');
    await sleep(2);
  }
  signal(pid, 'SIGKILL');
}

// A process that is gone already is no error.
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function commandFromPs(pid: number): Promise<string> {
  const { stdout } = await run('ps', ['-ww', '-o', 'command=', '-p', String(pid)]).catch(() => ({ stdout: '' }));
  return stdout.trim();
}

async function childrenOf(parent: number): Promise<number[]> {
  return (await processes()).filter((row) => row.parent === parent).map((row) => row.pid);
}

async function processes(): Promise<ProcessRow[]> {
  const rows = process.platform === 'linux' ? await rowsFromProc() : await rowsFromPs();
  return rows.filter(({ state }) => !state.startsWith('Z'));
}

interface ProcessRow {
  readonly pid: number;
  readonly parent: number;
  readonly state: string;
}

// Slim images have no ps.
async function rowsFromProc(): Promise<ProcessRow[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const stats = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')));
  return stats.filter(Boolean).map(rowFromStat);
}

function rowFromStat(stat: string): ProcessRow {
  // `pid (name) state parent ...`, where the name may hold spaces and brackets.
  const [state = '', parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { pid: Number.parseInt(stat, 10), parent: Number(parent), state };
}

async function rowsFromPs(): Promise<ProcessRow[]> {
  const { stdout } = await run('ps', ['-A', '-o', 'pid=,ppid=,stat=']);
  return stdout
    .trim()
    .split('\n')
    .map((line) => {
      const [pid, parent, state = ''] = line.trim().split(/\s+/);
      return { pid: Number(pid), parent: Number(parent), state };
    });
}
