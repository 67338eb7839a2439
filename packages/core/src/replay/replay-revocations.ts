import { bootstrapActor } from '../access/bootstrap.ts';
import { refreshAudience } from '../access/rights.ts';
import { newId } from '../new-id.ts';
import type { Chain } from '../revisions/chain.ts';
import type { CutTarget, Head, SealedRevision } from '../revisions/revision.ts';
import { formatRevision, type RevisionName } from '../revisions/revision-text.ts';
import type { RevocationWriter } from '../revoke/ports.ts';
import { type LostRevision, LostRevisions } from './lost-revisions.ts';
import { type PublishedRevisions, ReplayRefused, type RestoredHistory } from './ports.ts';

export interface ReplayPorts {
  readonly topic: PublishedRevisions;
  readonly history: RestoredHistory;
  readonly revocations: RevocationWriter;
  readonly chain: Chain;
}

/** What is told while it goes on. */
export interface ReplayEvents {
  /** The topic is being read: so many of its messages, about. */
  read(done: bigint, total: bigint): void;
  /** What will be done, before anything is. */
  found(lost: Replayed): void;
  replayed(done: number, total: number): void;
}

export interface Replayed {
  /** Where the history stands then. */
  readonly head: Head;
  /** How many revisions were appended. */
  readonly revisions: number;
  /** Resource servers of which it had been changed what they are shown: the revisions say that, and not how. */
  readonly releases: readonly string[];
  /** Tenants of which it had been changed what their policies hold against tokens that are there. */
  readonly policies: readonly string[];
  /** Messages on the topic that this installation did not write. */
  readonly foreign: number;
}

/** Of contents, in one transaction: some thousand cuts. */
const batchBytesMax = 262_144;

/** All refresh tokens, and what came with them: each token of a family names one among its ancestors. */
const refreshTokens: CutTarget = { kind: 'resource_server', key: refreshAudience };

/**
 * Brings a restored database to where its history had come to, by what was published of that: the same revisions, with the
 * same hashes. Then it ends every family of refresh tokens, in a revision of its own: which were used since the backup is not
 * known any more, and those would be good once more. It may be interrupted at any point and started again: what has been
 * done is not done twice. Before services are let at the database.
 * @param to the last revision to replay, where the topic has several ends; null: its only end.
 * @throws ReplayRefused, before anything is changed, where the topic does not lead on from the database's head, or holds
 *   revisions of before that the database is not of, and none is named.
 * @throws KafkaUnavailable, StoreUnavailable
 */
export async function replayRevocations(
  to: RevisionName | null,
  { topic, history, revocations, chain }: ReplayPorts,
  events: ReplayEvents,
): Promise<Replayed> {
  const head = await history.head();
  const lost = new LostRevisions(head, chain);
  let foreign = 0;
  for await (const { messages, end } of topic.read(null)) {
    for (const { offset, revision } of messages) if (!revision || !lost.offer(revision, offset)) foreign++;
    lost.noteStrange(await history.strangeAmong(lost.takeBefore()));
    events.read((messages.at(-1)?.offset ?? -1n) + 1n, end);
  }
  const way = to && (await isThere(to, head, history)) ? [] : wayOf(lost, to, head);
  const releases = [...new Set(way.flatMap((one) => one.releases))];
  const policies = [...new Set(way.flatMap((one) => one.policies))];
  const { revision, hash } = way.at(-1) ?? head;
  const replayed: Replayed = { head: { revision, hash }, revisions: way.length, releases, policies, foreign };
  events.found(replayed);
  let done = 0;
  for await (const batch of batchesOf(way, topic)) {
    await history.append(batch);
    done += batch.length;
    events.replayed(done, way.length);
  }
  if (await history.isCutOff(refreshTokens)) return replayed;
  return { ...replayed, head: (await endFamilies(revocations)).head };
}

const isThere = async (to: RevisionName, head: Head, history: RestoredHistory): Promise<boolean> =>
  (to.revision === head.revision && head.hash.startsWith(to.hashStart)) || history.holds(to);

const endFamilies = (revocations: RevocationWriter) =>
  revocations.write({
    revocationId: newId('rvk'),
    target: refreshTokens,
    tenantId: null,
    cuts: [{ ...refreshTokens, tokenClass: 'token' }],
    reach: 'issued',
    disables: null,
    includeCredentials: false,
    sparedTokenId: null,
    reason: 'the database was restored: which refresh tokens had been used is not known',
    actor: bootstrapActor,
    idempotencyKey: null,
  });

function wayOf(lost: LostRevisions, to: RevisionName | null, head: Head): readonly LostRevision[] {
  if (!to && lost.isEmpty) {
    throw new ReplayRefused(
      'the topic holds no revision of this installation: check KAFKA_BROKERS, and the key; ' +
        `where nothing has ever been revoked, --to ${formatRevision(head)} ends the families of refresh tokens, and does nothing else`,
    );
  }
  return lost.wayTo(to);
}

/** Reads them once more, in order. */
async function* batchesOf(
  way: readonly LostRevision[],
  topic: PublishedRevisions,
): AsyncGenerator<readonly SealedRevision[]> {
  let batch: SealedRevision[] = [];
  let bytes = 0;
  let done = 0;
  // Once, unless somebody has put them on the topic in another order.
  for (let next = way[done]; next; next = way[done]) {
    const before = done;
    for await (const { messages } of topic.read(next.offset)) {
      for (const { offset, revision } of messages) {
        // By its place: another one may say that it has the same hash.
        if (!revision || offset !== way[done]?.offset) continue;
        done++;
        batch.push(revision);
        bytes += revision.content.length;
        if (bytes < batchBytesMax) continue;
        yield batch;
        [batch, bytes] = [[], 0];
      }
    }
    if (done === before)
      throw new ReplayRefused(`revision ${next.revision} is not on the topic any more: start it again`);
  }
  if (batch.length > 0) yield batch;
}
