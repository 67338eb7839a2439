import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RevisionSource } from '@touchstone/core';
import { close, type Database } from './database.ts';
import { revisionChannel } from './history-writer.ts';

/** Milliseconds between two attempts to listen again. */
const retryMilliseconds = 1_000;
/**
 * Postgres as a source of revisions: a notification says that there is something new, and at an interval it is asked
 * anyway, for a notification can be lost. Subscribing waits for the first attempt to listen, and never fails.
 *
 * @param paceMilliseconds while revisions pour in they are asked for so often: for all that came since.
 */
export function postgresRevisionSource(
  database: Database,
  pollMilliseconds: number,
  paceMilliseconds: number,
): RevisionSource {
  return {
    async subscribe(deliver) {
      const closing = new AbortController();
      const tried = Promise.withResolvers<void>();
      const hint = paced(() => deliver('hint'), paceMilliseconds, closing.signal);
      const poll = setInterval(hint, pollMilliseconds);
      const listening = listenUntilClosed(database, hint, closing.signal, tried.resolve);
      await tried.promise;
      return {
        async [Symbol.asyncDispose]() {
          clearInterval(poll);
          closing.abort();
          await listening;
        },
      };
    },
  };
}

async function listenUntilClosed(
  database: Database,
  heard: () => void,
  closing: AbortSignal,
  onTried: () => void,
): Promise<void> {
  while (!closing.aborted) {
    // The database's own errors are told by whoever opened it.
    await listen(database, heard, closing, onTried).catch(() => {});
    onTried();
    await sleep(retryMilliseconds, undefined, { signal: closing }).catch(() => {});
  }
}

/** The first at once; those that come within a pace of one that was given are one more, at its end, unless it is closed by then. */
function paced(hint: () => void, paceMilliseconds: number, closing: AbortSignal): () => void {
  let isDue = false;
  let givenAt = Number.NEGATIVE_INFINITY;
  const give = () => {
    isDue = false;
    givenAt = performance.now();
    if (!closing.aborted) hint();
  };
  return () => {
    if (isDue) return;
    isDue = true;
    const wait = givenAt + paceMilliseconds - performance.now();
    if (wait <= 0) give();
    else setTimeout(give, wait).unref();
  };
}

/** Listens until the connection ends. @throws when it can't, or when closed. */
async function listen(database: Database, heard: () => void, closing: AbortSignal, onTried: () => void): Promise<void> {
  const connection = await database.connect();
  try {
    connection.on('notification', heard);
    const ended = once(connection, 'end', { signal: closing });
    const listening = connection.query(`listen ${revisionChannel}`).then(() => {
      heard();
      onTried();
    });
    await Promise.all([ended, listening]);
  } finally {
    await close(connection);
  }
}
