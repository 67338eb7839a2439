import type { Uses, UseWriter } from '@touchstone/core';
import type { ServiceRuntime } from '@touchstone/service-kit';

const flushMilliseconds = 5_000;
const periodMilliseconds = 3_600_000;
const tokenPeriodMilliseconds = 300_000;

/** Writes what was used, in the background: no validation waits for it. */
export function startJobs(uses: Uses, writer: UseWriter, { logger }: ServiceRuntime): AsyncDisposable {
  const flush = (): Promise<void> =>
    uses.flush(writer).catch((err) => logger.warn({ err }, 'what was used could not be written'));
  let underWay: Promise<void> = Promise.resolve();
  const flushing = setInterval(() => {
    underWay = underWay.then(flush);
  }, flushMilliseconds);
  const startingOver = setInterval(() => uses.startOver(), periodMilliseconds);
  const startingTokensOver = setInterval(() => uses.startTokensOver(), tokenPeriodMilliseconds);
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(flushing);
      clearInterval(startingOver);
      clearInterval(startingTokensOver);
      await underWay.then(flush);
    },
  };
}
