import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Fenced, StoreUnavailable } from '../errors.ts';
import { Follower } from '../revisions/follower.ts';
import { actOf } from '../test-act.ts';
import { censusIn, chain, History, quiet, replaceSlowly, TestClock } from '../test-history.ts';
import { methods, plainMethod } from '../test-method.ts';
import { dpopOf, TestProofs } from '../test-proofs.ts';
import { record, recordsIn } from '../test-record.ts';
import { handles } from '../test-registry.ts';
import { type Confirmation, confirmationText } from '../tokens/confirmation.ts';
import type { TokenRecord } from '../tokens/token-record.ts';
import type { Consistency } from './consistency.ts';
import { consistentRecords } from './consistent-records.ts';
import type { Release, WantedRecord } from './ports.ts';
import { Presence } from './presence.ts';
import type { PresentedProof } from './proof.ts';
import { TokenCache } from './token-cache.ts';
import { Uses } from './uses.ts';
import { type ValidateCommand, validateToken, validateTokens } from './validate-token.ts';

const certificate = 'c'.repeat(43);
const key = 'k'.repeat(43);
const fence = 5_000;
const modes: readonly Consistency[] = [
  { kind: 'fully_consistent' },
  { kind: 'max_staleness', milliseconds: 60_000 },
  { kind: 'at_least_revision', revision: { revision: 0, hashStart: '0'.repeat(14) } },
];
const [fully, stale] = modes as readonly [Consistency, Consistency];

const shown: Release = { claims: [], pairwiseSector: null, holds: null, stalenessMax: Infinity, revision: 0 };

async function open() {
  const [history, clock, proofs] = [new History(), new TestClock(), new TestProofs()];
  const follower = await Follower.start(history, chain, clock, quiet);
  const presence = new Presence(censusIn(history), follower, clock, fence);
  await presence.beat();
  const stored = new Map<string, TokenRecord>();
  const reader = {
    read: async (wanted: readonly WantedRecord[], revision: number) => ({
      records: recordsIn(stored, wanted),
      tail: await history.readAfter(revision),
    }),
  };
  const ports = {
    methods,
    follower,
    presence,
    proofs,
    cache: new TokenCache(follower, 1_000_000),
    uses: new Uses(),
    records: consistentRecords(reader, follower, { batchMax: 100, lanes: 2, waitingMax: 100 }),
    releases: { releaseOf: () => ({ ...shown, revision: follower.applied.revision }) },
    handles,
  };
  function issue(confirmation: Confirmation | null, over: Partial<TokenRecord> = {}) {
    const bound = confirmation && confirmationText(confirmation);
    const draft = record({ expiresAt: 1_000_000, confirmation: bound, ...over });
    const minted = plainMethod.mint(draft, { userId: null, claims: {}, principal: null });
    stored.set(minted.record.key.key, minted.record);
    return minted.token;
  }
  const commandOf = (token: string, proof: PresentedProof | null, over: Partial<ValidateCommand> = {}) => ({
    token,
    proof,
    audience: 's1',
    requiredScopes: ['read'],
    request: null,
    consistency: fully,
    ...over,
  });
  const ask = async (token: string, proof: PresentedProof | null, over: Partial<ValidateCommand> = {}) =>
    validateToken(actOf(), commandOf(token, proof, over), ports);
  return { issue, ask, commandOf, ports, proofs, follower, history, clock, presence };
}

const certificateOf = (sha256: string): PresentedProof => ({ kind: 'certificate', certificate: sha256 });
const refusal = (reason: string) => ({ active: false, reason });

test.each(modes)('what a token is bound to has to be proven: $kind', async (consistency) => {
  const { issue, ask } = await open();
  const over = { consistency };
  const [byCertificate, byKey] = [issue({ certificate }), issue({ key })];
  // The second time it is remembered, where it may be.
  for (const jti of ['first', 'second']) {
    expect(await ask(byCertificate, certificateOf(certificate), over)).toMatchObject({ active: true });
    expect(await ask(byKey, dpopOf(byKey, key, jti), over)).toMatchObject({ active: true });
    for (const token of [byCertificate, byKey]) {
      expect(await ask(token, null, over)).toMatchObject(refusal('proof_required'));
      expect(await ask(token, certificateOf('d'.repeat(43)), over)).toMatchObject(refusal('proof_invalid'));
      // One is not taken for the other, be their texts alike.
      expect(await ask(token, certificateOf(key), over)).toMatchObject(refusal('proof_invalid'));
      expect(await ask(token, dpopOf(token, certificate), over)).toMatchObject(refusal('proof_invalid'));
    }
  }
});

test('of a token that is bound to nothing no proof is looked at, or taken', async () => {
  const { issue, ask, proofs } = await open();
  const token = issue(null);
  for (const proof of [null, certificateOf(certificate), dpopOf(token, key), dpopOf('another', key)]) {
    expect(await ask(token, proof)).toMatchObject({ active: true });
  }
  expect(proofs.taken).toEqual([]);
});

test.each(modes)('a proof is good once: $kind', async (consistency) => {
  const { issue, ask } = await open();
  const token = issue({ key });
  expect(await ask(token, dpopOf(token, key), { consistency })).toMatchObject({ active: true });
  expect(await ask(token, dpopOf(token, key), { consistency })).toMatchObject(refusal('proof_invalid'));
  expect(await ask(token, dpopOf(token, key, 'another'), { consistency })).toMatchObject({ active: true });
});

test.each(modes)(
  'an answer that is made anew, for what is shown has changed, has its proof: $kind',
  async (consistency) => {
    const { issue, ask, ports, proofs, follower } = await open();
    const token = issue({ key });
    let shownAt = 0;
    follower.releasedAt = () => shownAt;
    ports.releases.releaseOf = () => ({ ...shown, revision: shownAt });
    proofs.taking = async () => {
      shownAt = 1;
    };
    const proof = dpopOf(token, key);
    expect(await ask(token, proof, { consistency })).toMatchObject({ active: true });
    expect(await ask(token, proof, { consistency })).toMatchObject(refusal('proof_invalid'));
  },
);

test('of a batch in which a proof comes twice, one is answered; the others are answered by themselves', async () => {
  const { issue, commandOf, ports } = await open();
  const [one, other] = [issue({ key }), issue(null)];
  const commands = [dpopOf(one, key), dpopOf(one, key)].map((proof) => commandOf(one, proof));
  const outcomes = await validateTokens(actOf(), [commandOf(other, null), ...commands], ports);
  expect(outcomes).toMatchObject([{ active: true }, { active: true }, refusal('proof_invalid')]);
});

test('a proof that was made too long ago, or for later, is not taken', async () => {
  const { issue, ask, proofs } = await open();
  const token = issue({ key });
  proofs.now = 100_000;
  for (const issuedAt of [39_999, 160_001]) {
    expect(await ask(token, dpopOf(token, key, 'a', issuedAt))).toMatchObject(refusal('proof_invalid'));
  }
  for (const issuedAt of [40_000, 160_000]) {
    expect(await ask(token, dpopOf(token, key, `${issuedAt}`, issuedAt))).toMatchObject({ active: true });
  }
});

test('nothing is taken for a token that is refused otherwise, and a thief is told nothing of it', async () => {
  const { issue, ask, proofs } = await open();
  const expired = issue({ key }, { expiresAt: 0 });
  const other = issue({ key }, { audience: 's2' });
  const writing = { requiredScopes: ['write'] };
  const token = issue({ key });
  expect(await ask(expired, null)).toMatchObject(refusal('proof_required'));
  expect(await ask(token, null, writing)).toMatchObject(refusal('proof_required'));
  expect(await ask(token, dpopOf(token, 'another'), writing)).toMatchObject(refusal('proof_invalid'));
  expect(await ask(other, null)).toMatchObject(refusal('not_honoured'));
  expect(await ask(expired, dpopOf(expired, key))).toMatchObject(refusal('expired'));
  expect(await ask(token, dpopOf(token, key), writing)).toMatchObject(refusal('scope_missing'));
  expect(proofs.taken).toEqual([]);
});

test.each([fully, stale])(
  'with the database away no proof is accepted, remembered or not: $kind',
  async (consistency) => {
    const { issue, ask, proofs } = await open();
    const token = issue({ key });
    expect(await ask(token, dpopOf(token, key), { consistency })).toMatchObject({ active: true });
    proofs.away = true;
    await expect(ask(token, dpopOf(token, key, 'two'), { consistency })).rejects.toThrow(StoreUnavailable);
  },
);

test.each([fully, stale])(
  'a fence that runs out while the proof is taken takes the answer back: $kind',
  async (consistency) => {
    const { issue, ask, proofs, clock, presence } = await open();
    const token = issue({ key });
    await ask(token, dpopOf(token, key), { consistency });
    proofs.taking = async () => clock.pass(fence + 1);
    await expect(ask(token, dpopOf(token, key, 'two'), { consistency })).rejects.toThrow(Fenced);
    await presence.beat();
  },
);

test.each(modes)(
  'a revocation that comes while a proof is taken counts, for the others of the batch too: $kind',
  async (consistency) => {
    const { issue, commandOf, ports, proofs, follower, history } = await open();
    const [bound, other, spared] = [issue({ key }), issue(null), issue(null, { userHandle: 'u2' })];
    const askAll = (jti: string) => {
      const proofOf = (token: string) => (token === bound ? dpopOf(bound, key, jti) : null);
      const commands = [bound, other, spared].map((token) => commandOf(token, proofOf(token), { consistency }));
      return validateTokens(actOf(), commands, ports);
    };
    expect(await askAll('one')).toMatchObject([{ active: true }, { active: true }, { active: true }]);
    proofs.taking = async () => follower.offer(history.write('u1', 1));
    const refused = refusal('not_honoured');
    expect(await askAll('two')).toMatchObject([refused, refused, { active: true }]);
    expect(proofs.taken).toHaveLength(2);
  },
);

test('a history that is loaded while a proof is taken is the one that is answered by', async () => {
  const { issue, ask, proofs, history, follower } = await open();
  const token = issue({ key });
  history.write('eve', 1);
  await follower.refresh();
  await ask(token, dpopOf(token, key), { consistency: stale });
  proofs.taking = async () => void setTimeout(await replaceSlowly(history, follower));
  const answer = await ask(token, dpopOf(token, key, 'two'), { consistency: stale });
  expect(answer).toMatchObject({ active: true, head: history.head });
  expect(answer.asOf).toBeGreaterThanOrEqual(0);
});

const thing = fc.constantFrom(certificate, key, 'x'.repeat(43), '');
const confirmation: fc.Arbitrary<Confirmation> = fc.oneof(
  thing.map((one) => ({ certificate: one })),
  thing.map((one) => ({ key: one })),
);

test('a token that is bound is never active without its proof, and with a proof no oftener than once, in any mode', async () => {
  const presented = fc.record({ proven: fc.option(confirmation), jti: fc.constantFrom('a', 'b'), for: fc.boolean() });
  const question = fc.record({ presented, consistency: fc.constantFrom(...modes) });
  let active = 0;
  await fc.assert(
    fc.asyncProperty(confirmation, fc.array(question, { minLength: 1, maxLength: 8 }), async (bound, questions) => {
      const { issue, ask } = await open();
      const token = issue(bound);
      const used = new Set<string>();
      for (const { presented: it, consistency } of questions) {
        const { proven, jti } = it;
        const proof =
          proven &&
          ('key' in proven ? dpopOf(it.for ? token : 'another', proven.key, jti) : certificateOf(proven.certificate));
        const answer = await ask(token, proof, { consistency });
        const isDpop = proof?.kind === 'dpop';
        const proves = proven !== null && confirmationText(proven) === confirmationText(bound) && (!isDpop || it.for);
        expect(answer.active).toBe(proves && !(isDpop && used.has(jti)));
        if (isDpop && answer.active) used.add(jti);
        if (answer.active) active++;
      }
    }),
    { numRuns: 500 },
  );
  expect(active).toBeGreaterThan(20);
});

test('whatever a record says that is no confirmation of ours, nothing proves', async () => {
  const { issue, ask } = await open();
  const texts = ['', '{}', 'null', '{"jkt":1}', `{"jkt": "${key}"}`, `{"jwk":{"kty":"OKP"}}`, 'nothing', '"nothing"'];
  for (const text of texts) {
    const token = issue(null, { confirmation: text });
    expect(await ask(token, null)).toMatchObject(refusal('proof_required'));
    for (const proof of [certificateOf(certificate), certificateOf(''), dpopOf(token, key)]) {
      expect(await ask(token, proof)).toMatchObject(refusal('proof_invalid'));
    }
  }
});
