import { dirname, join } from 'node:path';
import { TokenMethod } from '@touchstone/contracts';
import { TestKms } from '@touchstone/token-methods/test-kms';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { numberOf, openAdmin } from './admin.ts';
import { type Fleet, openFleet } from './fleet.ts';
import { type KeyEnvironment, masterKeyIn, newKmsKey, newMasterKey } from './key-environments.ts';
import { type OwnStack, openOwnStack } from './own-stack.ts';
import { type Command, touchstone } from './touchstone.ts';
import { broken, startTraffic, type Traffic } from './traffic.ts';
import { untilTrue } from './until.ts';

const names = ['issuer', 'validator', 'revocation'] as const;
const resources = new AsyncDisposableStack();
let own: OwnStack;
let fleet: Fleet;
let admin: Awaited<ReturnType<typeof openAdmin>>;
/** What wraps the data keys when a test begins. */
let former: KeyEnvironment;
/** What wraps them in the end, of each kind. */
let next: Readonly<Record<'another master key' | 'a key of KMS', KeyEnvironment>>;

beforeAll(async () => {
  own = resources.use(await openOwnStack());
  admin = resources.use(await openAdmin(own));
  const kms = resources.use(await TestKms.start());
  const { masterKeyFile } = own.stack;
  former = masterKeyIn(masterKeyFile);
  next = {
    'another master key': await newMasterKey(join(dirname(masterKeyFile), 'next.key')),
    'a key of KMS': newKmsKey(kms),
  };
  fleet = await openFleet(own, resources);
});
afterAll(() => resources.disposeAsync());

/** What is recorded from now on is of another period, whose data key is made by whoever comes first. */
async function beginPeriod(): Promise<string> {
  await admin.query(`update data_key set created_at = created_at - interval '31 days' where purpose = 'consent'`);
  return await fleet.consent();
}

/** Waits until some more calls are answered. */
async function more({ report }: Traffic, count = 20): Promise<void> {
  const { answered } = report;
  await untilTrue('calls are answered', () => report.answered > answered + count);
}

const rewrapKeys = (environment: Readonly<Record<string, string>>, ...flags: readonly string[]): Command =>
  touchstone(['rewrap-keys', ...flags], { DATABASE_URL: own.postgres.adminUrl, ...environment });

/** Kills the command when some keys are wrapped anew and the last one is not. */
async function interrupted(environment: Readonly<Record<string, string>>): Promise<void> {
  await using inTheWay = await openAdmin(own);
  await inTheWay.query('begin');
  // As the command itself would: consents that refer to it are recorded meanwhile.
  await inTheWay.query('select from data_key order by created_at desc limit 1 for no key update');
  const command = rewrapKeys(environment);
  await command.untilSaid('1 of ');
  const ofCommand = `from pg_stat_activity where application_name = 'touchstone rewrap-keys'`;
  const waiting = `select count(*) ${ofCommand} and wait_event_type = 'Lock'`;
  await untilTrue('it waits', async () => (await numberOf(admin, waiting)) === 1);
  await command.kill();
  // Otherwise its last statement goes on once nothing is in the way.
  await admin.query(`select pg_terminate_backend(pid, 5000) ${ofCommand}`);
}

const wrappedBy = async (): Promise<string[]> =>
  (await admin.query('select distinct key_encryption_id as id from data_key')).rows.map(({ id }) => id);

test.each(['another master key', 'a key of KMS'] as const)(
  'the key encryption is exchanged for %s while calls go on, all of which are answered',
  { timeout: 300_000 },
  async (kind) => {
    const both = { ...former.former, ...next[kind].current };
    const traffic = startTraffic(fleet.calls, 2);
    await more(traffic);
    await beginPeriod();

    for (const name of names) {
      await fleet.replace(name, both);
      // By an issuer that knows both; others still know the former one alone.
      await beginPeriod();
      await more(traffic);
    }
    expect(traffic.report.failures).toEqual([]);
    await interrupted(both);
    expect(await wrappedBy()).toHaveLength(2);
    await beginPeriod();
    await more(traffic);

    const finished = rewrapKeys(both, '--json');
    expect(await finished.exited, finished.output()).toBe(0);
    expect(await wrappedBy()).toHaveLength(1);
    await beginPeriod();
    await more(traffic);
    expect(await wrappedBy()).toHaveLength(1);

    for (const name of names) await fleet.replace(name, next[kind].current);
    await beginPeriod();
    await more(traffic);
    const report = await traffic.stop();
    expect(report.failures).toEqual([]);
    expect(report.wrong).toEqual([]);
    expect(await broken(fleet.calls, report)).toEqual([]);
    const [line = ''] = finished
      .output()
      .split('\n')
      .filter((text) => text.startsWith('{'));
    expect(JSON.parse(line)).toEqual({ key_encryption_id: (await wrappedBy())[0], rewrapped: expect.any(Number) });
    former = next[kind];
  },
);

test('without what wrapped them before nothing is changed, and the command says what is missing', async () => {
  const before = await wrappedBy();
  const other = await newMasterKey(join(dirname(own.stack.masterKeyFile), 'other.key'));
  const command = rewrapKeys(other.current);
  expect(await command.exited).toBe(1);
  expect(command.output()).toContain(`was wrapped by ${before[0]}, which is not given`);
  expect(await wrappedBy()).toEqual(before);
});

test('a login that may not change data keys is told which one may', async () => {
  const other = await newMasterKey(join(dirname(own.stack.masterKeyFile), 'another.key'));
  const command = rewrapKeys({ ...former.former, ...other.current, DATABASE_URL: own.stack.databaseUrls.issuer });
  expect(await command.exited).toBe(1);
  expect(command.output()).toContain('the login that migrates');
});

test('a data key is destroyed by the command once what it wrapped is moved, while tokens live on', async () => {
  const destroy = (id: string) => touchstone(['destroy-data-key', id], { DATABASE_URL: own.postgres.adminUrl });
  const consentId = await fleet.consent();
  const { token } = await fleet.calls.issue({ method: TokenMethod.CONSENT_KEY, consentId });
  const keyOf = 'select data_key_id as id from consent_key where consent_id = $1';
  const [{ id }] = (await admin.query(keyOf, [consentId])).rows;
  await beginPeriod();
  const refused = destroy(id);
  expect(await refused.exited).toBe(1);
  expect(refused.output()).toContain('that it wrapped are still there; touchstone move-consent-keys moves those');
  const environment = { ...former.current, DATABASE_URL: own.stack.databaseUrls.keys };
  const moved = touchstone(['move-consent-keys', '--json'], environment);
  expect(await moved.exited, moved.output()).toBe(0);
  expect(JSON.parse(moved.output())).toMatchObject({ moved: expect.any(Number), unreadable: [] });
  const destroyed = destroy(id);
  expect(await destroyed.exited, destroyed.output()).toBe(0);
  expect(await numberOf(admin, 'select count(*) from data_key where data_key_id = $1', [id])).toBe(0);
  // Also by who has never had the data key.
  for (const name of names) await fleet.replace(name, former.current);
  expect(await fleet.calls.validate(token)).toMatchObject({ active: true });
  const again = await fleet.calls.issue({ method: TokenMethod.CONSENT_KEY, consentId });
  expect(await fleet.calls.validate(again.token)).toMatchObject({ active: true });
});
