import { setTimeout as sleep } from 'node:timers/promises';
import { freePorts, type LocalKafka, openTemporaryFolder, startKafka } from '@touchstone/local-stack';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { atLeast, type Calls, callsOf, type Freshness, full, staleBy } from './calls.ts';
import { type Outcome, outcomeOf } from './outcome.ts';
import { ownKafka } from './own-kafka.ts';
import { type OwnStack, openOwnStack } from './own-stack.ts';
import { allServices, dead, untilAllReady } from './services.ts';
import { until, untilTrue } from './until.ts';

const fenceMilliseconds = 3_000;
const paceMilliseconds = 10;
/** Seconds; less than the fence. */
const staleness = 1;

/** What a validator said of a token, to a call sent then. */
interface Answer {
  readonly of: 'live' | 'revoked';
  readonly mode: string;
  readonly sentAt: number;
  readonly outcome: Outcome<{ readonly active: boolean }>;
}

interface Asking extends AsyncDisposable {
  readonly answers: readonly Answer[];
  /** Lets the calls in flight end. */
  stop(): Promise<void>;
}

describe.skipIf(!(await ownKafka('both-away')))('a validator that remembers tokens', () => {
  let own: OwnStack;
  let calls: Calls;
  let kafka: LocalKafka;
  let startBroker: () => Promise<LocalKafka>;
  const resources = new AsyncDisposableStack();

  beforeAll(async () => {
    const { path } = resources.use(await openTemporaryFolder());
    const [port, controllerPort] = (await freePorts()).kafka;
    startBroker = () => startKafka({ dataDir: `${path}/kafka`, port, controllerPort });
    kafka = await startBroker();
    resources.defer(() => kafka.stop());
    const environment = { FENCE_MILLISECONDS: String(fenceMilliseconds) };
    own = resources.use(await openOwnStack({ kafka: kafka.brokers, environment }));
    calls = callsOf(own.stack, own.world);
  });
  afterAll(() => resources.disposeAsync());

  type Modes = Readonly<Record<string, Freshness>>;

  /** Asks of tokens in every mode, over and over. */
  function startAsking(tokens: Readonly<Record<Answer['of'], string>>, modes: Modes): Asking {
    const answers: Answer[] = [];
    let stopped = false;
    const ask = async (of: Answer['of'], mode: string) => {
      while (!stopped) {
        const sentAt = performance.now();
        answers.push({ of, mode, sentAt, outcome: await outcomeOf(calls.validate(tokens[of], modes[mode])) });
        await sleep(paceMilliseconds);
      }
    };
    const asking = Object.keys(modes).flatMap((mode) => [ask('live', mode), ask('revoked', mode)]);
    const stop = async () => {
      stopped = true;
      await Promise.all(asking);
    };
    return { answers, stop, [Symbol.asyncDispose]: stop };
  }

  /** Of both, in every mode, in answers to calls that are sent from now on. */
  async function untilAllAnswered(asking: Asking, modes: Modes, isSo: (answer: Answer) => boolean): Promise<void> {
    const from = performance.now();
    await untilTrue('all have answered so', () => {
      const since = asking.answers.filter((one) => one.sentAt >= from && isSo(one));
      return new Set(since.map(({ of, mode }) => `${of} ${mode}`)).size === 2 * Object.keys(modes).length;
    });
  }

  const isActive = ({ outcome }: Answer): boolean => outcome.ok && outcome.answer.active;
  const textOf = ({ of, mode, outcome }: Answer): string =>
    `${of}, ${mode}: ${outcome.ok ? (outcome.answer.active ? 'active' : 'refused') : `${outcome.code} ${outcome.reason}`}`;

  async function untilAllIsRight(tokens: Readonly<Record<Answer['of'], string>>): Promise<void> {
    await untilAllReady(allServices(own.stack));
    const answered = <Result>(what: string, call: () => Promise<Result>) =>
      until(`a token is ${what} again`, async () => {
        const outcome = await outcomeOf(call());
        return outcome.ok ? outcome.answer : undefined;
      });
    const issued = await answered('issued', () => calls.issue());
    const revoked = await answered('revoked', () => calls.revoke(issued.token));
    for (const freshness of [full, staleBy(staleness), atLeast(revoked.revision)]) {
      expect((await calls.validate(tokens.live, freshness)).active).toBe(true);
      expect((await calls.validate(tokens.revoked, freshness)).active).toBe(false);
    }
    expect((await calls.validate(issued.token)).active).toBe(false);
    expect(dead(allServices(own.stack))).toEqual([]);
  }

  test.each([
    ['Postgres is gone, though Kafka is there', false],
    ['Postgres and Kafka are gone', true],
  ])('answers UNAVAILABLE in every mode once the fence has run out, where %s', async (_, withKafka) => {
    const [live, revoked] = [await calls.issue(), await calls.issue()];
    const tokens = { live: live.token, revoked: revoked.token };
    const modes: Record<string, Freshness> = { full, stale: staleBy(staleness), staler: staleBy(60) };
    for (const mode of Object.values(modes)) {
      for (const token of Object.values(tokens)) expect((await calls.validate(token, mode)).active).toBe(true);
    }
    const { revision } = await calls.revoke(revoked.token);
    const returnedAt = performance.now();
    modes['at least'] = atLeast(revision);
    await using asking = startAsking(tokens, modes);
    await own.postgres.kill();
    if (withKafka) await kafka.kill();
    const goneAt = performance.now();

    const isUnavailable = ({ outcome }: Answer) => !outcome.ok && outcome.code === 'Unavailable';
    await untilTrue('the fence has run out', () => performance.now() > goneAt + fenceMilliseconds);
    for (let again = 0; again < 3; again++) await untilAllAnswered(asking, modes, isUnavailable);
    const backAt = performance.now();
    if (withKafka) kafka = await startBroker();
    await own.restartPostgres();
    await untilAllAnswered(asking, modes, ({ of, outcome }) => outcome.ok && outcome.answer.active === (of === 'live'));
    await asking.stop();

    const wrong = asking.answers.filter((answer) => {
      const { of, mode, sentAt, outcome } = answer;
      if (!outcome.ok) return outcome.code !== 'Unavailable';
      if (of === 'live') return !outcome.answer.active;
      const staleUntil = { stale: staleness, staler: 60 }[mode] ?? 0;
      return isActive(answer) && sentAt > returnedAt + staleUntil * 1_000;
    });
    expect(wrong.map(textOf)).toEqual([]);
    // What was committed last was sent before it was gone.
    const believed = asking.answers.filter(
      ({ outcome, sentAt }) => outcome.ok && sentAt > goneAt + fenceMilliseconds && sentAt < backAt,
    );
    expect(believed.map(textOf)).toEqual([]);
    await untilAllIsRight(tokens);
  });
});
