// A revocation that sent no event, and one token's that took the others with it.
import type { AuditEvent } from '@touchstone/contracts/events';
import { parseRevision } from '@touchstone/core';
import { revisionCodec } from '@touchstone/events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { shared } from '../../harness/shared-stack.ts';
import { numberOf, openAdmin, untilAllFollow } from '../admin.ts';
import { type Outcome, outcomeOf } from '../outcome.ts';
import { ownKafka } from '../own-kafka.ts';
import { type OwnStack, openOwnStack } from '../own-stack.ts';
import { openTopics, type Topics } from '../topics.ts';
import { untilTrue } from '../until.ts';
import { type Change, type Revocation, securityEvents } from './events.ts';
import type { Held } from './held.ts';
import { type Kind, kinds } from './kinds.ts';
import { type Newcomer, openNewcomer } from './newcomer.ts';
import { openScene, type Scene } from './scene.ts';

const hasKafka = await ownKafka('security-events: what is told of them');
const resources = new AsyncDisposableStack();
let own: OwnStack;
let admin: Awaited<ReturnType<typeof openAdmin>>;
let newcomer: Newcomer;
let topics: Topics;
beforeAll(async () => {
  own = resources.use(await openOwnStack({ kafka: hasKafka ? 'local' : null }));
  admin = resources.use(await openAdmin(own));
  newcomer = resources.use(await openNewcomer(own.stack));
  if (hasKafka) topics = resources.use(await openTopics(own.stack.kafkaBrokers));
});
afterAll(() => resources.disposeAsync());

/** All that is on the trail, once it is as much as has been written. */
async function wholeTrail(): Promise<ReadonlyMap<string, AuditEvent>> {
  const written = await numberOf(admin, 'select count(*) from outbox');
  const trail = () => new Map(topics.audit.map(({ event }) => [event.eventId, event]));
  await untilTrue('the trail is complete', () => trail().size === written);
  return trail();
}

const named = securityEvents.map((event) => [event.name, event] as const);
describe.each(named)('Keycloak issues 51376, 26532: %s', (name, event) => {
  const { carryOut, isIdempotent, takes, afterwards } = event;
  let scene: Scene;
  let told: readonly AuditEvent[];
  let before: number;
  let after: number;
  let revocationId: string;
  let answers: ReadonlyMap<Kind, readonly boolean[]>;
  let later: Outcome<Held>;
  beforeAll(async () => {
    scene = await openScene(shared(own.stack), newcomer);
    const first = await askAll(scene);
    expect([...first].filter(([, says]) => says.includes(false))).toEqual([]);
    const trail = hasKafka ? await wholeTrail() : new Map();
    before = await latestRevision();
    const answer = await carryOut(scene, name);
    after = await latestRevision();
    // What is refused is so before its rows are gone.
    await admin.query(`update erasure set requested_at = requested_at + interval '1 hour'`);
    if (isIdempotent) expect(await carryOut(scene, name)).toEqual(answer);
    expect(await latestRevision()).toBe(after);
    if (answer.revision) expect(parseRevision(answer.revision)?.revision).toBe(after);
    revocationId = answer.revocationId ?? expect.stringMatching(/^rvk_/);
    await untilAllFollow(admin);
    answers = await askAll(scene);
    told = hasKafka ? [...(await wholeTrail())].flatMap(([id, one]) => (trail.has(id) ? [] : [one])) : [];
    later = await outcomeOf(scene.issueAfterwards(afterwards.but(scene)));
  });

  const cells = kinds.map((kind) => [kind, takes.includes(kind) ? 'refused' : 'honoured'] as const);
  test.each(cells)('%s: %s', async (kind, expected) => {
    const says = answers.get(kind) ?? [];
    expect(says.length).toBeGreaterThan(1);
    expect(says).toEqual(says.map(() => expected === 'honoured'));
  });

  const { refusedFor } = afterwards;
  test(`a token that is issued afterwards: ${refusedFor ? `none, ${refusedFor}` : 'honoured'}`, async () => {
    if (refusedFor) expect(later).toMatchObject({ ok: false, reason: refusedFor });
    else expect(later.ok && (await later.answer.answers())).toEqual([true, true]);
  });

  test.skipIf(!hasKafka)('the audit topic tells of it, once', async () => {
    const of = (act: string) => told.filter((one) => one.act.case === act);
    const revocations = event.revocations(scene);
    const changes = event.changes?.(scene) ?? [];
    expect(of('tokensRevoked')).toHaveLength(revocations.length);
    expect(of('tokensRevoked')).toEqual(expect.arrayContaining(revocations.map(toldOf)));
    expect(of('registryChanged')).toHaveLength(changes.length);
    expect(of('registryChanged')).toEqual(expect.arrayContaining(changes.map(changeOf)));
  });

  const actor = (kind: string, credential: Kind) =>
    expect.objectContaining({ kind, credentialId: scene.tokenIdOf(credential) });
  const toldOf = ({ targetKind, targetKey, includeCredentials, by }: Revocation) =>
    expect.objectContaining({
      tenantId: targetKind === 'all' ? '' : scene.tenantId,
      actor: actor(by?.kind ?? 'operator', by?.credential ?? 'credential of the acting operator'),
      act: {
        case: 'tokensRevoked',
        value: expect.objectContaining({
          revocationId: nameOf(),
          targetKind,
          targetKey,
          revision: expect.toSatisfy((one) => one > before && one <= after),
          reason: by?.reason ?? name,
          includeCredentials,
        }),
      },
    });
  const changeOf = (change: Change) =>
    expect.objectContaining({
      tenantId: scene.tenantId,
      actor: actor('operator', 'credential of the acting operator'),
      act: { case: 'registryChanged', value: expect.objectContaining({ ...change, reason: name }) },
    });
  /** Of several one has no name that is told by the answer. */
  const nameOf = () => (event.revocations(scene).length > 1 ? expect.stringMatching(/^rvk_/) : revocationId);

  test.skipIf(!hasKafka)('the topic of revisions tells of it, and of nothing else', async () => {
    await untilTrue('it is there', () => topics.revisions.some((one) => one.revision >= after));
    const contents = new Map(topics.revisions.map((one) => [one.revision, one.content]));
    expect(Math.max(...contents.keys())).toBe(after);
    const revocations = event.revocations(scene);
    expect(after - before).toBeOneOf(revocations.length > 1 ? revocations.map((_, i) => i + 1) : [1]);
    const contained = Array.from({ length: after - before }, (_, i) =>
      revisionCodec.decode(contents.get(before + 1 + i) as Uint8Array),
    );
    expect(contained.flatMap((content) => content?.policies ?? [])).toEqual(event.policies?.(scene) ?? []);
    const cuts = contained.flatMap((content) => content?.cuts ?? []);
    expect(cuts).toHaveLength(revocations.flatMap(cutsOf).length);
    expect(cuts).toEqual(expect.arrayContaining(revocations.flatMap(cutsOf)));
  });

  const cutsOf = ({ cuts, isForGood, targetKind }: Revocation) =>
    cuts.map(([tokenClass, kind, key]) => ({
      revocationId: nameOf(),
      tokenClass,
      kind,
      key,
      ceiling: isForGood ? null : expect.any(Number),
      coversUntil: isForGood && targetKind !== 'token' ? null : expect.any(Number),
      sparedTokenId: tokenClass === 'credential' ? scene.tokenIdOf('credential of the acting operator') : null,
    }));
});

const latestRevision = () => numberOf(admin, 'select revision from history');

/** What is said of each: by the services, and by one who has never heard of it. */
async function askAll({ held }: Scene): Promise<ReadonlyMap<Kind, readonly boolean[]>> {
  const honours = await newcomer.look();
  const ask = async (kind: Kind) => [kind, [...(await held[kind].answers()), await honours(held[kind])]] as const;
  return new Map(await Promise.all(kinds.map(ask)));
}
