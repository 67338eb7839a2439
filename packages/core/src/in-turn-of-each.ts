import type { Signal } from './access/act.ts';
import { Cancelled, Overloaded } from './errors.ts';
import type { Waiting } from './waiting.ts';

/**
 * Calls that are carried out one after the other: those of a key in the order in which they came, and the keys in turns, so that
 * who asks for much keeps nobody else waiting.
 *
 * @param waitingMax the most that wait. Beyond that the key gives way of which the most wait: its last one is refused.
 */
export function inTurnOfEach<Request, Result>(
  keyOf: (request: Request) => string,
  carryOut: (request: Request) => Promise<Result>,
  waitingMax = 1_000,
): (request: Request, signal?: Signal) => Promise<Result> {
  /** None is empty; the one whose turn it is comes first. */
  const waiting = new Map<string, Waiting<Request, Result>[]>();
  let waitingCount = 0;
  let isUnderWay = false;

  async function carryOutNext(): Promise<void> {
    const next = takeNext();
    isUnderWay = next !== null;
    if (!next) return;
    try {
      next.resolve(await carryOut(next.request));
    } catch (error) {
      next.reject(error);
    }
    // Not before what has come meanwhile was read: of those that wait, some may have been taken back.
    setImmediate(carryOutNext);
  }

  function takeNext(): Waiting<Request, Result> | null {
    for (const [key, ofKey] of waiting) {
      const next = takeOf(ofKey);
      waiting.delete(key);
      if (ofKey.length > 0) waiting.set(key, ofKey);
      if (next) return next;
    }
    return null;
  }

  function takeOf(ofKey: Waiting<Request, Result>[]): Waiting<Request, Result> | null {
    for (let one = ofKey.shift(); one; one = ofKey.shift()) {
      waitingCount--;
      if (!one.signal?.aborted) return one;
      one.reject(new Cancelled());
    }
    return null;
  }

  function hasRoomFor(key: string): boolean {
    if (waitingCount < waitingMax) return true;
    const ofKey = waiting.get(key) ?? [];
    const most = waiting.values().reduce((most, one) => (one.length > most.length ? one : most), ofKey);
    if (most.length <= ofKey.length + 1) return false;
    most.pop()?.reject(new Overloaded());
    waitingCount--;
    return true;
  }

  return (request, signal) =>
    new Promise<Result>((resolve, reject) => {
      const key = keyOf(request);
      if (!hasRoomFor(key)) return reject(new Overloaded());
      waitingCount++;
      const ofKey = waiting.get(key) ?? [];
      ofKey.push({ request, signal, resolve, reject });
      waiting.set(key, ofKey);
      if (isUnderWay) return;
      isUnderWay = true;
      setImmediate(carryOutNext);
    });
}
