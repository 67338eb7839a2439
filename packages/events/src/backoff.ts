import { setTimeout as sleep } from 'node:timers/promises';

/** How long to wait after a failure: twice as long each time, up to the longest. */
export interface Delays {
  readonly firstMilliseconds: number;
  readonly longestMilliseconds: number;
}

/** Waits between the attempts of one task, never in step with other processes. */
export class Backoff {
  readonly #delays: Delays;
  #failures = 0;

  constructor(delays: Delays) {
    this.#delays = delays;
  }

  /** Failed attempts since the last one that succeeded. */
  get failures(): number {
    return this.#failures;
  }

  /** Waits after a failed attempt; ends early, without an error, when the signal aborts. */
  async wait(signal: AbortSignal): Promise<void> {
    const { firstMilliseconds, longestMilliseconds } = this.#delays;
    const delay = Math.min(firstMilliseconds * 2 ** this.#failures++, longestMilliseconds);
    await pause(delay * (0.5 + Math.random() / 2), signal);
  }

  /** An attempt succeeded: the next wait is a first one again. */
  reset(): void {
    this.#failures = 0;
  }
}

/** Waits that long; ends early, without an error, when the signal aborts. */
export async function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  await sleep(milliseconds, undefined, signal ? { signal } : {}).catch(() => {});
}

/** Settles as the promise does, but rejects at once when the signal aborts; what the promise does then is dropped. */
export async function unlessAborted<Result>(promise: Promise<Result>, signal: AbortSignal): Promise<Result> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort);
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
