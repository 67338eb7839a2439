import type { IssueTokenResponse } from '@touchstone/contracts';
import { freePair, type ServiceName } from '@touchstone/local-stack';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { unique } from '../harness/world.ts';
import { atLeast, type Calls, callsOf, type Freshness, full, staleBy } from './calls.ts';
import { outcomeOf } from './outcome.ts';
import { type OwnStack, openOwnStack } from './own-stack.ts';
import { untilTrue } from './until.ts';

/** When a token was issued: seen from an act. */
type Phase = 'before' | 'meanwhile' | 'after';

let own: OwnStack;
/** Each by two replicas of every service. */
let calls: readonly [Calls, Calls];

beforeAll(async () => {
  own = await openOwnStack();
  const { stack, world } = own;
  const at: Partial<Record<ServiceName, string>> = {};
  for (const name of ['issuer', 'validator', 'revocation'] as const) {
    const second = await stack.startAnother(name, await freePair());
    await second.untilReady();
    at[name] = second.grpc;
  }
  calls = [callsOf(stack, world), callsOf(stack, world, { at })];
});
afterAll(() => own?.[Symbol.asyncDispose]());

/** What both validators say, asked at once. */
const bothSay = async (token: string, freshness: Freshness = full): Promise<boolean[]> =>
  (await Promise.all(calls.map((one) => one.validate(token, freshness)))).map(({ active }) => active);

test('a token is honoured at once, and its revocation refused at once, by two validators, 200 times', async () => {
  for (let turn = 0; turn < 200; turn++) {
    const [one, other] = turn % 2 === 0 ? calls : [calls[1], calls[0]];
    const { token } = await one.issue();
    expect(await bothSay(token)).toEqual([true, true]);
    // Validations that race with the revocation may say either, and must not leave anything behind.
    const racing = Array.from({ length: 4 }, () => bothSay(token, staleBy(60)));
    const { revision } = await other.revoke(token);
    expect(await bothSay(token)).toEqual([false, false]);
    await Promise.all(racing);
    expect(await bothSay(token, atLeast(revision))).toEqual([false, false]);
  }
});

test('nothing goes back: once one validator has refused a token, no validator honours it', async () => {
  for (let turn = 0; turn < 30; turn++) {
    const { token } = await calls[0].issue();
    let refused = false;
    const wrong: number[] = [];
    const watch = async (one: Calls, times = 20) => {
      for (let asked = 0; asked < times; asked++) {
        const mustRefuse = refused;
        const { active } = await one.validate(token);
        if (active && mustRefuse) wrong.push(asked);
        if (!active) refused = true;
      }
    };
    await Promise.all([...[...calls, ...calls].map((one) => watch(one)), calls[1].revoke(token)]);
    // All may have asked before the revocation.
    await watch(calls[0], 1);
    expect({ wrong, refused }).toEqual({ wrong: [], refused: true });
  }
});

describe('a revocation while several issuers are issuing', () => {
  type Target = Parameters<Calls['revokeTarget']>[0];
  const targets: readonly (readonly [string, (userId: string) => Target])[] = [
    ['an app for a user', (userId) => ({ case: 'appUser', value: { appId: own.world.appId, userId } })],
    ['a user', (userId) => ({ case: 'user', value: { tenantId: own.world.tenantId, userId } })],
    ['an app', () => ({ case: 'app', value: { appId: own.world.appId } })],
    ['a tenant', () => ({ case: 'tenant', value: { tenantId: own.world.tenantId } })],
    ['everything', () => ({ case: 'all', value: {} })],
  ];

  test.each(targets)(
    'of %s takes all from before and none from after; the others stay as they are',
    async (_, target) => {
      const userId = unique('user');
      const revokers = target(userId)?.case === 'all' ? platformRevokers() : calls;
      const { before, meanwhile, after } = await issueAround(userId, () =>
        Promise.all([...revokers, ...revokers].map((one) => one.revokeTarget(target(userId)))),
      );
      expect(new Set(await allSay(before))).toEqual(new Set([false]));
      expect(new Set(await allSay(after))).toEqual(new Set([true]));
      const first = await allSay(meanwhile);
      for (let again = 0; again < 3; again++) expect(await allSay(meanwhile)).toEqual(first);
    },
  );

  /** The demo's operator may revoke everything. */
  const platformRevokers = () => [callsOf(own.stack, own.world, { operator: own.stack.demo.operatorToken })];

  const allSay = async (tokens: readonly IssueTokenResponse[]): Promise<boolean[]> =>
    (await Promise.all(tokens.map(({ token }) => bothSay(token)))).flat();

  /** Issues by several at once, before, while and after something is done. */
  async function issueAround(userId: string, act: () => Promise<unknown>) {
    const issued = { before: [], meanwhile: [], after: [] } as Record<Phase, IssueTokenResponse[]>;
    let phase: Phase = 'before';
    let stopped = false;
    const work = async (one: Calls) => {
      while (!stopped) {
        const asked = phase;
        const token = await one.issue({ userId });
        // Asked before and answered later is meanwhile.
        issued[asked === phase ? asked : 'meanwhile'].push(token);
      }
    };
    const works = Promise.all([...calls, ...calls, ...calls].map(work));
    try {
      await untilTrue('some are issued', () => issued.before.length > 40);
      phase = 'meanwhile';
      await act();
      phase = 'after';
      await untilTrue('more are issued', () => issued.after.length > 40);
    } finally {
      stopped = true;
      await works;
    }
    return issued;
  }
});

describe('revoking from many sides at once', () => {
  test('one token: all are told of the same revocation', async () => {
    const { token } = await calls[0].issue();
    const revoked = await Promise.all(Array.from({ length: 20 }, (_, i) => calls[i % 2 === 0 ? 0 : 1].revoke(token)));
    expect(new Set(revoked.map((one) => one.revocationId)).size).toBe(1);
    expect(new Set(revoked.map((one) => one.revision)).size).toBe(1);
  });

  test('many tokens by two revokers: each is refused the moment its revocation returns', async () => {
    const issued = await Promise.all(Array.from({ length: 200 }, (_, i) => calls[i % 2 === 0 ? 0 : 1].issue()));
    const say = await Promise.all(
      issued.map(async ({ token }, i) => {
        await calls[i % 2 === 0 ? 1 : 0].revoke(token);
        return bothSay(token);
      }),
    );
    expect(new Set(say.flat())).toEqual(new Set([false]));
  });
});

test('a validator that was suspended across a revocation refuses in its first answer', async () => {
  const { validator } = own.stack.services;
  const tokens = await Promise.all(Array.from({ length: 20 }, () => calls[0].issue()));
  for (const { token } of tokens) expect(await bothSay(token)).toEqual([true, true]);
  validator.signal('SIGSTOP');
  let answers: Promise<readonly boolean[]>;
  try {
    // Asked while it can't hear: its answers come from after its waking.
    await Promise.all(tokens.map(({ token }) => calls[1].revoke(token)));
    answers = Promise.all(tokens.map(async ({ token }) => (await calls[0].validate(token)).active));
    answers.catch(() => {});
  } finally {
    validator.signal('SIGCONT');
  }
  expect(new Set(await answers)).toEqual(new Set([false]));
});

test('a validator that was suspended for longer than the fence answers nothing from before', async () => {
  const { validator } = own.stack.services;
  const { token } = await calls[0].issue();
  expect(await bothSay(token, staleBy(60))).toEqual([true, true]);
  validator.signal('SIGSTOP');
  const asked = performance.now();
  const hasty = callsOf(own.stack, own.world, { timeoutMs: 20_000 }).validate(token, staleBy(60));
  try {
    await calls[1].revoke(token);
    await untilTrue('the fence has run out', () => performance.now() - asked > 5_500);
  } finally {
    validator.signal('SIGCONT');
  }
  const outcome = await outcomeOf(hasty);
  if (outcome.ok) expect(outcome.answer.active).toBe(false);
  else expect(outcome.code).toBe('Unavailable');
  await untilTrue('it answers', async () => (await outcomeOf(calls[0].validate(token))).ok);
  expect(await bothSay(token)).toEqual([false, false]);
});
