import { setTimeout as sleep } from 'node:timers/promises';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { RevisionContentSchema, RevisionEntrySchema } from '@touchstone/contracts/events';
import { Chain, genesis, type SealedRevision } from '@touchstone/core';
import { encodeRevisionEvent, revisionCodec, topics } from '@touchstone/events';
import { type KeyRing, openKeyRing } from '@touchstone/token-methods';
import type pg from 'pg';
import { openAdmin } from '../faults/admin.ts';
import { kafkaClient } from '../faults/topics.ts';
import { bytesOf, type Random } from './random.ts';
import type { Victims } from './victims.ts';

const revocationId = 'rvk_forged';
/** Who believes it refuses everything. */
const doomsday = {
  recordedAt: 0,
  cuts: (['token', 'credential'] as const).map((tokenClass) => ({
    kind: 'all' as const,
    key: '',
    revocationId,
    tokenClass,
    ceiling: null,
    sparedTokenId: null,
    coversUntil: null,
  })),
};

type Lie = SealedRevision | Buffer;

/** Who lies, and with which keys. */
interface Liar {
  /** Seals under a key that is not the installation's. */
  readonly stranger: Chain;
  /** Seals as the services do. */
  readonly service: Chain;
  /** Seals so what no service knows yet. */
  readonly newerService: Chain;
}

const liarOf = (installation: KeyRing, random: Random): Liar => ({
  stranger: new Chain(openKeyRing(bytesOf(random, 32)).mac, revisionCodec),
  service: new Chain(installation.mac, revisionCodec),
  newerService: new Chain(installation.mac, { ...revisionCodec, encode: withUnknown }),
});

/** An entry of a kind that is not known, behind others that are. */
function withUnknown(...content: Parameters<typeof revisionCodec.encode>): Uint8Array {
  const message = fromBinary(RevisionContentSchema, revisionCodec.encode(...content));
  const unknown = create(RevisionEntrySchema);
  unknown.$unknown = [{ no: 1_000, wireType: 0, data: Uint8Array.of(1) }];
  message.entries.push(unknown);
  return toBinary(RevisionContentSchema, message);
}

/** What it says is the same but for the name of the revocation. */
function altered(sealed: SealedRevision): SealedRevision {
  const content = Buffer.from(sealed.content);
  const at = content.indexOf(revocationId);
  content.writeUInt8(content.readUInt8(at) ^ 1, at);
  return { ...sealed, content };
}

const latestStatement = `
  select revision, hash, previous_hash, content from revision order by revision desc limit 20`;

/** The latest revisions in their order, be they on the topic by now or not. */
async function latestOf(admin: pg.Client): Promise<SealedRevision[]> {
  const { rows } = await admin.query(latestStatement);
  return rows
    .map((row) => ({
      revision: Number(row.revision),
      hash: row.hash,
      previousHash: row.previous_hash,
      content: row.content,
    }))
    .reverse();
}

/** What there is once more, in another order, altered, forged and from nowhere. */
function liesOf({ stranger, service, newerService }: Liar, real: readonly SealedRevision[], random: Random): Lie[] {
  const head = real.at(-1) ?? stranger.next(genesis, doomsday);
  const forged = stranger.next(head, doomsday);
  return [
    ...real.slice(-4),
    random.of([head, ...real]),
    forged,
    stranger.next(forged, doomsday),
    altered(service.next(head, doomsday)),
    newerService.next(head, doomsday),
    { ...head, revision: head.revision + 1 },
    { ...head, revision: Number.MAX_SAFE_INTEGER },
    { ...head, hash: bytesOf(random, 32).toString('hex') },
    bytesOf(random, 300),
  ];
}

/** Each time about the latest revision: what comes after that is what a validator could take. */
const timesMax = 10;

export async function lieOnTopic({ keys, postgres, kafka }: Victims, random: Random): Promise<void> {
  if (!kafka) return;
  const liar = liarOf(keys, random);
  await using admin = await openAdmin({ postgres });
  const producer = kafkaClient(kafka.brokers).producer({ allowAutoTopicCreation: false });
  await producer.connect();
  try {
    for (let left = timesMax; left > 0; left--) {
      const lies = liesOf(liar, await latestOf(admin), random);
      const told = Array.from({ length: 3 }, () => random.of(lies));
      await producer.send({ topic: topics.revocations, messages: told.map(messageOf) });
      await sleep(random.next() * 100);
    }
  } finally {
    await producer.disconnect();
  }
}

const messageOf = (lie: Lie) => ({
  partition: 0,
  value: Buffer.isBuffer(lie) ? lie : Buffer.from(encodeRevisionEvent(lie)),
});
