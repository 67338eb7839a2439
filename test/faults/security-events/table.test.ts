// A revocation that sent no event, and one token's that took the others with it.
import type { AuditEvent } from '@touchstone/contracts/events';
import { parseRevision } from '@touchstone/core';
import { revisionCodec } from '@touchstone/events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { shared } from '../../harness/shared-stack.ts';
import { numberOf, openAdmin, untilAllFollow } from '../admin.ts';
import { outcomeOf } from '../outcome.ts';
import { ownKafka } from '../own-kafka.ts';
import { type OwnStack, openOwnStack } from '../own-stack.ts';
import { openTopics, type Topics } from '../topics.ts';
import { untilTrue } from '../until.ts';
import { securityEvents } from './events.ts';
import { kinds } from './kinds.ts';
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
describe.each(named)('Keycloak issues 51376, 26532: %s', (name, { carryOut, takes, told, targetKey, cuts }) => {
  let scene: Scene;
  let trailBefore: ReadonlyMap<string, AuditEvent>;
  let revision: number;
  let revocationId: string;
  beforeAll(async () => {
    scene = await openScene(shared(own.stack), newcomer);
    const first = await Promise.all(kinds.map(async (kind) => [kind, ...(await scene.held[kind].answers())]));
    expect(first.filter((answers) => answers.includes(false))).toEqual([]);
    if (hasKafka) trailBefore = await wholeTrail();
    revision = (await numberOf(admin, 'select revision from history')) + 1;
    const answer = await carryOut(scene, name);
    expect(await carryOut(scene, name)).toEqual(answer);
    expect(parseRevision(answer.revision)?.revision).toBe(revision);
    revocationId = answer.revocationId ?? expect.stringMatching(/^rvk_/);
    await untilAllFollow(admin);
  });

  const cells = kinds.map((kind) => [kind, takes.includes(kind) ? 'refused' : 'honoured'] as const);
  test.each(cells)('%s: %s', async (kind, expected) => {
    const held = scene.held[kind];
    const answers = [...(await held.answers()), await newcomer.honours(held)];
    expect(answers).toEqual(answers.map(() => expected === 'honoured'));
  });

  const isEnded = told.isForGood && told.targetKind !== 'token';
  test(`a token like the first, issued afterwards: ${isEnded ? 'there is none' : 'honoured'}`, async () => {
    const issued = await outcomeOf(scene.issueAfterwards());
    if (isEnded) expect(issued).toMatchObject({ ok: false, code: 'FailedPrecondition', reason: 'DISABLED' });
    else expect(issued.ok && (await issued.answer.answers())).toEqual([true, true]);
  });

  test.skipIf(!hasKafka)('the audit topic tells of it, once', async () => {
    const events = [...(await wholeTrail())].flatMap(([id, event]) => (trailBefore.has(id) ? [] : [event]));
    const of = (act: string) => events.filter((event) => event.act.case === act);
    const { targetKind, includeCredentials } = told;
    expect(of('tokensRevoked')).toMatchObject([
      {
        tenantId: targetKind === 'all' ? '' : scene.tenantId,
        actor: { kind: 'operator', credentialId: scene.tokenIdOf('credential of the acting operator') },
        act: {
          value: {
            revocationId,
            targetKind,
            targetKey: targetKey(scene),
            revision: BigInt(revision),
            reason: name,
            includeCredentials,
          },
        },
      },
    ]);
    const disabled = { act: { value: { what: targetKind, id: targetKey(scene), change: 'disabled', reason: name } } };
    expect(of('registryChanged')).toMatchObject(isEnded ? [disabled] : []);
  });

  test.skipIf(!hasKafka)('the topic of revisions tells of it, in one revision', async () => {
    await untilTrue('it is there', () => topics.revisions.some((one) => one.revision >= revision));
    const contents = new Map(topics.revisions.map((one) => [one.revision, one.content]));
    expect(Math.max(...contents.keys())).toBe(revision);
    const acting = scene.tokenIdOf('credential of the acting operator');
    expect(revisionCodec.decode(contents.get(revision) as Uint8Array)?.cuts).toEqual(
      cuts(scene).map(([tokenClass, kind, key]) => ({
        revocationId,
        tokenClass,
        kind,
        key,
        ceiling: told.isForGood ? null : expect.any(Number),
        coversUntil: isEnded ? null : expect.any(Number),
        sparedTokenId: tokenClass === 'credential' ? acting : null,
      })),
    );
  });
});
