import { readFileSync } from 'node:fs';

// USER_HZ, which is 100 wherever Linux runs.
const millisecondsPerTick = 10;

/** Milliseconds of CPU that a process has used, with the children that have ended; 0 where there is no /proc. */
export function cpuMilliseconds(pid: number): number {
  // The name of the program, in parentheses, may hold spaces; utime, stime, cutime and cstime are fields 14 to 17.
  const fields = read(`/proc/${pid}/stat`).split(') ').at(-1)?.split(' ').slice(11, 15) ?? [];
  return fields.reduce((sum, ticks) => sum + Number(ticks), 0) * millisecondsPerTick;
}

/** As `cpuMilliseconds`, with the children that run. */
export function cpuMillisecondsOfTree(pid: number): number {
  const children = read(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number);
  return children.reduce((sum, child) => sum + cpuMilliseconds(child), cpuMilliseconds(pid));
}

/** Memory that a process has in RAM; null where there is no /proc. */
export function residentMebibytes(pid: number): number | null {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`))?.[1];
  return kibibytes === undefined ? null : Number(kibibytes) / 1024;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
