import { createHmac } from 'node:crypto';
import type { Clock } from './clock.ts';
import { StoreUnavailable } from './errors.ts';
import { Chain } from './revisions/chain.ts';
import type { Follower, FollowerEvents } from './revisions/follower.ts';
import type { Hashes, HistoryReader, Mac, RevisionCodec, Tail } from './revisions/ports.ts';
import { type Change, type Cut, genesis, type Head, type SealedRevision } from './revisions/revision.ts';
import { type Mark, raise } from './revisions/watermarks.ts';
import type { Census } from './validate/ports.ts';

export const macUnder =
  (key: string): Mac =>
  (...parts) => {
    const hmac = createHmac('sha256', key);
    for (const part of parts) hmac.update(`${part.length}:`).update(part);
    return hmac.digest('hex');
  };
export const codec: RevisionCodec = {
  encode: (content) => Buffer.from(JSON.stringify(content)),
  decode: (bytes) => JSON.parse(Buffer.from(bytes).toString()),
};
export const chain = new Chain(macUnder('ours'), codec);
export const quiet: FollowerEvents = { historyReplaced() {}, sourceDistrusted() {} };

export const cut = (key: string, ceiling: number, over: Partial<Cut> = {}): Cut => ({
  revocationId: 'r',
  kind: 'user',
  key,
  tokenClass: 'token',
  ceiling,
  sparedTokenId: null,
  coversUntil: null,
  ...over,
});

/** The database's history, in memory. */
export class History implements HistoryReader {
  head: Head = genesis;
  revisions: SealedRevision[] = [];
  marks = new Map<string, Mark>();
  digest = chain.digestOf([], genesis);
  away = false;
  server = 'first';
  now = 0;
  /** How many revisions one question brings along. */
  depth = 2;
  /** How many questions came. */
  asked = 0;
  /** What happens before a question is answered. */
  answering = () => {};

  write(key: string, ceiling: number, over: Partial<Cut> = {}): SealedRevision {
    const one = cut(key, ceiling, over);
    const sealed = chain.next(this.head, { recordedAt: 0, cuts: [one] });
    const before = this.marks.get(key);
    const after = raise(before, one);
    this.digest = chain.digestAfter(this, sealed, [[before, after]]);
    this.marks.set(key, after);
    this.revisions.push(sealed);
    this.head = { revision: sealed.revision, hash: sealed.hash };
    return sealed;
  }

  writeRelease(audience: string): SealedRevision {
    return this.writeChange({ releases: [audience] });
  }

  writeChange(change: Change): SealedRevision {
    const sealed = chain.next(this.head, { recordedAt: 0, cuts: [], ...change });
    this.digest = chain.digestAfter(this, sealed, []);
    this.revisions.push(sealed);
    this.head = { revision: sealed.revision, hash: sealed.hash };
    return sealed;
  }

  async load(take: (marks: readonly Mark[], now: number) => void) {
    if (this.away) throw new StoreUnavailable();
    const { head, digest, now } = this;
    for (const mark of this.marks.values()) take([mark], now);
    return { head, digest, mac: chain.sealHistory(head, digest), now };
  }

  async readAfter(revision: number): Promise<Tail> {
    this.asked++;
    this.answering();
    if (this.away) throw new StoreUnavailable();
    const missed = this.revisions.filter((one) => one.revision > revision).slice(0, this.depth);
    return { head: this.head, missed, now: this.now, server: this.server };
  }

  async hashesOf(revisions: readonly number[], after: number): Promise<{ hashes: Hashes; tail: Tail }> {
    const tail = await this.readAfter(after);
    const wanted = this.revisions.filter(({ revision }) => revisions.includes(revision));
    return { hashes: new Map(wanted.map(({ revision, hash }) => [revision, hash])), tail };
  }
}

/** Another history begins to be loaded. @returns what lets it come. */
export async function replaceSlowly(history: History, follower: Follower): Promise<() => void> {
  const other = new History();
  other.write('bob', 1);
  const { promise, resolve } = Promise.withResolvers<void>();
  const { load } = history;
  history.load = async (take) => {
    history.load = load;
    await promise;
    return other.load(take);
  };
  Object.assign(history, { head: other.head, revisions: other.revisions, marks: other.marks, digest: other.digest });
  void follower.refresh();
  while (follower.age !== Infinity) await new Promise((resolve) => setImmediate(resolve));
  return resolve;
}

/** A census that nobody reads. */
export const censusIn = (history: History): Census => ({
  beat: ({ revision }) => history.readAfter(revision),
  leave: async () => {},
});

/** A clock that goes when it is told to. */
export class TestClock implements Clock {
  time = { wall: 1_800_000_000_000, monotonic: 0 };
  wall = (): number => this.time.wall;
  monotonic = (): number => this.time.monotonic;

  pass(milliseconds: number): void {
    this.time.wall += milliseconds;
    this.time.monotonic += milliseconds;
  }
}
