import { LRUCache } from 'lru-cache';
import { ageOf, type Clock, type Instant, instantOf } from '../clock.ts';
import { StoreUnavailable } from '../errors.ts';
import { gather } from '../gather.ts';
import type { Chain } from './chain.ts';
import type { HistoryReader, HistorySnapshot, Tail } from './ports.ts';
import { genesis, type Head, type RevisionContent, type SealedRevision } from './revision.ts';
import type { RevisionName } from './revision-text.ts';
import { Watermarks } from './watermarks.ts';

/** How many hashes back the follower remembers, to tell a late answer from another history. */
const hashesRemembered = 4_096;

/** Milliseconds between two looks at what can be forgotten. Each is at a thousandth of the marks; they cover months. */
const forgetMilliseconds = 1_000;

/** When a question to the database was sent, and what was known then. */
export interface Question {
  readonly sentAt: Instant;
  readonly revision: number;
  readonly generation: number;
}

/** What is known of an answer that has been absorbed. */
export interface Absorbed {
  /** It counts as long as the follower is of the same. */
  readonly generation: number;
}

/** What happens to a follower, for logs and metrics. */
export interface FollowerEvents {
  /** The database tells another history than the one followed (restored, failed over, forged): all was loaded anew. */
  historyReplaced(before: Head, after: Head): void;
  /** A source brought something that does not continue the chain. */
  sourceDistrusted(revision: number): void;
}

/** Written under our key, and yet not understood: the replica that follows is of a former version. */
export class RevisionTooNew extends Error {
  override readonly name = 'RevisionTooNew';
  constructor(revision: number, cause: unknown) {
    super(`revision ${revision} says what only a newer version of this program knows: replace this replica by that`, {
      cause,
    });
  }
}

/**
 * Follows the chain of revisions and keeps the watermarks that it folds to. Revisions may come from anywhere, in any
 * order: one is applied only if it continues the chain held; about everything else the database is asked.
 */
export class Follower {
  readonly #reader: HistoryReader;
  readonly #chain: Chain;
  readonly #clock: Clock;
  readonly #events: FollowerEvents;
  #watermarks = new Watermarks();
  #applied: Head;
  #hashes = new Map<number, string>();
  /** Hashes from before those, of the same history, that were asked for. */
  readonly #askedHashes = new LRUCache<number, string>({ max: hashesRemembered });
  /** As many at once as a single call can name. */
  readonly #askHash = gather((revisions: readonly number[]) => this.#hashesFromBefore(revisions), {
    batchMax: 1_000,
    lanes: 1,
    waitingMax: 20_000,
  });
  /** The revision that last changed what a resource server is shown, of those applied here. */
  #releasedAt = new Map<string, number>();
  /** The revision that last changed what a tenant's policy holds against tokens that are there, of those applied here. */
  #policyAt = new Map<string, number>();
  /** The revision that the watermarks were loaded at: what came before it is not known one by one. */
  #loadedAt = 0;
  #server: string | null = null;
  /** The server that took this replica's last commit, and how to make another; null: it makes none. */
  #inForce: { server: string; readonly commit: () => Promise<void> } | null = null;
  #generation = 0;
  #provenAt: Instant | null = null;
  /** What the database's clock said, to a question sent then. */
  #databaseTime: { readonly now: number; readonly at: Instant };
  #forgotAt: Instant;
  #reloading: Promise<null> | null = null;
  #refreshing: Promise<void> | null = null;

  private constructor(
    reader: HistoryReader,
    chain: Chain,
    clock: Clock,
    events: FollowerEvents,
    from: Loaded,
    sentAt: Instant,
  ) {
    this.#reader = reader;
    this.#chain = chain;
    this.#clock = clock;
    this.#events = events;
    this.#applied = from.head;
    this.#provenAt = sentAt;
    this.#databaseTime = { now: from.now, at: sentAt };
    this.#forgotAt = sentAt;
    this.#adopt(from);
  }

  /**
   * Loads what is in force from the database.
   * @throws StoreUnavailable when it can't be read, or when what it holds was not written by this installation's keys.
   */
  static async start(reader: HistoryReader, chain: Chain, clock: Clock, events: FollowerEvents): Promise<Follower> {
    const sentAt = instantOf(clock);
    const loaded = await load(reader, chain, clock);
    return new Follower(reader, chain, clock, events, loaded, sentAt);
  }

  /** The latest revision applied. */
  get applied(): Head {
    return this.#applied;
  }

  /**
   * Rises when another server answers, or another history is told. Nothing remembered of the database from before counts
   * any more: it may have been put back to an older state, in which what was remembered never was.
   */
  get generation(): number {
    return this.#generation;
  }

  get watermarks(): Watermarks {
    return this.#watermarks;
  }

  /**
   * The latest revision that may have changed what the resource server is shown, or what its tenant's policy holds against
   * tokens that are there.
   */
  releasedAt(tenantId: string, audience: string): number {
    return Math.max(this.#releasedAt.get(audience) ?? this.#loadedAt, this.#policyAt.get(tenantId) ?? this.#loadedAt);
  }

  /** Milliseconds: everything that returned longer ago than this is known here. */
  get age(): number {
    return this.#provenAt ? ageOf(this.#provenAt, this.#clock) : Number.POSITIVE_INFINITY;
  }

  /** Whether the revision belongs to this history and has been applied; null: only the database can tell. */
  hasReached({ revision, hashStart }: RevisionName): boolean | null {
    if (revision > this.#applied.revision) return null;
    const hash =
      revision === genesis.revision ? genesis.hash : (this.#hashes.get(revision) ?? this.#askedHashes.get(revision));
    return hash === undefined ? null : hash.startsWith(hashStart);
  }

  /**
   * Whether the revision belongs to the history that is in force and has been applied, once the database was asked where
   * that is needed.
   * @throws StoreUnavailable, Overloaded
   */
  async reaches(name: RevisionName): Promise<boolean> {
    const isOfAnother = this.hasReached(name) === false;
    // Which of the two histories is in force the database tells: this one may have been replaced, or never have been it.
    if (isOfAnother || name.revision > this.#applied.revision) await this.refresh();
    const known = this.hasReached(name);
    if (known !== null || name.revision > this.#applied.revision) return known === true;
    const { hash, generation } = await this.#askHash(name.revision);
    // The history may have been replaced while this waited for its turn.
    if (generation !== this.#generation) return this.reaches(name);
    return hash?.startsWith(name.hashStart) === true;
  }

  async #hashesFromBefore(revisions: readonly number[]): Promise<readonly AskedHash[]> {
    const asked = [...new Set(revisions)];
    const { hashes, generation } = await this.askUntilCovered(({ revision }) => this.#reader.hashesOf(asked, revision));
    if (generation === this.#generation) {
      for (const [revision, hash] of hashes) this.#askedHashes.set(revision, hash);
    }
    return revisions.map((revision) => ({ hash: hashes.get(revision), generation }));
  }

  /** Takes a revision from a source; asks the database where it does not simply follow. */
  offer(sealed: SealedRevision): void {
    try {
      if (this.#apply(sealed)) return;
    } catch {
      // The database says the same to whoever asks.
    }
    this.#distrust(sealed);
  }

  /**
   * Takes a revision that this replica has committed, and need not read. One that does not simply follow comes with the next
   * answer of the database.
   */
  takeOwn(sealed: SealedRevision, content: RevisionContent): void {
    const { revision, hash } = this.#applied;
    if (sealed.revision === revision + 1 && sealed.previousHash === hash) this.#take(sealed, content);
  }

  #distrust(sealed: SealedRevision): void {
    this.#events.sourceDistrusted(sealed.revision);
    // Whoever needs an answer asks for itself and sees the failure: this is only to be early.
    this.refresh().catch(() => {});
  }

  /** The database's clock, milliseconds since 1970: what it said last and the time that has passed since. */
  get databaseNow(): number {
    return this.#databaseTime.now + ageOf(this.#databaseTime.at, this.#clock);
  }

  /**
   * Takes what the database said of its history. Once this resolves to a generation, everything that had returned when the
   * question was sent is applied, and the answer is of that generation, whichever it is by then. Null: the history has been
   * replaced since and was loaded anew; what the answer brought belongs to the old one, so ask again; or another server has
   * answered meanwhile.
   * @throws StoreUnavailable
   */
  async absorb(question: Question, tail: Tail): Promise<number | null> {
    if (question.generation !== this.#generation) return null;
    this.#meet(tail.server);
    const generation = this.#generation;
    for (const sealed of tail.missed) this.#apply(sealed);
    while (this.#applied.revision < tail.head.revision) {
      const before = this.#applied.revision;
      const { missed, server } = await this.#reader.readAfter(before);
      // Whether that one is in force was not asked; or another one has answered meanwhile.
      if (server !== tail.server || generation !== this.#generation) return null;
      for (const sealed of missed) this.#apply(sealed);
      // The revisions are there but don't continue the chain held: it is another history.
      if (this.#applied.revision <= before) return this.#reload();
    }
    if (this.#isReplacedBy(tail.head, question)) return this.#reload();
    // The clock has been set back so far that what was forgotten may be needed.
    if (!this.#watermarks.isWholeAt(tail.now)) return this.#reload();
    this.#prove(question.sentAt);
    this.#tellTime(question.sentAt, tail.now);
    this.#forget(tail.now);
    return generation;
  }

  /** Asks the database where its history stands; callers that wait at the same time share a question sent after they came. */
  async refresh(): Promise<void> {
    // One under way was sent before this call: what it proves may be older than what is wanted.
    await this.#refreshing?.catch(() => {});
    this.#refreshing ??= this.askUntilCovered(async (question) => {
      return { tail: await this.#reader.readAfter(question.revision) };
    })
      .then(() => {})
      .finally(() => {
        this.#refreshing = null;
      });
    return this.#refreshing;
  }

  /**
   * Sends a question that brings the tail along, and absorbs that; again where the history was replaced meanwhile. Says of
   * which generation the answer is.
   * @throws StoreUnavailable also where another server answers than the one in force.
   */
  async askUntilCovered<Answer extends { readonly tail: Tail }>(
    send: (question: Question) => Promise<Answer>,
  ): Promise<Answer & Absorbed> {
    return this.#ask(send, ({ server }) => this.#requireInForce(server));
  }

  /**
   * As `askUntilCovered` with a question that is a commit: from then on only the server that took it is believed. One that
   * was cut off can't commit, but answers reads for as long as connections to it last.
   *
   * @param commit makes another, where some other server answers.
   */
  async commitUntilCovered(
    send: (question: Question) => Promise<{ readonly tail: Tail }>,
    commit: () => Promise<void>,
  ): Promise<void> {
    const { tail } = await this.#ask(send, async () => {});
    this.#inForce = { server: tail.server, commit };
  }

  async #ask<Answer extends { readonly tail: Tail }>(
    send: (question: Question) => Promise<Answer>,
    requireTrusted: (tail: Tail) => Promise<void> | undefined,
  ): Promise<Answer & Absorbed> {
    for (let attempt = 0; attempt < 3; attempt++) {
      const sentAt = instantOf(this.#clock);
      const question: Question = { sentAt, revision: this.#applied.revision, generation: this.#generation };
      const answer = await send(question);
      await requireTrusted(answer.tail);
      const generation = await this.absorb(question, answer.tail);
      if (generation !== null) return { ...answer, generation };
    }
    throw new StoreUnavailable(new Error('the history of revisions does not stand still'));
  }

  /** A server that was started anew is in force as soon as it takes a commit. */
  #requireInForce(server: string): Promise<void> | undefined {
    const inForce = this.#inForce;
    if (!inForce || inForce.server === server) return undefined;
    return inForce.commit().then(() => {
      if (this.#inForce?.server !== server)
        throw new StoreUnavailable(new Error('a server that is not in force answered'));
    });
  }

  #apply(sealed: SealedRevision): boolean {
    if (sealed.revision <= this.#applied.revision) return !this.#contradicts(sealed);
    const content = this.#read(sealed);
    if (!content) return false;
    this.#take(sealed, content);
    return true;
  }

  #take(sealed: SealedRevision, content: RevisionContent): void {
    for (const cut of content.cuts) this.#watermarks.raise(cut);
    for (const audience of content.releases ?? []) this.#releasedAt.set(audience, sealed.revision);
    for (const tenantId of content.policies ?? []) this.#policyAt.set(tenantId, sealed.revision);
    this.#applied = { revision: sealed.revision, hash: sealed.hash };
    this.#remember(this.#applied);
  }

  /** @throws StoreUnavailable, of which the cause is RevisionTooNew. */
  #read(sealed: SealedRevision): RevisionContent | null {
    try {
      return this.#chain.continues(this.#applied, sealed);
    } catch (error) {
      throw new StoreUnavailable(new RevisionTooNew(sealed.revision, error));
    }
  }

  #contradicts(head: Head): boolean {
    const known = this.#hashes.get(head.revision);
    return known !== undefined && known !== head.hash;
  }

  /** A lower revision than the one applied may simply be a late answer; than the one applied when it was asked, never. */
  #isReplacedBy(head: Head, question: Question): boolean {
    return head.revision < question.revision || this.#contradicts(head);
  }

  #meet(server: string): void {
    if (this.#server !== null && this.#server !== server) this.#generation += 1;
    this.#server = server;
  }

  /** Only what has ended on both clocks: what one that ran ahead had let us forget would be honoured again. */
  #forget(databaseNow: number): void {
    if (ageOf(this.#forgotAt, this.#clock) < forgetMilliseconds) return;
    this.#forgotAt = instantOf(this.#clock);
    this.#watermarks.forget(Math.min(databaseNow, this.#forgotAt.wall));
  }

  #prove(sentAt: Instant): void {
    if (!this.#provenAt || sentAt.monotonic > this.#provenAt.monotonic) this.#provenAt = sentAt;
  }

  /** The older a question, the longer it may have waited before the database said its time. */
  #tellTime(sentAt: Instant, now: number): void {
    if (sentAt.monotonic >= this.#databaseTime.at.monotonic) this.#databaseTime = { now, at: sentAt };
  }

  #reload(): Promise<null> {
    this.#reloading ??= this.#load().finally(() => {
      this.#reloading = null;
    });
    return this.#reloading;
  }

  async #load(): Promise<null> {
    const before = this.#applied;
    // Whichever server tells it: only the next question proves that it is the one in force.
    this.#provenAt = null;
    const loaded = await load(this.#reader, this.#chain, this.#clock);
    this.#adopt(loaded);
    // Nor what has come meanwhile, which may have been of what was held before.
    this.#provenAt = null;
    this.#generation += 1;
    this.#events.historyReplaced(before, loaded.head);
    return null;
  }

  #adopt({ head, watermarks }: Loaded): void {
    this.#watermarks = watermarks;
    this.#applied = head;
    this.#hashes = new Map();
    this.#askedHashes.clear();
    this.#releasedAt = new Map();
    this.#policyAt = new Map();
    this.#loadedAt = head.revision;
    this.#remember(head);
  }

  #remember({ revision, hash }: Head): void {
    this.#hashes.set(revision, hash);
    this.#hashes.delete(revision - hashesRemembered);
  }
}

/** The hash of a revision; undefined: there is no such revision. */
type AskedHash = Absorbed & { readonly hash: string | undefined };

type Loaded = HistorySnapshot & { readonly watermarks: Watermarks };

/** Nothing that was not written under the installation's keys is loaded. */
async function load(reader: HistoryReader, chain: Chain, clock: Clock): Promise<Loaded> {
  const watermarks = new Watermarks();
  let weight = 0n;
  const snapshot = await reader.load((marks, now) => {
    // On both clocks, as where they are forgotten.
    watermarks.addLasting(marks, Math.min(now, clock.wall()));
    weight += chain.weightOf(marks);
  });
  const { head, digest, mac } = snapshot;
  if (chain.sealHistory(head, digest) !== mac || chain.digestOfWeight(weight, head) !== digest) {
    throw new StoreUnavailable(new Error('the watermarks in the database were not written under this key'));
  }
  return { ...snapshot, watermarks };
}
