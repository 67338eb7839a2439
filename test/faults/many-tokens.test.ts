// Whoever had 300,000 tokens could not be signed out in minutes, and took the database down.
import { parseRevision } from '@touchstone/core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { seedTokens } from '../bench/seed.ts';
import { shuffled, type Tokens } from '../bench/tokens.ts';
import { userIdOf } from '../bench/users.ts';
import { shared } from '../harness/shared-stack.ts';
import { type Clients, clientsOf, scopes, unique } from '../harness/world.ts';
import { numberOf, openAdmin } from './admin.ts';
import { type Calls, callsOf, type Target } from './calls.ts';
import { outcomeOf } from './outcome.ts';
import { type OwnStack, openOwnStack } from './own-stack.ts';
import { until, untilTrue } from './until.ts';

const [count, more] = [300_000, 100_000];
const resources = new AsyncDisposableStack();
let own: OwnStack;
let admin: Awaited<ReturnType<typeof openAdmin>>;
let calls: Calls;
beforeAll(async () => {
  own = resources.use(await openOwnStack());
  admin = resources.use(await openAdmin(own));
  calls = callsOf(own.stack, own.world);
  // What it writes is none of a revocation's.
  await admin.query('alter system set autovacuum = off');
  await admin.query('select pg_reload_conf()');
});
afterAll(() => resources.disposeAsync());

/** So many, all of one user. */
async function seed(tokensCount: number): Promise<Tokens> {
  const { tenantId, appId, audience } = own.world;
  const { signal } = new AbortController();
  const holders = [{ tenantId, appId, audience, scopes }];
  return shuffled(await seedTokens({ signal, onProgress: () => {} }, own.stack, tokensCount, { holders, users: 1 }));
}

const logEnd = () => numberOf(admin, `select pg_current_wal_insert_lsn() - '0/0'`);

/** Rows written by the transaction of a revision, by their table; a partition counts as its parent. */
async function rowsOf(revision: number): Promise<Record<string, number>> {
  const tables = await admin.query<{ name: string }>(
    `select relname as name from pg_class where relnamespace = 'touchstone'::regnamespace and relkind = 'r'`,
  );
  const parts = tables.rows.map(
    ({ name }) => `select '${name.replace(/_\d+$/, '')}' as name from ${name}
                    where xmin = (select xmin from revision where revision = ${revision})`,
  );
  const { rows } = await admin.query<{ name: string }>(parts.join(' union all '));
  return Object.fromEntries([...Map.groupBy(rows, ({ name }) => name)].map(([name, all]) => [name, all.length]));
}

/** Keeps every revocation from writing its event, which is the last that it does before its commit. */
async function holdBack() {
  const holder = await openAdmin(own);
  await holder.query('begin; lock table outbox in share mode');
  const waiting = `select pid from pg_locks where relation = 'outbox'::regclass and not granted`;
  return {
    untilOneWaits: () => untilTrue('one waits', async () => (await admin.query(waiting)).rowCount === 1),
    /** How many partitions of tokens the one that waits has locked. */
    locked: () =>
      numberOf(
        admin,
        `select count(*) from pg_locks l join pg_class c on c.oid = l.relation
          where c.relname ~ '^token_[0-9]+$' and l.pid in (${waiting})`,
      ),
    release: () => holder.end(),
  };
}

/** Revokes all that there is of a target, validates others' tokens meanwhile, and tells what it took. */
async function revoke(target: Target, { revocation }: Pick<Clients, 'revocation'> = own.world.operator) {
  const others = await Promise.all(Array.from({ length: 10 }, () => calls.issue({ userId: 'bob' })));
  const request = { target: { target }, reason: 'signed out', idempotencyKey: unique('sign-out') };
  const [before, start] = [await numberOf(admin, 'select revision from history'), await logEnd()];
  const held = await holdBack();
  // It waits no longer than any statement may; after that it may be sent again.
  const revoking = until('it is revoked', async () => {
    const outcome = await outcomeOf(revocation.revokeTokens(request));
    return outcome.ok ? outcome.answer : undefined;
  });
  await held.untilOneWaits();
  const answers = await Promise.all(others.map(({ token }) => calls.validate(token)));
  const locked = await held.locked();
  await held.untilOneWaits();
  await held.release();
  const revision = parseRevision((await revoking).revision)?.revision ?? 0;
  return {
    answers: answers.map(({ active }) => active),
    locked,
    revisions: revision - before,
    rows: await rowsOf(revision),
    bytes: (await logEnd()) - start,
  };
}

/** Revokes a target of many live tokens, and holds it against what the revocation of one user with one token took. */
async function expectAsOne(tokens: Tokens, tokensCount: number, revokeMany: () => ReturnType<typeof revoke>) {
  const { token } = await calls.issue({ userId: 'one' });
  const one = await revoke(userOf('one'));
  expect((await calls.validate(token)).active).toBe(false);

  const sample = tokens.draw(100);
  for (const text of sample) expect((await calls.validate(text)).active).toBe(true);
  const many = await revokeMany();
  const refused = await Promise.all(sample.map(async (text) => !(await calls.validate(text)).active));
  expect(refused).not.toContain(false);

  for (const taken of [one, many]) {
    expect(taken.answers).not.toContain(false);
    expect(taken).toMatchObject({ locked: 0, revisions: 1 });
    expect(taken.rows).toEqual({ revision: 1, history: 1, revocation: 1, watermark: 1, outbox: 1 });
  }
  // Whenever it is written, a token that is touched takes more than a byte of the log.
  expect(many.bytes - one.bytes).toBeLessThan(tokensCount);
}

const userOf = (userId: string): Target => ({ case: 'user', value: { tenantId: own.world.tenantId, userId } });

test('Hydra issues 2000, 1653, 1119: the revocation of 300,000 tokens takes what that of one does, and no validation waits for it', async () => {
  await expectAsOne(await seed(count), count, () => revoke(userOf(userIdOf(0))));
}, 600_000);

test('and so does that of everything', async () => {
  const platform = clientsOf(shared(own.stack), own.stack.demo.operatorToken);
  await expectAsOne(await seed(more), more, () => revoke({ case: 'all', value: {} }, platform));
});
