import { chmod } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { TokenMethod } from '@touchstone/contracts';
import { TestKms } from '@touchstone/token-methods/test-kms';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openAdmin } from './admin.ts';
import { callsOf } from './calls.ts';
import { type Fleet, openFleet } from './fleet.ts';
import { grpcHealth } from './grpc.ts';
import { type KeyEnvironment, masterKeyIn, newKmsKey, newMasterKey } from './key-environments.ts';
import { outcomeOf } from './outcome.ts';
import { type OwnStack, openOwnStack } from './own-stack.ts';
import { page, readiness } from './services.ts';
import { type Spawned, spawnService } from './spawned.ts';
import { touchstone } from './touchstone.ts';
import { untilTrue } from './until.ts';

const resources = new AsyncDisposableStack();
let own: OwnStack;
let kms: TestKms;
let byKms: KeyEnvironment;
let fleet: Fleet;
let folder: string;

beforeAll(async () => {
  own = resources.use(await openOwnStack());
  kms = resources.use(await TestKms.start());
  byKms = newKmsKey(kms);
  fleet = await openFleet(own, resources);
  folder = dirname(own.stack.masterKeyFile);
  const both = { ...byKms.current, ...masterKeyIn(own.stack.masterKeyFile).former };
  for (const name of ['issuer', 'validator', 'revocation'] as const) await fleet.replace(name, both);
  const command = touchstone(['rewrap-keys'], { DATABASE_URL: own.postgres.adminUrl, ...both });
  expect(await command.exited, command.output()).toBe(0);
});
afterAll(() => resources.disposeAsync());

/** Starts a service that can't unwrap the installation's data key, and gives it once it has said so. */
async function waiting(environment: Readonly<Record<string, string>>): Promise<Spawned> {
  const service = resources.use(await spawnService(own.stack, 'validator', { environment }));
  await untilTrue('it listens', () => page(service, '/healthz').then(Boolean, () => false));
  await untilTrue('it waits', async () => 'keys' in (await readiness(service)).reasons);
  return service;
}

async function expectNotReady(service: Spawned): Promise<void> {
  expect(await page(service, '/healthz')).toMatchObject({ status: 200 });
  expect(await page(service, '/readyz')).toMatchObject({ status: 503 });
  expect(await grpcHealth(service)).toBe('NOT_SERVING');
  expect((await readiness(service)).reasons.keys).toBe('a data key cannot be unwrapped: the log says what to check');
}

describe.each([
  ['away', 'KMS cannot be reached (ECONNRESET): check the network'],
  ['AccessDeniedException', 'allow them kms:Encrypt and kms:Decrypt'],
  ['DisabledException', 'enable it'],
] as const)('where KMS is %s', (fault, advice) => {
  test('a service that starts waits, says in its log what to check, and recovers by itself', async () => {
    kms.alwaysFault = fault;
    const service = await waiting(byKms.current);
    await expectNotReady(service);
    await untilTrue('the log says why', () => service.output().includes(advice));
    expect(service.output().split(advice), 'once').toHaveLength(2);
    kms.alwaysFault = undefined;
    await service.untilReady();
    expect(await grpcHealth(service)).toBe('SERVING');
    service.signal('SIGTERM');
    expect(await service.exited).toBe(0);
  });

  test('services that run issue and validate on, but for what takes a new data key', async () => {
    for (let method = 0; method < 3; method++) await fleet.calls.validate((await fleet.calls.issue()).token);
    kms.alwaysFault = fault;
    const asked = kms.asked;
    for (let method = 0; method < 3; method++) {
      const { token } = await fleet.calls.issue();
      expect(await fleet.calls.validate(token)).toMatchObject({ active: true });
      await fleet.calls.revoke(token);
      expect(await fleet.calls.validate(token)).toMatchObject({ active: false });
    }
    expect(kms.asked, 'nobody asks KMS for what is unwrapped').toBe(asked);
    await using admin = await openAdmin(own);
    await admin.query(`update data_key set created_at = created_at - interval '31 days' where purpose = 'consent'`);
    const outcome = await outcomeOf(fleet.consent());
    expect(outcome).toMatchObject({ ok: false, code: 'Unavailable', reason: 'STORE_UNAVAILABLE' });
    await untilTrue('the log says why', () => fleet.output('issuer').includes(advice));
    kms.alwaysFault = undefined;
    await fleet.consent();
  });
});

test('the first token of an issuer since its start takes a data key, by whatever method, and the next ones none', async () => {
  const issuer = resources.use(await spawnService(own.stack, 'issuer', { environment: byKms.current }));
  await issuer.untilReady();
  const { issue } = callsOf(own.stack, own.world, { timeoutMs: 30_000, at: { issuer: issuer.grpc } });
  const attempt = () => outcomeOf(issue({ method: TokenMethod.REFERENCE }));
  kms.alwaysFault = 'away';
  expect(await attempt()).toMatchObject({ ok: false, code: 'Unavailable', reason: 'STORE_UNAVAILABLE' });
  kms.alwaysFault = undefined;
  expect(await attempt()).toMatchObject({ ok: true });
  kms.alwaysFault = 'away';
  expect(await attempt()).toMatchObject({ ok: true });
  kms.alwaysFault = undefined;
});

test('a service with another master key waits, and its log names both', async () => {
  const other = await newMasterKey(join(folder, 'other.key'));
  const service = await waiting(other.current);
  await expectNotReady(service);
  const said = /was wrapped by aws-kms:\S+, and only file:\w+ is given: check/;
  await untilTrue('the log says why', () => said.test(service.output()));
});

test('a master key file that others may read is refused, by a service and by the command', async () => {
  const path = join(folder, 'open.key');
  const { current } = await newMasterKey(path);
  await chmod(path, 0o644);
  const service = resources.use(await spawnService(own.stack, 'validator', { environment: current }));
  const command = touchstone(['bootstrap', 'ada', '--tenant', 'acme'], {
    DATABASE_URL: own.postgres.adminUrl,
    ...current,
  });
  for (const { exited, output } of [service, command]) {
    expect(await exited).toBe(1);
    expect(output()).toContain(`${path}: others than its owner may read it; chmod 600 it, and consider it leaked`);
  }
});
