// Token tables of 18 GB, and a janitor that left what had expired.
import { freePair } from '@touchstone/local-stack';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { numberOf, openAdmin } from './admin.ts';
import { type OwnStack, openOwnStack } from './own-stack.ts';
import { untilTrue } from './until.ts';

const today = Math.floor(Date.now() / 86_400_000);
const spentDay = today - 10;
const dayToCome = today + 30;

let own: OwnStack;
let admin: Awaited<ReturnType<typeof openAdmin>>;
beforeAll(async () => {
  own = await openOwnStack();
  admin = await openAdmin(own);
});
afterAll(async () => {
  await admin?.end();
  await own?.[Symbol.asyncDispose]();
});

/** As it is when nobody has looked for a while: a day that is spent is there, and one to come is not. */
const neglect = () => admin.query(`select attach_token_partition(${spentDay}); drop table token_${dayToCome} cascade`);

/** Which of the two are there. */
async function daysThere(): Promise<number[]> {
  const count = 'select count(to_regclass($1::text))';
  const there = await Promise.all([spentDay, dayToCome].map((day) => numberOf(admin, count, [`token_${day}`])));
  return [spentDay, dayToCome].filter((_, i) => there[i] === 1);
}

const untilKept = (milliseconds: number) =>
  untilTrue('upkeep is done', async () => (await daysThere()).join() === `${dayToCome}`, milliseconds);

test('Hydra issue 3784: a service drops the days that are spent by itself, and makes those to come', async () => {
  const { token } = await own.world.issue();
  await neglect();
  // Once a minute.
  await untilKept(90_000);
  expect((await own.world.validate(token)).active).toBe(true);
}, 120_000);

test('one that starts does so at once', async () => {
  await neglect();
  await own.stack.startAnother('revocation', await freePair());
  await untilKept(30_000);
  expect((await own.world.validate((await own.world.issue()).token)).active).toBe(true);
}, 60_000);
