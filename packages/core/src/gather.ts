import type { Signal } from './access/act.ts';
import { type Waiting, WaitingInTurns } from './waiting.ts';

export interface GatherLimits {
  /** The most sent together. A request that is larger goes alone. */
  readonly batchMax: number;
  /** The most batches under way at once. */
  readonly lanes: number;
  /** The most that wait; what would be more is refused. */
  readonly waitingMax: number;
}

export interface GatheredRequests<Request> {
  /** How much a request counts towards the limits. Default: 1. */
  readonly sizeOf?: (request: Request) => number;
  /**
   * Whose it is, where whoever asks for much is to keep nobody else waiting: the keys take turns, and where too many wait the one
   * gives way of which the most do. Default: all are alike.
   */
  readonly keyOf?: (request: Request) => string;
}

/**
 * Gathers concurrent requests into batches: what arrives while all lanes are busy is sent together once one is free. A
 * request never joins a batch that has been sent: that one's snapshot may be older than the request.
 *
 * @param send one result or error a request, in order; when it throws, all of the batch fail alike.
 */
export function gather<Request, Result>(
  send: (requests: readonly Request[]) => Promise<readonly (Result | Error)[]>,
  { batchMax, lanes, waitingMax }: GatherLimits,
  { sizeOf = () => 1, keyOf = () => '' }: GatheredRequests<Request> = {},
): (request: Request, signal?: Signal) => Promise<Result> {
  const waiting = new WaitingInTurns<Request, Result>({ keyOf, sizeOf, sizeMax: waitingMax });
  let underWay = 0;
  let scheduled = false;

  // Everything that one turn of the event loop brings is sent together.
  function schedule(): void {
    if (scheduled || underWay >= lanes || waiting.isEmpty) return;
    scheduled = true;
    setImmediate(() => {
      scheduled = false;
      sendNext();
      schedule();
    });
  }

  function sendNext(): boolean {
    const batch = underWay < lanes ? waiting.take(batchMax) : [];
    if (batch.length > 0) void carryOut(batch);
    return batch.length > 0;
  }

  async function carryOut(batch: readonly Waiting<Request, Result>[]): Promise<void> {
    underWay++;
    const answer = await outcomeOf(batch);
    // Not before what has come meanwhile was read: of those that wait, some may have been taken back.
    setImmediate(() => {
      underWay--;
      // What waits goes first: it is under way while these are answered.
      if (sendNext()) setImmediate(answer);
      else answer();
      schedule();
    });
  }

  async function outcomeOf(batch: readonly Waiting<Request, Result>[]): Promise<() => void> {
    try {
      const results = await send(batch.map((one) => one.request));
      return () => answerEach(batch, results);
    } catch (error) {
      return () => {
        for (const one of batch) one.reject(error);
      };
    }
  }

  function answerEach(batch: readonly Waiting<Request, Result>[], results: readonly (Result | Error)[]): void {
    batch.forEach((one, i) => {
      const result = results[i];
      if (result instanceof Error) one.reject(result);
      else one.resolve(result as Result);
    });
  }

  return (request, signal) =>
    new Promise<Result>((resolve, reject) => {
      waiting.add({ request, signal, resolve, reject });
      schedule();
    });
}
