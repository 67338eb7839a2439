import type { RevisionSource } from '@touchstone/core';
import type pg from 'pg';
import type { Database } from './database.ts';
import { revisionChannel } from './revocation-writer.ts';

/** Milliseconds between two attempts to listen again. */
const retryMilliseconds = 1_000;

/**
 * Postgres as a source of revisions: a notification says that there is something new, and at an interval it is asked
 * anyway, for a notification can be lost.
 */
export function postgresRevisionSource(database: Database, pollMilliseconds: number): RevisionSource {
  return {
    async subscribe(deliver) {
      const poll = setInterval(() => deliver('hint'), pollMilliseconds);
      const listening = await listen(database, () => deliver('hint'));
      return {
        async [Symbol.asyncDispose]() {
          clearInterval(poll);
          await listening[Symbol.asyncDispose]();
        },
      };
    },
  };
}

async function listen(database: Database, heard: () => void): Promise<AsyncDisposable> {
  let closed = false;
  let connection: pg.Client | null = null;
  let retry: NodeJS.Timeout | undefined;

  function again(): void {
    connection = null;
    if (!closed) retry = setTimeout(() => void open(), retryMilliseconds);
  }

  async function open(): Promise<void> {
    try {
      const opened = await database.connect();
      if (closed) return void (await opened.end());
      connection = opened;
      opened.on('notification', heard);
      opened.once('end', again);
      await opened.query(`listen ${revisionChannel}`);
      heard();
    } catch {
      if (!connection) again();
    }
  }

  await open();
  return {
    async [Symbol.asyncDispose]() {
      closed = true;
      clearTimeout(retry);
      await connection?.end();
    },
  };
}
