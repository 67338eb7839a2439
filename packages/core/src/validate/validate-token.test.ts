import { afterEach, expect, test, vi } from 'vitest';
import { CallerNotAllowed, Fenced, StoreUnavailable } from '../errors.ts';
import { Holds, type ReadAppKind } from '../policy/holds.ts';
import { defaultPolicy, type Rule } from '../policy/policy.ts';
import { RuleIndex } from '../policy/rule-index.ts';
import type { App } from '../register/registration.ts';
import { Follower } from '../revisions/follower.ts';
import { actOf } from '../test-act.ts';
import { censusIn, chain, History, quiet, TestClock } from '../test-history.ts';
import { methods, plainMethod } from '../test-method.ts';
import { TestProofs } from '../test-proofs.ts';
import { record, recordsIn } from '../test-record.ts';
import { handles, registration } from '../test-registry.ts';
import { idOf, type TokenRecord } from '../tokens/token-record.ts';
import type { RefusalReason } from './decide.ts';
import type { Release, ReleaseReader, WantedRecord } from './ports.ts';
import { Presence } from './presence.ts';
import { TokenCache } from './token-cache.ts';
import { Uses } from './uses.ts';
import { type ValidateCommand, type Validation, validateToken, validateTokens } from './validate-token.ts';

const fenceMilliseconds = 5_000;
const consistency = { kind: 'fully_consistent' } as const;
const claims = { name: 'Ada', email: 'ada@example.org', phone: '555' };
const draft = record({ scopes: ['read', 'write'] });
const mint = (over: Partial<TokenRecord> = {}, userId: string | null = 'ada') =>
  plainMethod.mint({ ...draft, ...over }, { userId, claims, principal: null });

const commandOf = (token: string, over: Partial<ValidateCommand> = {}): ValidateCommand => ({
  token,
  audience: 's1',
  requiredScopes: ['read'],
  request: null,
  proof: null,
  consistency,
  ...over,
});

afterEach(() => vi.restoreAllMocks());

async function open() {
  const [history, clock] = [new History(), new TestClock()];
  const follower = await Follower.start(history, chain, clock, quiet);
  const presence = new Presence(censusIn(history), follower, clock, fenceMilliseconds);
  await presence.beat();
  const stored = new Map<string, TokenRecord>();
  const shown: { release: Release } = {
    release: {
      claims: ['name', 'email', 'constructor', '__proto__'],
      pairwiseSector: null,
      holds: null,
      stalenessMax: Infinity,
      revision: 0,
    },
  };
  const database = { reads: 0, milliseconds: 0, away: false, now: 0, stored };
  const ports = {
    methods,
    follower,
    presence,
    proofs: new TestProofs(),
    cache: new TokenCache(follower, 1_000_000),
    uses: new Uses(),
    releases: { releaseOf: async () => shown.release } as ReleaseReader,
    handles,
    async records(wanted: readonly WantedRecord[]) {
      database.reads++;
      clock.pass(database.milliseconds);
      if (database.away) throw new StoreUnavailable();
      const { watermarks, generation } = follower;
      const records = recordsIn(stored, wanted);
      return { records, now: database.now, head: history.head, watermarks, generation };
    },
  };
  // Whether it answers at once or by a promise is a matter of what is known.
  const ask = async (token: string, over: Partial<ValidateCommand> = {}, act = actOf()) =>
    validateToken(act, commandOf(token, over), ports);
  const keep = (minted: ReturnType<typeof mint>) => {
    stored.set(minted.record.key.key, minted.record);
    return minted.token;
  };
  return { ask, keep, ports, shown, clock, database, presence, history, follower };
}

test('a token that is honoured is told of, with the claims that are released and no other', async () => {
  const { ask, keep, history } = await open();
  const minted = mint();
  expect(await ask(keep(minted))).toEqual({
    active: true,
    told: {
      tokenId: idOf(minted.record),
      tenantId: 't1',
      appId: 'a1',
      subject: 'ada',
      scopes: ['read', 'write'],
      expiresAt: 1_000,
      claims: { name: 'Ada', email: 'ada@example.org' },
      actors: [],
      encoded: null,
    },
    asOf: 0,
    head: history.head,
  });
});

test('without a user the app is the subject', async () => {
  const { ask, keep } = await open();
  expect(await ask(keep(mint({}, null)))).toMatchObject({ active: true, told: { subject: 'a1' } });
});

test.each([
  ['of another kind', actOf({ kind: 'operator' }), {}],
  ['without the scope', actOf({ scopes: ['tokens:explain'] }), {}],
  ['for another audience', actOf(), { audience: 's2' }],
])('a caller %s is not answered', async (_, act, over) => {
  const { ask, keep, database } = await open();
  await expect(ask(keep(mint()), over, act)).rejects.toThrow(CallerNotAllowed);
  expect(database.reads).toBe(0);
});

type Opened = Awaited<ReturnType<typeof open>>;
const refused: readonly (readonly [RefusalReason, 'open' | 'hidden', (at: Opened) => ReturnType<typeof mint>])[] = [
  ['unknown', 'hidden', () => ({ ...mint(), token: `tks_p${'f'.repeat(32)}` })],
  ['malformed', 'open', () => ({ ...mint(), token: 'tks_p' })],
  ['revoked', 'hidden', revoked],
  ['tampered', 'hidden', () => changed({ sealed: Buffer.alloc(0) })],
  ['audience_mismatch', 'hidden', () => mint({ audience: 's2' })],
  ['audience_mismatch', 'hidden', () => mint({ tokenClass: 'credential' })],
  ['unknown', 'hidden', () => mint({ tenantId: 't2' })],
  ['audience_mismatch', 'hidden', () => mint({ appId: null })],
  ['expired', 'open', () => mint({ expiresAt: 0 })],
  ['scope_missing', 'open', () => mint({ scopes: ['write'] })],
];

function revoked({ follower, history }: Opened) {
  const minted = mint();
  follower.offer(history.write(idOf(minted.record), 0, { kind: 'token', ceiling: null }));
  return minted;
}

/** A token whose row is another than it was. */
function changed(over: Partial<TokenRecord>) {
  const { token, record } = mint();
  return { token, record: { ...record, ...over } };
}

test.each(refused)('%s is told openly, or only to who may know (%s)', async (reason, told, make) => {
  const opened = await open();
  const { ask, keep } = opened;
  const token = keep(make(opened));
  const answer = await ask(token);
  expect(answer).toMatchObject({ active: false, reason: told === 'open' ? reason : 'not_honoured' });
  expect(Object.keys(answer).sort()).toEqual(['active', 'asOf', 'head', 'reason']);
  const explained = actOf({ scopes: ['tokens:validate', 'tokens:explain'] });
  expect(await ask(token, {}, explained)).toMatchObject({ active: false, reason });
});

test('a string is opened only for a token that is known and not revoked, so that both take as long', async () => {
  const opened = await open();
  const { ask, keep } = opened;
  const opening = vi.spyOn(plainMethod, 'open');
  await ask(mint().token);
  await ask(keep(revoked(opened)));
  expect(opening).not.toHaveBeenCalled();
  await ask(keep(mint()));
  expect(opening).toHaveBeenCalledOnce();
});

test('a string may take its time to open: each of a batch is answered by itself', async () => {
  const { ask, keep, ports } = await open();
  const [slow, broken, quick] = [keep(mint()), keep(mint()), keep(mint())];
  const { open: openPlain } = plainMethod;
  vi.spyOn(plainMethod, 'open').mockImplementation((located, record) => {
    const opened = openPlain(located, record);
    if (slow.endsWith(record.key.key)) return Promise.resolve(opened);
    if (broken.endsWith(record.key.key)) return Promise.reject(new StoreUnavailable());
    return opened;
  });
  expect(await ask(slow)).toMatchObject({ active: true });
  await expect(ask(broken)).rejects.toThrow(StoreUnavailable);
  const commands = [slow, broken, quick].map((token) => commandOf(token));
  const [first, second, third] = await validateTokens(actOf(), commands, ports);
  expect([first, third]).toMatchObject([{ active: true }, { active: true }]);
  expect(second).toBeInstanceOf(StoreUnavailable);
});

test('a resource server with a sector is told a pseudonym of the user, and of an app its id', async () => {
  const { ask, keep, shown } = await open();
  shown.release = { ...shown.release, pairwiseSector: 'shops' };
  expect(await ask(keep(mint()))).toMatchObject({ told: { subject: "shops's name of t1 ada" } });
  expect(await ask(keep(mint({}, null)))).toMatchObject({ told: { subject: 'a1' } });
});

const claimsIn = (answer: Validation) => (answer.active ? Object.keys(answer.told.claims) : null);

test('what a revision says is shown no more is not, though it came with the answer itself', async () => {
  const { ask, keep, shown, history, follower, ports } = await open();
  const token = keep(mint());
  const before = ports.records;
  ports.records = async (wanted) => {
    const read = await before(wanted);
    if (history.revisions.length === 0) follower.offer(history.writeRelease('s1'));
    return read;
  };
  const asked = vi
    .spyOn(ports.releases, 'releaseOf')
    .mockImplementation(async (_tenantId, _audience, revision) =>
      revision === 0 ? shown.release : { ...shown.release, claims: ['email'], revision },
    );
  expect(claimsIn(await ask(token))).toEqual(['email']);
  expect(asked.mock.calls.map(([, , revision]) => revision)).toEqual([0, 1]);
});

test('what was shown in a history that has been replaced meanwhile is not', async () => {
  const { ask, keep, shown, history, follower, ports } = await open();
  const token = keep(mint());
  history.write('u2', 1);
  await follower.refresh();
  const { generation } = follower;
  vi.spyOn(ports.releases, 'releaseOf').mockImplementation(async (_tenantId, _audience, revision, now) =>
    now === generation ? { ...shown.release, revision: 1 } : { ...shown.release, claims: ['email'], revision },
  );
  const before = ports.records;
  ports.records = async (wanted) => {
    if (follower.generation === generation) {
      Object.assign(history, new History());
      history.writeRelease('s1');
      await follower.refresh();
    }
    return before(wanted);
  };
  expect(claimsIn(await ask(token))).toEqual(['email']);
});

/** What a policy holds against all tokens that have more than these scopes. */
const holding = (scopes: readonly string[], readKind: ReadAppKind = async () => app) => {
  const [rule] = defaultPolicy('t1').rules as [Rule];
  const limited = { ...rule, limits: { ...rule.limits, scopes } };
  return new Holds(new RuleIndex([limited]), registration.resourceServer?.scopes ?? [], readKind);
};
const app = registration.app as App;
const explaining = actOf({ scopes: ['tokens:validate', 'tokens:explain'] });

test('a token that its policy holds something against is refused in every mode, and why is told to who may know', async () => {
  const { ask, keep, shown } = await open();
  const token = keep(mint());
  const modes = [consistency, { kind: 'max_staleness', milliseconds: 1_000 }] as const;
  for (const consistency of modes) expect(await ask(token, { consistency })).toMatchObject({ active: true });
  shown.release = { ...shown.release, holds: holding(['read']) };
  for (const consistency of [...modes, ...modes]) {
    expect(await ask(token, { consistency })).toMatchObject({ active: false, reason: 'not_honoured' });
    expect(await ask(token, { consistency }, explaining)).toMatchObject({ active: false, reason: 'policy' });
  }
  shown.release = { ...shown.release, holds: holding(['read', 'write']) };
  for (const consistency of modes) expect(await ask(token, { consistency })).toMatchObject({ active: true });
});

test('an answer that came with a change of the policy is made again', async () => {
  const { ask, keep, shown, history, follower, ports } = await open();
  const token = keep(mint());
  const before = ports.records;
  ports.records = async (keys) => {
    const read = await before(keys);
    if (history.revisions.length === 0) follower.offer(history.writeChange({ policies: ['t1'] }));
    return read;
  };
  vi.spyOn(ports.releases, 'releaseOf').mockImplementation(async (_tenantId, _audience, revision) =>
    revision === 0 ? shown.release : { ...shown.release, holds: holding([]), revision },
  );
  expect(await ask(token, {}, explaining)).toMatchObject({ reason: 'policy' });
});

test('of what kind an app is has been read before anything is answered from memory', async () => {
  const { ask, keep, shown, database } = await open();
  const token = keep(mint());
  const consistency = { kind: 'max_staleness', milliseconds: 1_000 } as const;
  await ask(token, { consistency });
  const asked: string[] = [];
  const readKind = async (appId: string) => {
    asked.push(appId);
    return app;
  };
  shown.release = { ...shown.release, holds: holding(['read'], readKind) };
  for (let i = 0; i < 3; i++) expect((await ask(token, { consistency })).active).toBe(false);
  expect([asked, database.reads]).toEqual([['a1'], 2]);
});

test('the list is never older than what is known to have changed it: else nothing is answered', async () => {
  const { ask, keep, follower, history } = await open();
  follower.offer(history.writeRelease('s1'));
  await expect(ask(keep(mint()))).rejects.toThrow(StoreUnavailable);
});

test('what the follower has learnt counts', async () => {
  const { ask, keep, history, follower } = await open();
  const token = keep(mint());
  history.write('u1', 1);
  await follower.refresh();
  expect(await ask(token)).toMatchObject({ active: false, reason: 'not_honoured' });
});

test('a database that is away is no refusal, and no leave either', async () => {
  const { ask, keep, database } = await open();
  database.away = true;
  await expect(ask(keep(mint()))).rejects.toThrow(StoreUnavailable);
});

test('beyond the fence nothing is answered, and the database is not even asked', async () => {
  const { ask, keep, clock, database, presence } = await open();
  const token = keep(mint());
  clock.pass(fenceMilliseconds + 1);
  await expect(ask(token)).rejects.toThrow(Fenced);
  await expect(ask('malformed')).rejects.toThrow(Fenced);
  expect(database.reads).toBe(0);
  await presence.beat();
  expect(await ask(token)).toMatchObject({ active: true });
});

test('a fence that runs out while the database is asked takes its answer back', async () => {
  const askFor = async (milliseconds: number) => {
    const { ask, keep, clock, database } = await open();
    clock.pass(fenceMilliseconds - 10);
    database.milliseconds = milliseconds;
    return ask(keep(mint()));
  };
  expect(await askFor(10)).toMatchObject({ active: true });
  await expect(askFor(11)).rejects.toThrow(Fenced);
});
