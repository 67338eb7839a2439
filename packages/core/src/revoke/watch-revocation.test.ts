import { expect, test } from 'vitest';
import type { Act } from '../access/act.ts';
import { Shares } from '../access/shares.ts';
import { CallerUnknown, Overloaded, RevocationUnknown } from '../errors.ts';
import { actOf } from '../test-act.ts';
import type { Progress, Revocation, Validator } from './ports.ts';
import { watchesMax, watchRevocation } from './watch-revocation.ts';

const operator = actOf({ kind: 'operator', name: 'ops', scopes: ['tokens:revoke'] });
const revocation: Revocation = {
  revocationId: 'rvk_1',
  head: { revision: 7, hash: 'h' },
  target: { kind: 'user', key: 'u1' },
  tenantId: 't1',
  ceiling: 1,
  includeCredentials: false,
  reason: '',
  actor: { kind: 'operator', name: 'ops', credentialId: 'tok_1' },
  requestText: '',
  idempotencyKey: null,
  recordedAt: 0,
};
const validator = (over: Partial<Validator>): Validator => ({
  instanceId: 'v1',
  address: 'a:1',
  build: '',
  appliedRevision: 6,
  beatAt: 0,
  answersUntil: 5_000,
  isLive: true,
  ...over,
});
const progress = (over: Partial<Progress>): Progress => ({
  isPublished: false,
  completeAt: null,
  validators: [validator({})],
  ...over,
});

const revocations = { find: async (id: string) => (id === revocation.revocationId ? revocation : null) };

/** What is told, where the census says one after the other. @param by who it is that watches, at each look. */
async function watch(said: readonly Progress[], ...by: readonly Act[]): Promise<readonly Progress[]> {
  let looks = 0;
  const census = { progressOf: async () => said[looks] as Progress };
  const ports = { revocations, census, watches: new Shares(1) };
  const actNow = () => by[Math.min(looks, by.length - 1)] ?? operator;
  const pause = async () => {
    looks++;
    return actNow();
  };
  const told: Progress[] = [];
  for await (const one of watchRevocation(actNow(), revocation.revocationId, ports, pause)) told.push(one.progress);
  return told;
}

test('it tells at once, then of news only, and ends when it is complete', async () => {
  const first = progress({});
  const sameButLater = progress({ validators: [validator({ beatAt: 1_000, answersUntil: 6_000 })] });
  const published = progress({ isPublished: true });
  const applied = progress({ isPublished: true, validators: [validator({ appliedRevision: 9 })] });
  const complete = progress({ isPublished: true, validators: applied.validators, completeAt: 2_000 });
  const never = progress({ validators: [] });
  expect(await watch([first, sameButLater, published, published, applied, complete, never])).toEqual([
    first,
    published,
    applied,
    complete,
  ]);
});

test('it looks no more once its caller has gone', async () => {
  const signal = { aborted: false };
  const gone = [progress({}), progress({})].map((one) => ({
    ...one,
    get validators() {
      signal.aborted = true;
      return one.validators;
    },
  }));
  const complete = progress({ completeAt: 1 });
  expect(await watch([...gone, complete], { ...operator, signal })).toHaveLength(1);
});

test('that a validator can not be reached any more is news', async () => {
  const lost = progress({ validators: [validator({ isLive: false })] });
  expect(await watch([progress({}), lost, progress({ completeAt: 1 })])).toHaveLength(3);
});

test('it ends for who has no right to it any more', async () => {
  const narrowed = actOf({ kind: 'operator', name: 'ops', scopes: ['tokens:revoke_all'] });
  const two = [progress({}), progress({ isPublished: true })];
  await expect(watch(two, operator, narrowed)).rejects.toThrow(RevocationUnknown);
});

test('one principal watches as many at once as is allowed, and others by themselves; one that has ended makes room', async () => {
  const ports = { revocations, census: { progressOf: async () => progress({}) }, watches: new Shares(watchesMax) };
  let isAllowed = true;
  const watching = (act: Act) =>
    watchRevocation(act, revocation.revocationId, ports, async () => {
      if (!isAllowed) throw new CallerUnknown();
      return act;
    });
  const begun = Array.from({ length: watchesMax }, () => watching({ ...operator, caller: { ...operator.caller } }));
  for (const one of begun) expect(await one.next()).toMatchObject({ done: false });
  await expect(watching(operator).next()).rejects.toThrow(Overloaded);
  const other = watching(actOf({ kind: 'operator', name: 'other', scopes: ['tokens:revoke'] }));
  expect(await other.next()).toMatchObject({ done: false });

  await begun[0]?.return(undefined);
  isAllowed = false;
  await expect(begun[1]?.next()).rejects.toThrow(CallerUnknown);
  const more = [watching(operator), watching(operator), watching(operator)].map((one) => one.next());
  expect((await Promise.allSettled(more)).map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
});

test('those who may not revoke the target are told that there is none', async () => {
  const stranger = actOf({ kind: 'operator', name: 'ops', tenantIds: ['t2'], scopes: ['tokens:revoke'] });
  await expect(watch([progress({})], stranger)).rejects.toThrow(RevocationUnknown);
});
