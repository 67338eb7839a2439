import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';

/** How a server is asked to end: `ask` first, `force` when it has not ended after half a minute. */
export interface StopSignals {
  readonly ask: NodeJS.Signals;
  readonly force: NodeJS.Signals;
}

// Its input ends when the process that holds the other end does, however that ends.
const script = `
  trap '' INT TERM HUP
  read -r _
  kill -s "$2" "$1" 2>/dev/null
  for _ in $(seq 30); do kill -0 "$1" 2>/dev/null || exit 0; sleep 1; done
  kill -s "$3" "$1" 2>/dev/null`;

/**
 * Ends the process `pid` when this Node process is gone, by whatever way: exit, signal or SIGKILL. It costs this
 * process no exit hook and no signal handler, which would change how it ends.
 *
 * @returns the watching process; kill it when `pid` has ended.
 */
export function endWithThisProcess(pid: number, signals: StopSignals): ChildProcess {
  const names = [signals.ask, signals.force].map((name) => name.replace(/^SIG/, ''));
  const guard = spawn('/bin/sh', ['-c', script, 'guard', String(pid), ...names], {
    cwd: '/',
    env: { PATH: process.env.PATH },
    detached: true, // Ctrl-C goes to the terminal's whole group.
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  guard.unref();
  (guard.stdin as Socket).unref();
  return guard;
}
