import { ClientType, HostingType, type IssueTokenResponse, TokenMethod } from '@touchstone/contracts';
import { encodeRevisionEvent, topics as topicNames } from '@touchstone/events';
import type { ServiceName, ServicePorts, ServiceProcess } from '@touchstone/local-stack';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { shared } from '../harness/shared-stack.ts';
import { bootstrapped, clientsOf, openWorld, scopes, unique, type World } from '../harness/world.ts';
import { numberOf, openAdmin, untilPublished } from './admin.ts';
import { backUpData, putBackData } from './backup.ts';
import { outcomeOf } from './outcome.ts';
import { ownKafka } from './own-kafka.ts';
import { type OwnStack, openOwnStack } from './own-stack.ts';
import { kafkaClient, openTopics } from './topics.ts';
import { type Command, touchstone } from './touchstone.ts';
import { unreadable } from './unreadable.ts';
import { until, untilTrue } from './until.ts';

const names = ['issuer', 'validator', 'revocation'] as const;
const month = { seconds: 2_592_000n };

describe.skipIf(!(await ownKafka('replayed-restore')))('with Kafka: a database that was restored, and replayed', () => {
  let own: OwnStack;
  let running: Readonly<Record<ServiceName, ServiceProcess>>;

  beforeAll(async () => {
    own = await openOwnStack({ kafka: 'local' });
    running = own.stack.services;
  });
  afterAll(() => own?.[Symbol.asyncDispose]());

  const stopServices = () => Promise.all(names.map((name) => running[name].stop()));

  /** At the same ports. */
  async function startServices(): Promise<void> {
    const portOf = (address: string) => Number(address.split(':').at(-1));
    const start = async (name: ServiceName) => {
      const { grpc, http } = running[name];
      const ports: ServicePorts = [portOf(grpc), portOf(http)];
      const started = await own.stack.startAnother(name, ports);
      await started.untilReady();
      return started;
    };
    const [issuer, validator, revocation] = await Promise.all([
      start('issuer'),
      start('validator'),
      start('revocation'),
    ]);
    running = { issuer, validator, revocation };
  }

  async function backUp(): Promise<void> {
    await stopServices();
    await own.postgres.stop();
    await backUpData(own.postgres);
    await own.restartPostgres();
    await startServices();
  }

  /** Loses the database once its revisions are on the topic, and puts the backup in its place. */
  async function restore(): Promise<void> {
    await untilPublished(own);
    await stopServices();
    await own.postgres.stop();
    await putBackData(own.postgres);
    await own.restartPostgres();
  }

  const replay = (...flags: readonly string[]): Command =>
    touchstone(['replay-revocations', ...flags], {
      DATABASE_URL: own.postgres.adminUrl,
      MASTER_KEY_FILE: own.stack.masterKeyFile,
      KAFKA_BROKERS: own.stack.kafkaBrokers.join(','),
    });

  async function replayed(): Promise<Record<string, unknown>> {
    const command = replay('--json');
    expect(await command.exited, command.output()).toBe(0);
    return JSON.parse(
      command
        .output()
        .split('\n')
        .find((line) => line.startsWith('{')) ?? '',
    );
  }

  /** All that decides what is refused, but for the rows of what came after the backup. */
  async function stateOf(world: World): Promise<Record<string, unknown[]>> {
    await using admin = await openAdmin(own);
    const rows = async (sql: string) => (await admin.query({ text: sql, rowMode: 'array' })).rows;
    return {
      history: await rows('select * from history'),
      revision: await rows('select * from revision order by revision'),
      watermark: await rows('select * from watermark order by token_class, kind, key'),
      consent: await rows(
        `select consent_id, disabled_revision, wrapped from consent left join consent_key using (consent_id)
          where tenant_id = '${world.tenantId}' order by 1`,
      ),
      signingKey: await rows(
        `select signing_key_id, disabled_revision from signing_key where disabled_revision is not null order by 1`,
      ),
      app: await rows('select app_id, disabled_revision from app order by 1'),
      resourceServer: await rows('select audience, disabled_revision from resource_server order by 1'),
      tenant: await rows('select tenant_id, disabled_revision from tenant order by 1'),
    };
  }

  test('refuses all that it refused, at every level, and honours what is issued from then on', async () => {
    const { world } = own;
    const { operator, identity, tenantId } = world;
    const target = (value: object) =>
      operator.revocation.revokeTokens({
        target: { target: value as never },
        reason: 'incident',
        idempotencyKey: unique('incident'),
      });
    const isActive = async ({ token }: Pick<IssueTokenResponse, 'token'>) => (await world.validate(token)).active;

    // What will be revoked at each level, and what is left.
    const every = [TokenMethod.REFERENCE, TokenMethod.ATTENUABLE, TokenMethod.CONSENT_KEY, TokenMethod.SIGNED];
    const appId = await world.addApp({ methods: every, refresh: { ttlMax: month } });
    const [ofApp, ofDisabled] = [await world.addApp(), await world.addApp()];
    const consentId = await world.consent({ appId });
    const keptConsent = await world.consent({ appId });
    const withConsent = { appId, method: TokenMethod.CONSENT_KEY };
    const kept = [
      await world.issue({ appId, userId: 'eve' }),
      await world.issue({ appId, userId: 'eve', method: TokenMethod.ATTENUABLE }),
      await world.issue({ ...withConsent, consentId: keptConsent }),
    ];
    const family = await world.issue({ appId, userId: 'fay', scopes, refreshable: true });
    const used = await world.issue({ appId, userId: 'gus', scopes, refreshable: true });
    const principal = { case: 'app', value: { appId } } as const;
    const issued = await operator.registry.issueCredential({ principal, scopes: ['tokens:issue:self'], ttl: month });
    const holder = clientsOf(shared(own.stack), issued.credential);
    const revoked = {
      token: await world.issue({ userId: 'kim' }),
      user: await world.issue({ userId: 'bob' }),
      appUser: await world.issue({ appId, userId: 'dan' }),
      app: await world.issue({ appId: ofApp, userId: 'kim' }),
      consent: await world.issue({ ...withConsent, consentId }),
      signingKey: await world.issue({ appId, method: TokenMethod.SIGNED, userId: 'kim' }),
      family,
      disabled: await world.issue({ appId: ofDisabled, userId: 'kim' }),
    };
    const other = await openWorld(shared(own.stack));
    const ofTenant = await other.issue();
    const gone = `https://${unique('gone')}.example.com`;
    await operator.registry.createResourceServer({
      resourceServer: { audience: gone, tenantId, scopes: [{ name: 'orders:read' }] },
    });
    for (const one of [...kept, ...Object.values(revoked)]) expect(await isActive(one)).toBe(true);
    await backUp();

    // Sequences are drawn and lost: ceilings come to lie above what the backup knows of.
    for (let i = 0; i < 20; i++) await world.issue({ userId: 'lost' });
    expect(await isActive(await holder.issuer.refreshToken({ refreshToken: used.refreshToken }))).toBe(true);
    const lost = await world.issue({ userId: 'bob' });
    const lostConsent = await world.consent({ appId });
    await operator.revocation.revokeToken({ tokenOrId: { case: 'token', value: revoked.token.token } });
    await target({ case: 'user', value: { tenantId, userId: 'bob' } });
    await target({ case: 'appUser', value: { appId, userId: 'dan' } });
    await target({ case: 'app', value: { appId: ofApp } });
    await identity.revocation.revokeTokens({
      target: { target: { case: 'consentId', value: consentId } },
      reason: 'withdrawn',
      idempotencyKey: unique('withdrawn'),
    });
    await target({ case: 'consentId', value: lostConsent });
    const { signingKeys } = await operator.registry.listSigningKeys({ tenantId });
    for (const { signingKeyId } of signingKeys) await target({ case: 'signingKeyId', value: signingKeyId });
    await operator.revocation.revokeToken({ tokenOrId: { case: 'token', value: family.refreshToken } });
    await operator.registry.disableApp({ appId: ofDisabled, reason: 'over' });
    await operator.registry.disableResourceServer({ audience: gone, reason: 'over' });
    const lostApp = await world.addApp();
    await operator.registry.disableApp({ appId: lostApp, reason: 'over' });
    const { resourceServer } = await operator.registry.getResourceServer({ audience: world.audience });
    if (resourceServer) resourceServer.releasedClaims = ['name'];
    await operator.registry.updateResourceServer({ resourceServer });
    await other.operator.revocation.revokeTokens({
      target: { target: { case: 'tenant', value: { tenantId: other.tenantId } } },
      reason: 'incident',
      idempotencyKey: unique('incident'),
    });
    for (const one of kept) expect(await isActive(one)).toBe(true);
    const before = await stateOf(world);
    await restore();

    const result = await replayed();
    expect(result).toMatchObject({ release_changes: [world.audience], foreign_messages: 0 });
    expect(result.replayed).toBeGreaterThanOrEqual(12);
    const state = await stateOf(world);
    const count = before.revision?.length ?? 0;
    expect(state.revision).toHaveLength(count + 1);
    const after = replayedOf(state, count) as Record<string, unknown[]>;
    const known = (table: string) => new Set(after[table]?.map((row) => (row as unknown[])[0]));
    for (const [table, rows] of Object.entries(replayedOf(before, count))) {
      const isKept = (row: unknown) =>
        ['revision', 'watermark'].includes(table) || known(table).has((row as unknown[])[0]);
      expect([table, after[table]]).toEqual([table, rows.filter(isKept)]);
    }
    // Again, and nothing is left to do.
    expect(await replayed()).toMatchObject({ replayed: 0, revision: result.revision });

    await startServices();
    for (const [level, one] of Object.entries(revoked)) expect([level, await isActive(one)]).toEqual([level, false]);
    expect(await isActive(lost)).toBe(false);
    expect((await other.validate(ofTenant.token)).active).toBe(false);
    expect((await other.validate((await other.issue()).token)).active).toBe(true);
    for (const one of kept) expect(await isActive(one)).toBe(true);
    const again = [
      await world.issue({ userId: 'bob' }),
      await world.issue({ appId, userId: 'dan' }),
      await world.issue({ appId: ofApp, userId: 'kim' }),
      await world.issue({ appId, method: TokenMethod.SIGNED, userId: 'kim' }),
      await world.issue({ ...withConsent, consentId: keptConsent }),
    ];
    for (const one of again) expect(await isActive(one)).toBe(true);
    expect(await outcomeOf(world.issue({ ...withConsent, consentId }))).toMatchObject({ ok: false });
    expect(await outcomeOf(world.issue({ appId: ofDisabled }))).toMatchObject({ ok: false });
    // It was registered, and disabled, in the time that was lost: under its name nothing would be honoured.
    const kind = { clientType: ClientType.WEB, hostingType: HostingType.FIRST_PARTY };
    const grants = [{ audience: world.audience, scopes }];
    expect(
      await outcomeOf(operator.registry.createApp({ app: { appId: lostApp, tenantId, grants, ...kind } })),
    ).toMatchObject({ ok: false, code: 'AlreadyExists' });
    await onTrail(String(Number(result.number) - 1));
    // It had been used, and nobody knows it any more: it is good for nothing, and neither is what came with it.
    expect(await outcomeOf(holder.issuer.refreshToken({ refreshToken: used.refreshToken }))).toMatchObject({
      ok: false,
    });
    expect(await isActive(used)).toBe(false);
    const { refreshToken } = await world.issue({ appId, userId: 'gus', scopes, refreshable: true });
    expect(await isActive(await holder.issuer.refreshToken({ refreshToken }))).toBe(true);
  });

  /** What was replayed: but for the end of all families of refresh tokens, which comes after it in a revision of its own. */
  function replayedOf(
    { history, revision = [], watermark = [], ...disabled }: Record<string, unknown[]>,
    count: number,
  ) {
    const isOfFamilies = (mark: unknown) => (mark as unknown[]).includes('touchstone:refresh');
    const marks = watermark.filter((mark) => !isOfFamilies(mark));
    return { ...disabled, revision: revision.slice(0, count), watermark: marks };
  }

  /** Puts on the topic what is no revision of this installation. */
  async function lie(): Promise<void> {
    await using topics = await openTopics(own.stack.kafkaBrokers);
    const real = await until('a revision is there', () => topics.revisions.at(-1));
    const altered = { ...real, content: Buffer.concat([real.content, real.content]) };
    const next = { ...real, revision: real.revision + 1, previousHash: real.hash };
    const values = [Buffer.from('rubbish'), ...[altered, next].map((one) => Buffer.from(encodeRevisionEvent(one)))];
    const producer = kafkaClient(own.stack.kafkaBrokers).producer({ allowAutoTopicCreation: false });
    await producer.connect();
    const messages = values.map((value) => ({ value, partition: 0 }));
    await producer.send({ topic: topicNames.revocations, messages });
    for (const sendTo of Object.values(unreadable)) await sendTo(producer);
    await producer.disconnect();
  }

  test('is not replayed beside services, goes on where it was interrupted, and refuses every token there was', async () => {
    const platform = await bootstrapped(shared(own.stack), [own.world.tenantId], ['tokens:revoke_all']);
    const { world } = own;
    const tokens = [await world.issue(), await world.issue({ method: TokenMethod.REFERENCE, userId: 'eve' })];
    await backUp();
    const [lost] = [await world.issue(), await world.issue()];
    await platform.revocation.revokeTokens({
      target: { target: { case: 'all', value: {} } },
      reason: 'incident',
      idempotencyKey: unique('incident'),
    });
    const before = await stateOf(world);
    await lie();
    await restore();

    await startServices();
    const beside = replay();
    expect(await beside.exited).toBe(1);
    expect(beside.output()).toContain('stop the services first');
    await stopServices();

    {
      // As after a recovery to a point in time, which begins a timeline: nothing is written before a fence has run out.
      await using admin = await openAdmin(own);
      await admin.query(`update promotion set timeline = 'another'`);
    }
    {
      await using inTheWay = await openAdmin(own);
      await inTheWay.query('begin');
      await inTheWay.query('select from history for update');
      const killed = replay();
      await using admin = await openAdmin(own);
      const waiting = `select count(*) from pg_stat_activity
                        where application_name = 'touchstone replay-revocations' and wait_event_type = 'Lock'`;
      await untilTrue('it waits', async () => (await numberOf(admin, waiting)) === 1);
      await killed.kill();
      await inTheWay.query('rollback');
    }
    expect(await replayed()).toMatchObject({ replayed: 1, foreign_messages: 5 });
    const after = await stateOf(world);
    const count = before.revision?.length ?? 0;
    expect(after.revision).toHaveLength(count + 1);
    expect(replayedOf(after, count)).toEqual(replayedOf(before, count));

    await startServices();
    for (const one of [...tokens, lost]) expect((await world.validate(one?.token ?? '')).active).toBe(false);
    expect((await world.validate((await world.issue()).token)).active).toBe(true);
  });

  test('is not passed for whole where services went on without it, and have written as many revisions as were lost', async () => {
    const { world } = own;
    const tokens = await Promise.all(Array.from({ length: 5 }, () => world.issue()));
    const revoke = async (some: typeof tokens) => {
      for (const { token } of some) {
        await world.operator.revocation.revokeToken({ tokenOrId: { case: 'token', value: token }, reason: 'incident' });
      }
    };
    await backUp();
    await revoke(tokens.slice(0, 2));
    await restore();
    await startServices();
    await revoke(tokens.slice(2));
    await untilPublished(own);
    await stopServices();

    const refused = replay();
    expect(await refused.exited).toBe(1);
    expect(refused.output()).toMatch(/does not lead on from it \(another history, which the database is not of\)/);
    const [, standing = ''] = /: (\w+) leaves it where it stands/.exec(refused.output()) ?? [];
    const left = replay('--to', standing);
    expect(await left.exited, left.output()).toBe(0);
    await startServices();
  });

  test('is left as it is where the topic does not reach back to it, or no topic is given', async () => {
    const { world } = own;
    const tokens = await Promise.all(Array.from({ length: 3 }, () => world.issue()));
    await backUp();
    for (const { token } of tokens) {
      await world.operator.revocation.revokeToken({ tokenOrId: { case: 'token', value: token }, reason: 'incident' });
    }
    await restore();
    const before = await stateOf(world);
    const admin = kafkaClient(own.stack.kafkaBrokers).admin();
    await admin.connect();
    const [end] = await admin.fetchTopicOffsets(topicNames.revocations);
    const partitions = [{ partition: 0, offset: String(Number(end?.high) - 1) }];
    await admin.deleteTopicRecords({ topic: topicNames.revocations, partitions });
    await admin.disconnect();
    const cut = replay();
    expect(await cut.exited).toBe(1);
    expect(cut.output()).toMatch(/does not lead on from it \(revision \d+ is missing, or was altered\)/);
    const without = touchstone(['replay-revocations'], {
      DATABASE_URL: own.postgres.adminUrl,
      MASTER_KEY_FILE: own.stack.masterKeyFile,
    });
    expect(await without.exited).toBe(1);
    expect(without.output()).toContain('KAFKA_BROKERS: must name brokers');
    expect(await stateOf(world)).toEqual(before);
  });

  async function onTrail(id: string): Promise<void> {
    await using topics = await openTopics(own.stack.kafkaBrokers);
    const found = await until('the replay is on the trail', () =>
      topics.audit.find(({ event: { act } }) => act.case === 'registryChanged' && act.value.what === 'history'),
    );
    expect(found.event).toMatchObject({ actor: { kind: 'bootstrap' }, act: { value: { id, change: 'replayed' } } });
  }
});
