import type { IssueTokenResponse } from '@touchstone/contracts';
import { parseTokenId, type TokenKey, tokenIdOf } from '@touchstone/core';
import type { LocalPostgres, ServiceName } from '@touchstone/local-stack';
import type pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { shared } from '../harness/shared-stack.ts';
import { clientsOf } from '../harness/world.ts';
import { numberOf, openAdmin } from './admin.ts';
import { atLeast, type Calls, callsOf, staleBy } from './calls.ts';
import { type Door, openDoor, through } from './door.ts';
import { outcomeOf } from './outcome.ts';
import { type OwnStack, openOwnStack } from './own-stack.ts';
import { allServices, dead, metric, page, untilAllReady } from './services.ts';
import { type Spawned, spawnService } from './spawned.ts';
import { promote, startStandby } from './standby.ts';
import { until, untilTrue } from './until.ts';

const names = ['issuer', 'validator', 'revocation'] as const;
const fenced = { ok: false, code: 'Unavailable', reason: 'FENCED' };

const resources = new AsyncDisposableStack();
let own: OwnStack;
let calls: Calls;
/** What each service reaches the database through. */
const doors = {} as Record<ServiceName, Door>;
const services = {} as Record<ServiceName, Spawned>;
/** In force until a test fails over. */
let primary: LocalPostgres;
let standby: LocalPostgres;
let replication: Door;

beforeAll(async () => {
  own = resources.use(await openOwnStack());
  await Promise.all(allServices(own.stack).map((service) => service.stop()));
  primary = own.postgres;
  for (const name of names) {
    doors[name] = resources.use(await openDoor(primary.port));
    services[name] = resources.use(await spawnBehind(doors[name], name));
  }
  await untilAllReady(Object.values(services));
  const at = Object.fromEntries(names.map((name) => [name, services[name].grpc]));
  calls = callsOf(own.stack, own.world, { at, timeoutMs: 30_000 });
});
afterAll(() => resources.disposeAsync());

beforeEach(async () => {
  replication = await openDoor(primary.port);
  standby = resources.use(await startStandby(primary, replication));
});

afterEach(async () => {
  await failOver();
  move('validator');
  await primary.stop();
  await replication[Symbol.asyncDispose]();
  primary = standby;
  const issued = await until('a token is issued', () => calls.issue().catch(() => undefined));
  await untilTrue('it is honoured', () => isTold(issued, true));
  expect(dead(Object.values(services))).toEqual([]);
});

function spawnBehind(door: Door, name: ServiceName): Promise<Spawned> {
  const { databaseUrls } = own.stack;
  const environment = {
    DATABASE_URL: through(door, databaseUrls[name]),
    ...(name === 'revocation' ? { UPKEEP_DATABASE_URL: through(door, databaseUrls.upkeep) } : {}),
  };
  return spawnService(own.stack, name, { environment });
}

/** Takes a service to the promoted server, away from the one before. */
function move(name: ServiceName): void {
  doors[name].leadTo(standby.port);
  doors[name].cut();
}

/** From now on the primary answers reads, and what it commits nobody else ever has. */
function cutOff(): void {
  replication.leadTo(null);
  replication.cut();
}

/** Promotes the standby and moves those to it who write. */
async function failOver(): Promise<void> {
  await promote(standby);
  move('issuer');
  move('revocation');
}

/** Revokes it once that is possible. */
const revoked = ({ token }: IssueTokenResponse) =>
  until('it is revoked', () => calls.revoke(token).catch(() => undefined));

/** What the validator says of it, asked in each way. */
const ask = ({ token, revision }: IssueTokenResponse) =>
  Promise.all([
    outcomeOf(calls.validate(token)),
    outcomeOf(calls.validate(token, staleBy(60))),
    outcomeOf(calls.validate(token, staleBy(0.001))),
    outcomeOf(calls.validate(token, atLeast(revision))),
  ]);

const says = (active: boolean) => Array.from({ length: 4 }, () => ({ ok: true, answer: { active } }));

async function issue(): Promise<IssueTokenResponse> {
  const issued = await calls.issue();
  // From then on it is remembered.
  expect(await ask(issued)).toMatchObject(says(true));
  return issued;
}

/** Asks once in each way; true where all were answered. */
async function isTold(token: IssueTokenResponse, active: boolean): Promise<boolean> {
  const answers = await ask(token);
  for (const one of answers) expect(one).toMatchObject(one.ok ? { answer: { active } } : { code: 'Unavailable' });
  return answers.every(({ ok }) => ok);
}

const isRefused = (token: IssueTokenResponse) => isTold(token, false);

/** Ends the waits for the standby at the primary, as its operator might; gives how many there were. */
async function endWaits(admin: pg.Client): Promise<number> {
  const text = `select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'`;
  return (await admin.query(text)).rowCount ?? 0;
}

test('a validator that is left at it answers nothing once there is another, and what is so there once it is moved', async () => {
  const [live, lost] = [await issue(), await issue()];
  cutOff();
  await failOver();
  await revoked(lost);
  expect(await ask(lost)).toMatchObject(Array(4).fill(fenced));

  // Commits that it has for itself alone change nothing.
  await using admin = await openAdmin({ postgres: primary });
  await endWaits(admin);
  for (let ended = 0; ended < 3; ended += await endWaits(admin)) {
    for (const token of [live, lost]) expect(await ask(token)).toMatchObject(Array(4).fill(fenced));
  }

  move('validator');
  await untilTrue('it is refused', () => isRefused(lost));
  expect(await ask(live)).toMatchObject(says(true));
  await issue();
});

test('an issuer that is left at it knows nobody once there is another, whom it knew before neither, and publishes no key', async () => {
  const { tenantId, operator } = own.world;
  const at = { ...shared(own.stack), issuer: services.issuer.grpc };
  const principal = { case: 'operator' as const, value: { name: 'leaver', tenantIds: [tenantId] } };
  const made = { principal, scopes: ['registry:read'], ttl: { seconds: 3_600n } };
  const { credential } = await clientsOf(at, operator.credential).registry.issueCredential(made);
  const ask = () => outcomeOf(clientsOf(at, credential).registry.getTenant({ tenantId }));
  expect(await ask()).toMatchObject({ ok: true });
  const { active } = await clientsOf(at, operator.credential).registry.rotateSigningKey({ tenantId });
  const value = active?.signingKeyId ?? '';
  const keys = () => page(services.issuer, '/.well-known/jwks.json');
  expect((await keys()).text).toContain(value);
  cutOff();
  await promote(standby);
  move('revocation');
  await until('it is revoked', () => calls.revoke(credential).catch(() => undefined));
  await calls.revokeTarget({ case: 'signingKeyId', value });
  for (let times = 0; times < 3; times++) {
    expect(await ask()).toMatchObject(fenced);
    expect((await keys()).status).toBe(503);
  }
  move('issuer');
  await untilTrue('keys are published', async () => (await keys()).status === 200);
  expect((await keys()).text).not.toContain(value);
  await untilTrue('it is refused', async () => {
    const outcome = await ask();
    expect(outcome.ok).toBe(false);
    return !outcome.ok && outcome.reason === 'CALLER_UNKNOWN';
  });
});

test('a validator whose connections to it last answers nothing until it has given them up, by itself', async () => {
  const [live, lost] = [await issue(), await issue()];
  // Many at once take several connections.
  await Promise.all(Array.from({ length: 200 }, () => calls.validate(live.token)));
  cutOff();
  await failOver();
  doors.validator.leadTo(standby.port);
  await revoked(lost);
  await untilTrue('it is refused', () => isRefused(lost), 90_000);
  expect(await ask(live)).toMatchObject(says(true));
});

test('a validator that came to the standby too early leaves it, by itself, once the way leads to the primary again', async () => {
  const token = await issue();
  move('validator');
  await untilTrue('it can commit nothing', async () =>
    (await ask(token)).every((one) => !one.ok && one.reason === 'FENCED'),
  );
  doors.validator.leadTo(primary.port);
  await untilTrue('it answers', async () => (await ask(token)).every(({ ok }) => ok));
});

test('it tells nobody that there is nothing to revoke, nor that they may not: what it has read, it can not commit', async () => {
  const { token, tokenId } = await issue();
  await using admin = await openAdmin({ postgres: primary });
  const at = { ...shared(own.stack), revocation: services.revocation.grpc };
  const byIdentity = clientsOf(at, own.world.identity.credential).revocation;
  const known = parseTokenId(tokenId) as TokenKey;
  const value = tokenIdOf({ ...known, key: 'f'.repeat(32) });
  const revokeUnknown = () => byIdentity.revokeToken({ tokenOrId: { case: 'tokenId', value } }, { timeoutMs: 30_000 });
  expect(await outcomeOf(revokeUnknown())).toMatchObject({ ok: false, reason: 'TOKEN_UNKNOWN' });
  cutOff();
  let isTold = false;
  const told = outcomeOf(revokeUnknown()).finally(() => {
    isTold = true;
  });
  await untilTrue('it is told', async () => {
    await endWaits(admin);
    return isTold;
  });
  expect(await told).toMatchObject({ ok: false, code: 'Unavailable' });
  await failOver();
  move('validator');
  await untilTrue('it is honoured', async () => (await outcomeOf(calls.validate(token))).ok);
});

test('a revocation service that came to the standby too early leaves it, by itself, once the way leads to the primary again', async () => {
  const token = await issue();
  move('revocation');
  for (let times = 0; times < 5; times++) {
    expect(await outcomeOf(calls.revoke(token.token))).toMatchObject({ ok: false, code: 'Unavailable' });
  }
  doors.revocation.leadTo(primary.port);
  await revoked(token);
  await untilTrue('it is refused', async () => (await ask(token)).every((one) => one.ok && !one.answer.active));
});

test('a revocation that it took and that nobody was told of is forgotten, and those that came in its place count', async () => {
  const replaced = () => metric(services.validator, 'touchstone_histories_replaced_total');
  const before = await replaced();
  const [live, lost] = [await issue(), await issue()];
  await using admin = await openAdmin({ postgres: primary });
  const revision = await numberOf(admin, 'select revision from history');
  cutOff();
  const untold = outcomeOf(calls.revoke(live.token));
  await untilTrue('the validator has it', async () => {
    await endWaits(admin);
    const applied = `select max(applied_revision) from census where service = 'validator'`;
    return (await numberOf(admin, applied)) > revision;
  });
  expect(await untold).toMatchObject({ ok: false, code: 'Unavailable', reason: 'STORE_UNAVAILABLE' });

  await failOver();
  await revoked(lost);
  expect(await ask(lost)).toMatchObject(Array(4).fill(fenced));
  move('validator');
  await untilTrue('it is refused', () => isRefused(lost));
  expect(await ask(live)).toMatchObject(says(true));
  expect(await replaced()).toBe(before + 1);
});

test('reads that still go to it are not believed once the validator has committed at the new one', async () => {
  const [live, lost] = [await issue(), await issue()];
  cutOff();
  await failOver();
  await revoked(lost);
  await using admin = await openAdmin({ postgres: primary });
  await using elsewhere = await openAdmin({ postgres: standby });
  await using inTheWay = await openAdmin({ postgres: primary });
  const mine = `pg_stat_activity where application_name = 'touchstone validator'`;
  const waiting = `select count(*) from ${mine} and wait_event_type = 'Lock' and query not like '%with beat%'`;
  const counted = `select count(*) from census where service = 'validator' and answers_until > now()`;
  const door = doors.validator;

  await untilTrue(
    'it has committed at the new one while a question waits at the old one',
    async () => {
      door.leadTo(null);
      await admin.query(
        `select pg_terminate_backend(pid, 10000) from pg_stat_activity where application_name like 'touchstone%'`,
      );
      await inTheWay.query('rollback; begin; lock table history in access exclusive mode');
      door.leadTo(primary.port);
      await untilTrue('it waits', async () => (await numberOf(admin, waiting)) > 0);
      door.leadTo(standby.port);
      return until('one or the other', async () => {
        await admin.query(`select pg_terminate_backend(pid) from ${mine} and query like '%with beat%'`);
        const isCounted = (await numberOf(elsewhere, counted)) > 0;
        return (await numberOf(admin, waiting)) > 0 ? isCounted || undefined : false;
      });
    },
    90_000,
  );
  await inTheWay.query('rollback');
  const left = async () => numberOf(admin, `select count(*) from ${mine} and query not like 'listen%'`);
  await untilTrue('nothing of it is left at the old one', async () => {
    await Promise.all(Array.from({ length: 4 }, () => isRefused(lost)));
    await endWaits(admin);
    return (await left()) === 0;
  });
  await untilTrue('it is refused', () => isRefused(lost));
  expect(await ask(live)).toMatchObject(says(true));
});
