import { Overloaded, StoreUnavailable, TooManyTokens } from '@touchstone/core';
import pg from 'pg';
import { expect, test } from 'vitest';
import { StatementRefused } from './database.ts';
import { OutboxWriter } from './outbox-rows.ts';

const refusedStatement = new StatementRefused(Object.assign(new pg.DatabaseError('', 0, 'error'), { code: '23505' }));

test.each<[string, Error, boolean]>([
  ['a refusal', new TooManyTokens(2), true],
  ['what was not begun', new Overloaded(), true],
  ['what the server refused', refusedStatement, true],
  ['a write of which nobody knows', new StoreUnavailable(), false],
  ['a fault', new TypeError(), false],
])('after %s the count goes on only where it is known to have written nothing', async (_, error, goesOn) => {
  const writer = new OutboxWriter('issuer-1', { encode: () => Buffer.alloc(0) } as never);
  await writer.writing(async () => ({ written: 3 }));
  const { name } = writer;
  await expect(writer.writing(() => Promise.reject(error))).rejects.toBe(error);
  expect([writer.name === name, writer.count]).toEqual(goesOn ? [true, 3] : [false, 0]);
});
