import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { systemClock } from './clock.ts';
import { Chain } from './revisions/chain.ts';
import { Follower } from './revisions/follower.ts';
import type { HistoryReader, Mac, RevisionCodec } from './revisions/ports.ts';
import { type CutTarget, genesis, type Head, type SealedRevision } from './revisions/revision.ts';
import type { Mark } from './revisions/watermarks.ts';
import { composeRevision, targetText } from './revoke/compose-revision.ts';
import type { RevocationIntent } from './revoke/ports.ts';
import type { TokenKey } from './tokens/token-key.ts';
import { idOf, type TokenRecord } from './tokens/token-record.ts';
import { consistentRecords } from './validate/consistent-records.ts';
import { decide } from './validate/decide.ts';
import type { RecordReader } from './validate/ports.ts';

/**
 * The protocol of issuing, revoking and validating, with the code's own parts on a database in memory, under
 * interleavings that the property test chooses; against the promise in its plain form, which knows nothing of sequences.
 */

const mac: Mac = (...parts) => {
  const hmac = createHmac('sha256', 'key');
  for (const part of parts) hmac.update(`${part.length}:`).update(part);
  return hmac.digest('hex');
};
const codec: RevisionCodec = {
  encode: (content) => Buffer.from(JSON.stringify(content)),
  decode: (bytes) => JSON.parse(Buffer.from(bytes).toString()),
};
const chain = new Chain(mac, codec);

/** Waits until the test lets this step happen. */
type Step = (name: string) => Promise<void>;

class Database implements HistoryReader, RecordReader {
  readonly #step: Step;
  sequence = 0;
  head: Head = genesis;
  digest = chain.digestOf([], genesis);
  readonly records = new Map<string, TokenRecord>();
  readonly revisions: SealedRevision[] = [];
  readonly marks = new Map<string, Mark>();
  #lock: Promise<void> = Promise.resolve();

  constructor(step: Step) {
    this.#step = step;
  }

  async issue(over: Partial<TokenRecord>, key: string): Promise<TokenRecord> {
    await this.#step('draw');
    const sequence = ++this.sequence;
    await this.#step('insert');
    const record: TokenRecord = { ...template, ...over, key: { partition: 1, key }, sequence };
    this.records.set(key, record);
    await this.#step('issued');
    return record;
  }

  async revoke(intents: readonly RevocationIntent[]): Promise<void> {
    const before = this.#lock;
    let release = () => {};
    this.#lock = new Promise((resolve) => {
      release = resolve;
    });
    await before;
    const { head, digest } = this;
    await this.#step('read the ceiling');
    const marks = [...this.marks.values()];
    const mac = chain.sealHistory(head, digest);
    const locked = { head, digest, mac, lastSequence: this.sequence, now: 0, marks, earlier: [] };
    const { write } = composeRevision(locked, intents, chain);
    await this.#step('commit');
    if (write) {
      this.revisions.push(write.revision);
      this.head = { revision: write.revision.revision, hash: write.revision.hash };
      this.digest = write.digest;
      for (const mark of write.marks) this.marks.set(targetText(mark, mark.tokenClass), mark);
    }
    release();
    await this.#step('revoked');
  }

  async load() {
    const { head, digest } = this;
    return { head, digest, mac: chain.sealHistory(head, digest), marks: [...this.marks.values()], now: 0 };
  }

  async readAfter(revision: number) {
    return { head: this.head, missed: this.revisions.slice(revision, revision + 2), now: 0, server: '' };
  }

  async read(keys: readonly TokenKey[], revision: number) {
    await this.#step('send');
    const records = keys.map(({ key }) => this.records.get(key) ?? null);
    const tail = await this.readAfter(revision);
    await this.#step('reply');
    return { records, tail };
  }
}

const template: TokenRecord = {
  key: { partition: 1, key: '' },
  tokenClass: 'token',
  tenantId: 't',
  appId: 'a',
  userHandle: 'u',
  consentId: null,
  audience: 's',
  scopes: ['read'],
  usage: 'test',
  method: 'reference',
  signingKeyId: null,
  policyVersion: 0,
  confirmation: null,
  lineage: [],
  sequence: 0,
  issuedAt: 0,
  expiresAt: 1,
  sealKeyId: 1,
  sealed: Buffer.alloc(0),
  revokedRevision: null,
};

const intentOf = (target: CutTarget, i: number): RevocationIntent => ({
  revocationId: `r${i}`,
  target,
  tenantId: 't',
  cuts: [{ ...target, tokenClass: 'token' }],
  reach: 'issued',
  token: null,
  disables: null,
  includeCredentials: false,
  sparedTokenId: null,
  reason: '',
  actor: { kind: 'operator', name: 'o', credentialId: 'c', peer: '', traceId: '' },
  idempotencyKey: `k${i}`,
});

/** What happened when, in the order in which the test let it happen. */
interface Interval {
  start: number;
  end: number;
}

const covers = (target: CutTarget, token: TokenRecord): boolean =>
  target.kind === 'all' ||
  (target.kind === 'user' && target.key === token.userHandle) ||
  (target.kind === 'app' && target.key === token.appId);

const someTarget: fc.Arbitrary<CutTarget> = fc.constantFrom(
  { kind: 'all', key: '' },
  { kind: 'user', key: 'u1' },
  { kind: 'user', key: 'u2' },
  { kind: 'app', key: 'a1' },
);
const someToken = fc.record({ userHandle: fc.constantFrom('u1', 'u2'), appId: fc.constantFrom('a1', 'a2') });
/** Something, and how many steps it waits before it begins: so that things come after as well as across one another. */
const delayed = <Value>(value: fc.Arbitrary<Value>, stepsMax: number) => fc.tuple(value, fc.nat({ max: stepsMax }));

test('under any interleaving a token is refused after a revocation that came after it, active before and beyond, and once refused for ever', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.array(delayed(someToken, 12), { minLength: 1, maxLength: 4 }),
      fc.array(delayed(someTarget, 12), { minLength: 1, maxLength: 3 }),
      fc.array(delayed(fc.nat(), 30), { minLength: 4, maxLength: 12 }),
      async (scheduler, tokens, targets, validations) => {
        let time = 0;
        const tick = () => ++time;
        const step: Step = async (name) => {
          await scheduler.schedule(Promise.resolve(), name);
          tick();
        };
        const database = new Database(step);
        const quiet = { historyReplaced() {}, sourceDistrusted() {} };
        const follower = await Follower.start(database, chain, systemClock, quiet);
        const records = consistentRecords(database, follower, { batchMax: 3, lanes: 2, waitingMax: 100 });

        const issued: (Interval & { record: TokenRecord })[] = [];
        const revoked: (Interval & { target: CutTarget })[] = [];
        const answered: (Interval & { key: string; active: boolean })[] = [];

        const wait = async (steps: number) => {
          for (let i = 0; i <= steps; i++) await step('wait');
        };
        const issue = async ([over, steps]: readonly [Partial<TokenRecord>, number], i: number) => {
          await wait(steps);
          const start = tick();
          const record = await database.issue(over, String(i));
          issued.push({ start, end: tick(), record });
        };
        const revoke = async ([target, steps]: readonly [CutTarget, number], i: number) => {
          await wait(steps);
          const start = tick();
          await database.revoke([intentOf(target, i)]);
          revoked.push({ start, end: tick(), target });
          // A source that brings what it likes, when it likes.
          const some = database.revisions.at(i % 2 ? -1 : 0);
          if (some) follower.offer(some);
        };
        const validate = async ([pick, steps]: readonly [number, number]) => {
          await wait(steps);
          const key = String(pick % tokens.length);
          const start = tick();
          const { record } = await records({ partition: 1, key });
          const open = () => ({ userId: null, claims: {}, principal: null, scopes: ['read'], expiresAt: 1 });
          const demand = { tokenClass: 'token', audience: 's', scopes: ['read'] } as const;
          const { active } = decide(record, open, follower.watermarks, demand, 0);
          answered.push({ start, end: tick(), key, active });
        };

        const all = Promise.all([...tokens.map(issue), ...targets.map(revoke), ...validations.map(validate)]);
        let over = false;
        void all.finally(() => {
          over = true;
        });
        while (!over) {
          // Batches are gathered in a turn of the event loop of their own.
          await new Promise<void>((resolve) => setImmediate(resolve));
          if (scheduler.count() > 0) await scheduler.waitOne();
        }
        await all;
        for (const token of issued) await check(token, revoked, answered);
      },
    ),
    { numRuns: 400 },
  );
});

async function check(
  { start, end, record }: Interval & { record: TokenRecord },
  revoked: readonly (Interval & { target: CutTarget })[],
  answered: readonly (Interval & { key: string; active: boolean })[],
): Promise<void> {
  const relevant = revoked.filter(({ target }) => covers(target, record));
  const mine = answered.filter(({ key }) => key === record.key.key);
  for (const answer of mine) {
    const mustRefuse = relevant.some((one) => end < one.start && one.end < answer.start);
    const mayRefuse = relevant.some((one) => !(one.end < start) && one.start < answer.end) || answer.start < end;
    const context = JSON.stringify({ id: idOf(record), start, end, answer, relevant });
    if (mustRefuse) expect(answer.active, context).toBe(false);
    if (!mayRefuse) expect(answer.active, context).toBe(true);
  }
  const refusedAt = Math.min(...mine.filter((one) => !one.active && one.start > end).map((one) => one.end));
  for (const answer of mine) if (answer.start > refusedAt) expect(answer.active).toBe(false);
}
