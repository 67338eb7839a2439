import { setTimeout as sleep } from 'node:timers/promises';

const pollMilliseconds = 25;

/** Asks until the answer is not undefined, and gives that. @throws when it takes longer. */
export async function until<Answer>(
  what: string,
  ask: () => Promise<Answer | undefined> | Answer | undefined,
  milliseconds = 30_000,
): Promise<Answer> {
  const deadline = Date.now() + milliseconds;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > deadline) throw new Error(`not within ${milliseconds} ms: ${what}`);
    await sleep(pollMilliseconds);
  }
}

/** Waits for something to be so. @throws when it takes longer. */
export async function untilTrue(
  what: string,
  isSo: () => Promise<boolean> | boolean,
  milliseconds?: number,
): Promise<void> {
  await until(what, async () => ((await isSo()) ? true : undefined), milliseconds);
}

/** Waits until as much time has passed since now, by this process's clock: nobody sets that. */
export async function untilPassed(milliseconds: number): Promise<void> {
  const from = performance.now();
  await untilTrue(`${milliseconds} ms have passed`, () => performance.now() - from > milliseconds);
}
