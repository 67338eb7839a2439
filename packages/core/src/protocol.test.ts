import fc from 'fast-check';
import { expect, test } from 'vitest';
import { systemClock } from './clock.ts';
import { Follower } from './revisions/follower.ts';
import type { HistoryReader } from './revisions/ports.ts';
import {
  appUserKey,
  type CutKind,
  type CutTarget,
  genesis,
  type Head,
  type SealedRevision,
} from './revisions/revision.ts';
import type { Mark } from './revisions/watermarks.ts';
import { composeRevision, targetText } from './revoke/compose-revision.ts';
import type { Revocation, RevocationIntent } from './revoke/ports.ts';
import { chain, quiet } from './test-history.ts';
import { record, recordsIn } from './test-record.ts';
import { type TokenKey, tokenIdOf } from './tokens/token-key.ts';
import { idOf, type TokenClass, type TokenRecord } from './tokens/token-record.ts';
import { consistentRecords } from './validate/consistent-records.ts';
import { decide } from './validate/decide.ts';
import type { RecordReader, WantedRecord } from './validate/ports.ts';

/**
 * The protocol of issuing, revoking and validating, with the code's own parts on a database in memory, under
 * interleavings that the property test chooses; against the promise in its plain form, which knows nothing of sequences.
 */

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
  readonly revocations: Revocation[] = [];
  #lock: Promise<void> = Promise.resolve();

  constructor(step: Step) {
    this.#step = step;
  }

  async issue(over: Partial<TokenRecord>): Promise<TokenRecord> {
    await this.#step('draw');
    const sequence = ++this.sequence;
    await this.#step('insert');
    const issued = record({ ...over, sequence });
    this.records.set(issued.key.key, issued);
    await this.#step('issued');
    return issued;
  }

  async revoke(intent: RevocationIntent): Promise<void> {
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
    const locked = {
      head,
      digest,
      mac,
      lastSequence: this.sequence,
      now: 0,
      lastPartition: null,
      marks,
      earlier: this.revocations,
    };
    const { write } = composeRevision(locked, [intent], chain);
    await this.#step('commit');
    if (write) {
      this.revisions.push(write.revision);
      this.head = { revision: write.revision.revision, hash: write.revision.hash };
      this.digest = write.digest;
      this.revocations.push(...write.revocations);
      for (const mark of write.marks) this.marks.set(targetText(mark, mark.tokenClass), mark);
    }
    release();
    await this.#step('revoked');
  }

  async load(take: (marks: readonly Mark[], now: number) => void) {
    const { head, digest } = this;
    take([...this.marks.values()], 0);
    return { head, digest, mac: chain.sealHistory(head, digest), now: 0 };
  }

  async readAfter(revision: number) {
    return { head: this.head, missed: this.revisions.slice(revision, revision + 2), now: 0, server: '' };
  }

  async hashesOf(revisions: readonly number[], after: number) {
    const wanted = this.revisions.filter(({ revision }) => revisions.includes(revision));
    const hashes = new Map(wanted.map(({ revision, hash }) => [revision, hash]));
    return { hashes, tail: await this.readAfter(after) };
  }

  async read(wanted: readonly WantedRecord[], revision: number) {
    await this.#step('send');
    const records = recordsIn(this.records, wanted);
    const tail = await this.readAfter(revision);
    await this.#step('reply');
    return { records, tail };
  }
}

/** A revocation as it is asked for. */
interface Wanted {
  readonly target: CutTarget;
  readonly reach: RevocationIntent['reach'];
  readonly credentials: boolean;
  /** The id of the credential that acts. */
  readonly spared: string;
}

function intentOf({ target, reach, credentials, spared }: Wanted, i: number): RevocationIntent {
  const classes: readonly TokenClass[] = credentials ? ['token', 'credential'] : ['token'];
  return {
    revocationId: `r${i}`,
    target,
    tenantId: 't1',
    cuts: classes.map((tokenClass) => ({ ...target, tokenClass })),
    reach,
    disables: null,
    includeCredentials: credentials,
    sparedTokenId: spared,
    reason: '',
    actor: { kind: 'operator', name: 'o', credentialId: spared, peer: '', traceId: '' },
    idempotencyKey: reach === 'forever' ? null : `k${i}`,
  };
}

/** What happened when, in the order in which the test let it happen. */
interface Interval {
  start: number;
  end: number;
}

function covers({ target, credentials, spared }: Wanted, token: TokenRecord): boolean {
  const { tenantId, appId, userHandle, audience } = token;
  const keys: Record<CutKind, string | null> = {
    all: '',
    tenant: tenantId,
    app: appId,
    user: userHandle,
    app_user: appUserKey(appId as string, userHandle as string),
    resource_server: audience,
    consent: token.consentId,
    signing_key: token.signingKeyId,
    token: idOf(token),
  };
  if (keys[target.kind] !== target.key) return false;
  return target.kind === 'token' || token.tokenClass === 'token' || (credentials && idOf(token) !== spared);
}

const tokensMax = 4;
const keyOf = (i: number): TokenKey => ({ partition: 1, key: String(i).padStart(32, '0') });
const someId = fc.nat({ max: tokensMax - 1 }).map((i) => tokenIdOf(keyOf(i)));

const bulk: fc.Arbitrary<Wanted> = fc.record({
  target: fc.constantFrom<CutTarget>(
    { kind: 'all', key: '' },
    { kind: 'tenant', key: 't1' },
    { kind: 'app', key: 'a1' },
    { kind: 'user', key: 'u1' },
    { kind: 'user', key: 'u2' },
    { kind: 'app_user', key: appUserKey('a1', 'u1') },
  ),
  reach: fc.constant('issued'),
  credentials: fc.boolean(),
  spared: someId,
});
const oneToken: fc.Arbitrary<Wanted> = someId.map((key) => ({
  target: { kind: 'token', key },
  reach: 'forever',
  credentials: false,
  spared: '',
}));
/** Repeats are the first one's again, so each is by the same caller. */
const disabling: fc.Arbitrary<Wanted> = fc
  .constantFrom<CutTarget>(
    { kind: 'tenant', key: 't1' },
    { kind: 'app', key: 'a1' },
    { kind: 'resource_server', key: 's1' },
  )
  .map((target) => ({ target, reach: 'forever', credentials: true, spared: tokenIdOf(keyOf(0)) }));
const someRevocation = fc.oneof({ weight: 4, arbitrary: bulk }, { weight: 2, arbitrary: oneToken }, disabling);

const someToken: fc.Arbitrary<Partial<TokenRecord>> = fc.record({
  tokenClass: fc.constantFrom<TokenClass>('token', 'token', 'credential'),
  tenantId: fc.constantFrom('t1', 't1', 't2'),
  appId: fc.constantFrom('a1', 'a2'),
  userHandle: fc.constantFrom('u1', 'u2'),
  audience: fc.constantFrom('s1', 's2'),
});
/** Something, and how many steps it waits before it begins: so that things come after as well as across one another. */
const delayed = <Value>(value: fc.Arbitrary<Value>, stepsMax: number) => fc.tuple(value, fc.nat({ max: stepsMax }));

test('under any interleaving a token is refused after a revocation that came after it, active before and beyond, and once refused for ever', async () => {
  const proven = new Set<string>();
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.array(delayed(someToken, 12), { minLength: 1, maxLength: tokensMax }),
      fc.array(delayed(someRevocation, 12), { minLength: 1, maxLength: 4 }),
      fc.array(delayed(fc.nat(), 30), { minLength: 4, maxLength: 12 }),
      async (scheduler, tokens, revocations, validations) => {
        let time = 0;
        const tick = () => ++time;
        const step: Step = async (name) => {
          await scheduler.schedule(Promise.resolve(), name);
          tick();
        };
        const database = new Database(step);
        const follower = await Follower.start(database, chain, systemClock, quiet);
        const records = consistentRecords(database, follower, { batchMax: 3, lanes: 2, waitingMax: 100 });

        const issued: Issued[] = [];
        const revoked: Revoked[] = [];
        const answered: Answered[] = [];

        const wait = async (steps: number) => {
          for (let i = 0; i <= steps; i++) await step('wait');
        };
        const issue = async ([over, steps]: readonly [Partial<TokenRecord>, number], i: number) => {
          await wait(steps);
          const start = tick();
          const token = await database.issue({ ...over, key: keyOf(i) });
          issued.push({ start, end: tick(), token });
        };
        const revoke = async ([wanted, steps]: readonly [Wanted, number], i: number) => {
          await wait(steps);
          const start = tick();
          await database.revoke(intentOf(wanted, i));
          revoked.push({ start, end: tick(), wanted });
          // A source that brings what it likes, when it likes.
          const some = database.revisions.at(i % 2 ? -1 : 0);
          if (some) follower.offer(some);
        };
        const validate = async ([pick, steps]: readonly [number, number]) => {
          await wait(steps);
          const i = pick % tokens.length;
          const { tokenClass, tenantId, audience } = record(tokens[i]?.[0]);
          const start = tick();
          const read = await records([{ key: keyOf(i), tenantIds: [tenantId] }]);
          const demand = { tokenClass, audience, scopes: ['read'], request: null, proof: null };
          const [found = null] = read.records;
          const opened = found && { ...secrets, scopes: found.scopes, expiresAt: found.expiresAt, requests: [] };
          const { active } = decide(found, opened, read.watermarks, demand, 0, null);
          answered.push({ start, end: tick(), key: keyOf(i).key, active });
        };

        const all = Promise.all([...tokens.map(issue), ...revocations.map(revoke), ...validations.map(validate)]);
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
        for (const token of issued) for (const what of check(token, revoked, answered)) proven.add(what);
      },
    ),
    { numRuns: 1_500 },
  );
  // That nothing of it is there for nothing.
  const kinds = ['all', 'tenant', 'app', 'user', 'app_user'].map((kind) => `${kind} issued`);
  const forever = ['token', 'tenant', 'app', 'resource_server'].map((kind) => `${kind} forever`);
  expect([...proven].sort()).toEqual([...kinds, ...forever, 'spared'].sort());
});

const secrets = { userId: null, claims: {}, principal: null };

type Issued = Interval & { readonly token: TokenRecord };
type Revoked = Interval & { readonly wanted: Wanted };
type Answered = Interval & { readonly key: string; readonly active: boolean };

/** Holds what was answered of a token against what was promised; gives what that was. */
function check({ start, end, token }: Issued, revoked: readonly Revoked[], answered: readonly Answered[]): string[] {
  const relevant = revoked.filter(({ wanted }) => covers(wanted, token));
  const mine = answered.filter(({ key }) => key === token.key.key);
  const isForever = ({ wanted }: Revoked) => wanted.reach === 'forever';
  const proven: string[] = [];
  for (const answer of mine) {
    const before = relevant.filter((one) => one.end < answer.start && (isForever(one) || end < one.start));
    const mayRefuse =
      answer.start < end || relevant.some((one) => one.start < answer.end && (isForever(one) || one.end >= start));
    const context = JSON.stringify({ id: idOf(token), start, end, answer, relevant });
    if (before.length > 0) expect(answer.active, context).toBe(false);
    if (!mayRefuse) expect(answer.active, context).toBe(true);
    for (const { wanted } of before) proven.push(`${wanted.target.kind} ${wanted.reach}`);
    const spares = ({ wanted, ...one }: Revoked) =>
      wanted.credentials && wanted.spared === idOf(token) && end < one.start && one.end < answer.start;
    if (answer.active && token.tokenClass === 'credential' && revoked.some(spares)) proven.push('spared');
  }
  const refusedAt = Math.min(...mine.filter((one) => !one.active && one.start > end).map((one) => one.end));
  for (const answer of mine) if (answer.start > refusedAt) expect(answer.active).toBe(false);
  return proven;
}
