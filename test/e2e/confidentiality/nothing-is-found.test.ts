import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { TokenMethod } from '@touchstone/contracts';
import { topics } from '@touchstone/events';
import { type LocalPostgres, startPostgres } from '@touchstone/local-stack';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Canary, type Finding, findCanaries, type Source } from '../../harness/canary.ts';
import { kafkaTopics, postgresFiles, postgresTables } from '../../harness/canary-sources.ts';
import { kafkaForTests } from '../../harness/shared-stack.ts';
import { openWorld } from '../../harness/world.ts';
import { type OwnStack, openOwnStack } from './own-stack.ts';
import { Plants } from './plants.ts';
import { provokeErrors, ToldErrors } from './provoked-errors.ts';
import { methods, outcomeOf } from './scene.ts';
import { Secrets } from './secrets.ts';
import { besidesPostgres, logs, metricsPages, publicPages } from './taking.ts';
import {
  issueCredentials,
  issueMany,
  provokeRefusals,
  revokeInEachWay,
  sendNonsense,
  type Using,
  validateMany,
} from './use-of-everything.ts';
import { issueByEveryMethod, revokeMethods, validateEach } from './use-of-methods.ts';

const kafka = await kafkaForTests();
const tokensCount = 1_000;
const secrets = new Secrets();
const plants = new Plants();
const errors = new ToldErrors();
/** Most of a token that was sent as the id of a consent. */
let misplaced = '';

let own: OwnStack;
let postgres: LocalPostgres;
let superuser: pg.Client;
let using: Using;
beforeAll(async () => {
  own = await openOwnStack(kafka);
  postgres = own.stack.postgres;
  await secrets.keepKeys(own);
  superuser = await own.superuser();
  // Whatever reaches the database is in its log, parameters included.
  await superuser.query(`alter system set log_statement = 'all'`);
  await superuser.query('select pg_reload_conf()');
  using = { own, world: await openWorld(own.shared), secrets };
});
afterAll(async () => {
  await postgres?.stop();
  await own?.[Symbol.asyncDispose]();
});

const notAtWill = ['OVERLOADED', 'FENCED', 'DEADLINE_EXCEEDED', 'CANCELLED'];
/** Those that were told, but for those that are not to be had at will. */
const reasons = [
  'on HTTP',
  'INVALID_FIELD',
  'CALLER_UNKNOWN',
  'CALLER_NOT_ALLOWED',
  'TENANT_UNKNOWN',
  'APP_UNKNOWN',
  'AUDIENCE_UNKNOWN',
  'CONSENT_UNKNOWN',
  'TOKEN_UNKNOWN',
  'REVOCATION_UNKNOWN',
  'DISABLED',
  'SCOPE_NOT_ALLOWED',
  'TTL_TOO_LONG',
  'METHOD_NOT_ALLOWED',
  'CLAIM_RESERVED',
  'CLAIMS_TOO_LARGE',
  'ALREADY_EXISTS',
  'IDEMPOTENCY_KEY_REUSED',
  'CREDENTIAL_NOT_ALLOWED',
  'STORE_UNAVAILABLE',
  'INTERNAL',
  'REVISION_UNKNOWN',
  'TOKEN_TOO_LONG',
  'CONSENT_REQUIRED',
  'CONSENT_ENDED',
  'SIGNING_KEY_UNKNOWN',
];

/** What stands where, without the encoding: `a user id in <source>`. */
const placesOf = (findings: readonly Finding[]): string[] =>
  findings.map(({ canary, source, encoding }) => `${canary} in ${source} (${encoding})`);

/** Scans once, for the secrets and for what was planted. */
async function find(sources: AsyncIterable<Source> | readonly Source[], controls: readonly Canary[] = []) {
  const findings = await findCanaries(sources, [...secrets.canaries, ...plants.canaries, ...controls]);
  const planted = new Set(findings.map(({ canary }) => canary).filter((name) => name.startsWith('planted: ')));
  return { leaks: placesOf(findings.filter(({ canary }) => !planted.has(canary))), planted };
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 30_000; !(await isSo()); await setTimeout(50)) {
    if (Date.now() > end) throw new Error(`not so after 30 s: ${isSo}`);
  }
}

async function untilRelayed(): Promise<void> {
  const waiting = `
    select (select count(*) from outbox o, relay_position p where (o.transaction_id, o.id) > (p.transaction_id, p.outbox_id))
         + (select h.revision - p.revision from history h, relay_position p) as count`;
  await until(async () => Number((await superuser.query(waiting)).rows[0]?.count) === 0);
}

describe('after a thousand issues, and everything else that can be done or go wrong,', () => {
  beforeAll(async () => {
    const tokens = await issueMany(using, tokensCount);
    const credentials = await issueCredentials(using);
    expect(await validateMany(using, tokens)).toBe(tokensCount);
    const outcomes = await provokeRefusals(using);
    expect(outcomes).not.toContain('done');
    await useMethods();
    await withBrokenTable();
    await withoutPostgres(tokens);
    await revokeInEachWay(using, tokens);
    for (const { issuer } of credentials) await outcomeOf(issuer.issueToken(using.world.request()));
    // A caller's credential is judged on what was so a second ago at most.
    await until(async () => (await outcomeOf(validateMany(using, tokens.slice(0, 100)))) === 'Unauthenticated');
    if (kafka) await untilRelayed();
    // The first reader of a new Kafka may be told to wait.
    const readable = () =>
      Array.fromAsync(kafkaTopics(own.stack.kafkaBrokers, [topics.revocations])).then(
        () => true,
        () => false,
      );
    if (kafka) await until(readable);
    await plants.inDatabase(superuser);
    if (kafka) await plants.inTopic(own.stack.kafkaBrokers, topics.audit);
    for (const file of own.shared.logFiles) await plants.inLog(file);
    await superuser.query('analyze');
    await superuser.query('checkpoint');
    // The services write their logs behind their calls.
    await setTimeout(600);
  });

  /** Every method, consents and keys; and every error that can be had. */
  async function useMethods(): Promise<void> {
    const appId = await using.world.addApp({ methods });
    const made = await issueByEveryMethod(using, appId);
    const before = await secrets.keepStoredKeys(own, superuser);
    for (const what of ['installation', 'signing', 'consent', 'EdDSA', 'ES256', 'RS256', 'the key of a consent']) {
      expect(before.filter((name) => name.includes(what))).not.toEqual([]);
    }
    expect(await validateEach(using, made)).toBe(made.length);
    for (const { token } of made.filter((_, i) => i % 3 === 0)) {
      for (const answer of await sendNonsense(using, token)) errors.add('on HTTP', answer);
    }
    const { token } = await using.world.issue({ appId, method: TokenMethod.ENCRYPTED });
    misplaced = token.slice(5, 65);
    await errors.hear(using.world.issue({ appId, consentId: misplaced }));
    await provokeErrors({ using, appId, made, planted: plants.error, told: errors });
    await revokeMethods(using, appId, made);
    await secrets.keepStoredKeys(own, superuser);
  }

  /** The database refuses rows, and tells its log which. */
  async function withBrokenTable(): Promise<void> {
    const { world } = using;
    const request = { userId: secrets.userId(7), claims: secrets.claims(7) };
    await superuser.query(`alter table token add constraint broken check (usage <> 'interactive') not valid`);
    expect(await outcomeOf(world.issue(request))).toBe('Unavailable');
    await superuser.query('alter table token drop constraint broken');
    expect(await outcomeOf(world.issue(request))).toBe('done');
    for (const table of ['consent', 'consent_key', 'signing_key', 'data_key', 'outbox']) {
      const column = table === 'outbox' ? 'payload' : table === 'consent' ? 'mac' : 'wrapped';
      await superuser.query(`alter table ${table} add constraint broken check (${column} is null) not valid`);
      const refused = [
        world.consent({ userId: request.userId }),
        world.operator.registry.rotateSigningKey({ tenantId: world.tenantId }),
      ];
      await Promise.all(refused.map((call) => errors.hear(call)));
      await superuser.query(`alter table ${table} drop constraint broken`);
    }
    expect(await outcomeOf(world.consent({ userId: request.userId }))).toBe('done');
  }

  /** Calls go on while Postgres is killed and comes back. */
  async function withoutPostgres(tokens: readonly string[]): Promise<void> {
    const { world } = using;
    const call = (i: number) => [
      world.issue({ userId: secrets.userId(i), claims: secrets.claims(i) }).then(({ token }) => secrets.keep(token)),
      world.validate(tokens[i] ?? ''),
      world.operator.revocation.revokeToken({ tokenOrId: { case: 'token', value: tokens[i + 100] ?? '' } }),
    ];
    const inFlight = Array.from({ length: 50 }, (_, i) => call(i))
      .flat()
      .map(outcomeOf);
    await postgres.kill();
    const later = Array.from({ length: 20 }, (_, i) => call(i))
      .flat()
      .map(outcomeOf);
    await errors.hear(world.issue({ userId: secrets.userId(7), claims: secrets.claims(7) }));
    await errors.hear(world.validate(tokens[0] ?? ''));
    const outcomes = await Promise.all([...inFlight, ...later]);
    expect(outcomes).toContain('Unavailable');
    const { dataDir, port } = own.stack.postgres;
    postgres = await startPostgres({ dataDir, port });
    superuser = await own.superuser();
    await until(async () => (await outcomeOf(world.issue())) === 'done');
    await until(async () => (await outcomeOf(world.validate(tokens[99] ?? ''))) === 'done');
  }

  test('no table holds a user id, a claim, a token or a key', async () => {
    const { leaks, planted } = await find(postgresTables(superuser));
    expect(leaks).toEqual([]);
    expect(planted).toEqual(new Set(['planted: row']));
  }, 120_000);

  test.skipIf(kafka === null)('no topic holds one (needs Kafka)', async () => {
    const { leaks, planted } = await find(kafkaTopics(own.stack.kafkaBrokers, Object.values(topics)));
    expect(leaks).toEqual([]);
    expect(planted).toEqual(new Set(['planted: message']));
  });

  test("no service's log holds one", async () => {
    for (const source of await logs(own.shared.logFiles)) {
      const { leaks, planted } = await find([source]);
      expect(leaks).toEqual([]);
      expect([source.name, planted]).toEqual([source.name, new Set(['planted: line'])]);
    }
  });

  test('no metric holds one', async () => {
    const pages = await metricsPages(own.shared.http);
    const control = { name: 'planted: control', value: 'touchstone_call_seconds_bucket' };
    for (const page of pages) {
      const { leaks, planted } = await find([plants.inMetrics(page)], [control]);
      expect(leaks).toEqual([]);
      expect([page.name, planted]).toEqual([page.name, new Set(['planted: control', 'planted: metric'])]);
    }
  });

  test('no page that anybody may read holds one', async () => {
    const control = { name: 'planted: control', value: (await own.published())[0]?.kid ?? '' };
    const { leaks, planted } = await find(await publicPages(own.shared.http), [control]);
    expect(leaks).toEqual([]);
    expect(planted).toEqual(new Set(['planted: control']));
  });

  test('no error holds one, whatever it is about', async () => {
    expect([...errors.reasons].filter((one) => !notAtWill.includes(one)).sort()).toEqual(reasons.toSorted());
    const { leaks, planted } = await find(errors.sources);
    expect(leaks).toEqual([]);
    expect(planted).toEqual(new Set(['planted: error']));
  });

  test("Postgres' log holds none, though it logs every statement with its parameters", async () => {
    const { leaks, planted } = await find(await logs([join(own.folder, 'postgres-log', 'postgresql.log')]));
    expect(leaks).toEqual([]);
    expect(planted).toEqual(new Set(['planted: row', 'planted: deleted', 'planted: statement']));
  });

  test('nor does it hold a token that was sent as the id of a consent', async () => {
    const log = await logs([join(own.folder, 'postgres-log', 'postgresql.log')]);
    expect(await findCanaries(log, [{ name: 'a misplaced token', value: misplaced }])).toEqual([]);
  });

  test('no file of the live database holds one, the write-ahead log included', async () => {
    const { leaks, planted } = await find(postgresFiles(own.stack.postgres.dataDir));
    expect(leaks).toEqual([]);
    expect(planted).toEqual(new Set(['planted: row', 'planted: deleted']));
  }, 120_000);

  test('nor does any file after all has stopped, but the file of the master key', async () => {
    for (const service of Object.values(own.stack.services)) await service.stop();
    await own.stack.kafka?.stop();
    await postgres.stop();
    const database = await find(postgresFiles(own.stack.postgres.dataDir));
    expect(database.leaks).toEqual([]);
    expect(database.planted).toEqual(new Set(['planted: row', 'planted: deleted']));
    const others = await find(besidesPostgres(own.folder));
    expect(others.leaks).toEqual([expect.stringMatching(/^the master key in master\.key \(base64/)]);
    expect([...others.planted]).toEqual(
      expect.arrayContaining(['planted: line', 'planted: statement', ...(own.stack.kafka ? ['planted: message'] : [])]),
    );
  }, 120_000);
});
