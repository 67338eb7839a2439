import { expect, test } from 'vitest';
import { IdempotencyKeyReused, StoreUnavailable } from '../errors.ts';
import { platformTtlMax } from '../register/registration.ts';
import { type CutTarget, genesis } from '../revisions/revision.ts';
import { chain, codec } from '../test-history.ts';
import { partitionEnd, tokenIdOf } from '../tokens/token-key.ts';
import { composeRevision, type LockedHistory } from './compose-revision.ts';
import type { Revocation, RevocationIntent } from './ports.ts';

const digest = chain.digestOf([], genesis);
const empty: LockedHistory = {
  head: genesis,
  digest,
  mac: chain.sealHistory(genesis, digest),
  lastSequence: 42,
  now: 1_000,
  lastPartition: null,
  marks: [],
  earlier: [],
};

let made = 0;
function intent(target: CutTarget, over: Partial<RevocationIntent> = {}): RevocationIntent {
  return {
    revocationId: `r${++made}`,
    target,
    tenantId: 't1',
    cuts: [{ ...target, tokenClass: 'token' }],
    reach: 'issued',
    disables: null,
    includeCredentials: false,
    sparedTokenId: null,
    reason: 'why',
    actor: { kind: 'operator', name: 'ops', credentialId: 'c', peer: '', traceId: '' },
    idempotencyKey: 'key',
    ...over,
  };
}
const ada: CutTarget = { kind: 'user', key: 'ada' };
const bob: CutTarget = { kind: 'user', key: 'bob' };

const contentOf = (composed: ReturnType<typeof composeRevision>) =>
  composed.write && codec.decode(composed.write.revision.content);
const idsOf = (composed: ReturnType<typeof composeRevision>) =>
  composed.outcomes.map((one) => (one instanceof Error ? one : one.revocationId));

/** What is in the database once this one has been written. */
function after(one: RevocationIntent): { readonly locked: LockedHistory; readonly revocation: Revocation } {
  const { write } = composeRevision(empty, [one], chain);
  if (!write) throw new Error('nothing was written');
  const { revision, digest, mac, marks, revocations } = write;
  return {
    locked: { ...empty, head: revision, digest, mac, marks, earlier: revocations },
    revocation: revocations[0] as Revocation,
  };
}

test('it is good for as long as any partition is that a token can be in, whatever the clock says by then', () => {
  const lastPartition = 20_000;
  const coversUntil = (locked: LockedHistory) =>
    contentOf(composeRevision(locked, [intent(ada)], chain))?.cuts[0]?.coversUntil;
  expect(coversUntil({ ...empty, lastPartition })).toBe(partitionEnd(lastPartition));
  const now = partitionEnd(lastPartition);
  expect(coversUntil({ ...empty, now, lastPartition })).toBe(now + platformTtlMax * 1_000);
});

test('it cuts what was drawn before the lock, and is good for as long as that can be alive', () => {
  const composed = composeRevision(empty, [intent(ada)], chain);
  expect(contentOf(composed)?.cuts).toMatchObject([
    { ...ada, ceiling: 42, coversUntil: 1_000 + platformTtlMax * 1_000 },
  ]);
  expect(composed.outcomes).toMatchObject([{ ceiling: 42, recordedAt: 1_000, head: { revision: 1 } }]);
});

test('for good has no ceiling and no end, but for one token, which ends with its partition', () => {
  const forGood = intent({ kind: 'app', key: 'a1' }, { reach: 'forever' });
  expect(contentOf(composeRevision(empty, [forGood], chain))?.cuts).toMatchObject([
    { ceiling: null, coversUntil: null },
  ]);
  const key = tokenIdOf({ partition: 7, key: '0'.repeat(32) });
  const one = intent({ kind: 'token', key }, { reach: 'forever' });
  expect(contentOf(composeRevision(empty, [one], chain))?.cuts).toMatchObject([
    { ceiling: null, coversUntil: partitionEnd(7) },
  ]);
});

test('several are one revision, whose marks and digest are those of its cuts', () => {
  const { write } = composeRevision(empty, [intent(ada), intent(bob, { idempotencyKey: 'other' })], chain);
  if (!write) throw new Error('nothing was written');
  expect(write.revision).toMatchObject({ revision: 1, previousHash: genesis.hash });
  expect(write.content).toEqual(codec.decode(write.revision.content));
  expect(write.digest).toBe(chain.digestOf(write.marks, write.revision));
  expect(write.mac).toBe(chain.sealHistory(write.revision, write.digest));
  expect(write.events.map(({ act }) => act.type)).toEqual(['tokens_revoked', 'tokens_revoked']);
});

test('a mark is never lowered, whatever the sequence says', () => {
  const { locked } = after(intent(ada));
  const { write } = composeRevision({ ...locked, lastSequence: 7 }, [intent(ada, { idempotencyKey: 'next' })], chain);
  expect(write?.marks).toMatchObject([{ ceiling: 42 }]);
});

test('marks are new where there are none of any of their targets', () => {
  const { locked } = after(intent(ada));
  const areNew = (...intents: RevocationIntent[]) => composeRevision(locked, intents, chain).write?.areNew;
  expect(areNew(intent(bob, { idempotencyKey: 'b' }))).toBe(true);
  expect(areNew(intent(bob, { idempotencyKey: 'b' }), intent(ada, { idempotencyKey: 'a' }))).toBe(false);
});

test('spared is a credential, never a token', () => {
  const cuts = (['token', 'credential'] as const).map((tokenClass) => ({ ...ada, tokenClass }));
  const composed = composeRevision(empty, [intent(ada, { cuts, sparedTokenId: 'tok_me' })], chain);
  expect(contentOf(composed)?.cuts.map((one) => one.sparedTokenId)).toEqual([null, 'tok_me']);
});

test('the same request under the same key is the first one again, in one batch and later', () => {
  const first = intent(ada);
  const together = composeRevision(empty, [first, intent(ada)], chain);
  expect(idsOf(together)).toEqual([first.revocationId, first.revocationId]);
  expect(together.write?.revocations).toHaveLength(1);
  const { locked, revocation } = after(first);
  const later = composeRevision(locked, [intent(ada)], chain);
  expect(later).toEqual({ outcomes: [revocation], write: null });
});

test('what is dead for good is so once', () => {
  const gone = () => intent({ kind: 'app', key: 'a1' }, { reach: 'forever', idempotencyKey: null });
  const { locked, revocation } = after(gone());
  expect(composeRevision(locked, [gone(), gone()], chain)).toEqual({ outcomes: [revocation, revocation], write: null });
});

test('a key that was used for another request fails that one alone', () => {
  const { locked } = after(intent(ada));
  const fine = intent(bob, { idempotencyKey: 'other' });
  const composed = composeRevision(locked, [intent(bob), intent(ada, { reason: 'another' }), fine], chain);
  expect(idsOf(composed)).toEqual([
    expect.any(IdempotencyKeyReused),
    expect.any(IdempotencyKeyReused),
    fine.revocationId,
  ]);
});

test('a key that is used for two requests at once fails the later one alone', () => {
  const first = intent(ada);
  const composed = composeRevision(empty, [first, intent(ada, { reason: 'another' }), intent(bob)], chain);
  expect(idsOf(composed)).toEqual([
    first.revocationId,
    expect.any(IdempotencyKeyReused),
    expect.any(IdempotencyKeyReused),
  ]);
});

test('what has ended is not told to end again', () => {
  const consent = { kind: 'consent', key: 'con_1' } as const;
  const ends = (idempotencyKey: string) =>
    intent(consent, { idempotencyKey, reach: 'forever', disables: { what: 'consent', id: consent.key } });
  const disablings = ({ write }: ReturnType<typeof composeRevision>) => [
    write?.intents.map(({ disables }) => disables !== null),
    write?.events.map(({ act }) => act.type),
  ];
  const told = ['registry_changed', 'tokens_revoked', 'tokens_revoked'];
  expect(disablings(composeRevision(empty, [ends('a'), ends('b')], chain))).toEqual([[true, false], told]);
  const { locked } = after(ends('a'));
  expect(disablings(composeRevision(locked, [ends('c')], chain))).toEqual([[false], ['tokens_revoked']]);
});

test.each([
  ['of another name', { actor: { ...intent(ada).actor, name: 'other' } }],
  ['of another kind', { actor: { ...intent(ada).actor, kind: 'identity_service' as const } }],
  ['of another tenant', { tenantId: 't2' }],
])("a key is its user's own: not that of a caller %s", (_, over) => {
  const { locked } = after(intent(ada));
  const other = intent(ada, over);
  expect(idsOf(composeRevision(locked, [other], chain))).toEqual([other.revocationId]);
  expect(composeRevision(empty, [intent(ada), intent(ada, over)], chain).write?.revocations).toHaveLength(2);
});

test('nothing is added to a history that was not written under this key', () => {
  for (const forged of [{ digest: '0'.repeat(64) }, { head: { revision: 5, hash: genesis.hash } }, { mac: '' }]) {
    expect(() => composeRevision({ ...empty, ...forged }, [intent(ada)], chain)).toThrow(StoreUnavailable);
  }
});
