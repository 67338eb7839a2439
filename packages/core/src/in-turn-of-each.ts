import type { Signal } from './access/act.ts';
import { WaitingInTurns } from './waiting.ts';

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
  const waiting = new WaitingInTurns<Request, Result>({ keyOf, sizeOf: () => 1, sizeMax: waitingMax });
  let isUnderWay = false;

  async function carryOutNext(): Promise<void> {
    const [next] = waiting.take(1);
    isUnderWay = next !== undefined;
    if (!next) return;
    try {
      next.resolve(await carryOut(next.request));
    } catch (error) {
      next.reject(error);
    }
    // Not before what has come meanwhile was read: of those that wait, some may have been taken back.
    setImmediate(carryOutNext);
  }

  return (request, signal) =>
    new Promise<Result>((resolve, reject) => {
      waiting.add({ request, signal, resolve, reject });
      if (isUnderWay) return;
      isUnderWay = true;
      setImmediate(carryOutNext);
    });
}
