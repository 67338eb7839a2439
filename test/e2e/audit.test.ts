import { fromBinary } from '@bufbuild/protobuf';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import { createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { ClientType, HostingType, IssuerService } from '@touchstone/contracts';
import {
  type AuditEvent,
  type RevisionContent,
  RevisionContentSchema,
  type RevocationEvent,
} from '@touchstone/contracts/events';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { bootstrapped, clientsOf, openWorld, unique, type World } from '../harness/world.ts';
import { failureOf } from './support-outcome.ts';
import { type Heard, type Listener, listenToTopics } from './support-topics.ts';

const stack = inject('stack');
const wait = { timeout: 15_000, interval: 50 };

describe.skipIf(stack.kafkaBrokers.length === 0)('on Kafka', () => {
  const userId = unique('canary-user');
  const claim = unique('canary-claim');
  const traceId = `${'c'.repeat(22)}${unique('').slice(-10)}`;
  let listener: Listener;
  let world: World;
  let otherApp: string;
  let otherAudience: string;
  /** What was done, by a name, with what it returned. */
  const done: Record<string, Record<string, unknown>> = {};
  const strings: string[] = [];

  beforeAll(async () => {
    listener = await listenToTopics(stack.kafkaBrokers);
    world = await openWorld(stack);
    otherApp = unique('app');
    otherAudience = `https://${unique('api')}.example.com`;
    const { operator, tenantId, appId } = world;
    const claims = { name: claim };
    done.issued = { ...(await world.issue({ userId, claims })) };
    const headers = { authorization: `Bearer ${world.identity.credential}` };
    const traced = createClient(
      IssuerService,
      createConnectTransport({ baseUrl: stack.http.issuer, httpVersion: '1.1' }),
    );
    const over = { ...headers, traceparent: `00-${traceId}-00f067aa0ba902b7-01`, 'x-forwarded-for': '203.0.113.7' };
    done.traced = { ...(await traced.issueToken(world.request({ userId, claims }), { headers: over })) };
    await failureOf(world.issue({ userId, claims, scopes: ['orders:everything'] }));
    await failureOf(world.issue({ userId, claims, tenantId: 'another' }));
    const batch = await world.identity.issuer.batchIssueTokens({
      requests: [world.request({ userId, claims }), world.request({ userId, claims, appId: 'nothing' })],
    });
    for (const { outcome } of batch.results) if (outcome.case === 'issued') done.batched = { ...outcome.value };

    // Refused before anybody looks at what was asked for.
    const { issuer } = world.identity;
    await failureOf(world.issue({ userId, claims, scopes: [claim.toUpperCase()] }));
    await failureOf(issuer.batchIssueTokens({ requests: [] }));
    await failureOf(world.issue({ userId, claims, ttl: { seconds: 60n, nanos: 1 } }));
    const half = world.request({ userId, claims, ttl: { seconds: 60n, nanos: 1 } });
    await issuer.batchIssueTokens({ requests: [world.request({ userId, claims, audience: '' }), half] });
    await failureOf(world.resourceServer.issuer.issueToken(world.request({ userId, claims })));
    await failureOf(world.auditor.issuer.batchIssueTokens({ requests: [world.request({ userId, claims })] }));

    const registry = operator.registry;
    const credentialOf = (principal: object, more: object = {}) =>
      registry.issueCredential({ principal, scopes: ['tokens:issue'], ttl: { seconds: 60n }, ...more } as never);
    const identityService = (over: object) => ({
      case: 'identityService',
      value: { tenantId, name: 'second', ...over },
    });
    await failureOf(credentialOf(identityService({}), { scopes: ['registry:write'] }));
    await failureOf(credentialOf(identityService({ tenantId: 'another' })));
    await failureOf(credentialOf({ case: 'app', value: { appId: 'nothing' } }));
    await failureOf(credentialOf(identityService({}), { ttl: { seconds: 60n, nanos: 1 } }));
    await failureOf(credentialOf(identityService({ name: claim.toUpperCase() })));
    await failureOf(world.app.registry.issueCredential({ ttl: { seconds: 60n } }));

    // Nobody knows whose these are.
    const stranger = clientsOf(stack, unique('tks_canary'));
    strings.push(stranger.credential, claim.toUpperCase());
    await failureOf(stranger.issuer.issueToken(world.request({ userId, claims })));
    await failureOf(stranger.registry.issueCredential({}));

    await registry.createResourceServer({
      resourceServer: { audience: otherAudience, tenantId, scopes: [{ name: 'a' }] },
    });
    const kinds = { clientType: ClientType.WEB, hostingType: HostingType.FIRST_PARTY };
    await registry.createApp({ app: { appId: otherApp, tenantId, ...kinds } });
    await registry.disableResourceServer({ audience: otherAudience, reason: 'api ended' });
    await registry.disableApp({ appId: otherApp, reason: 'app ended' });
    const made = await registry.issueCredential({
      principal: { case: 'identityService', value: { tenantId, name: 'second' } },
      scopes: ['tokens:issue'],
      ttl: { seconds: 60n },
    });
    strings.push(made.credential);
    done.credential = { tokenId: made.tokenId };

    const { revokeToken, revokeTokens } = operator.revocation;
    await revokeToken({ tokenOrId: { case: 'token', value: String(done.issued?.token) } });
    const targets = [
      { case: 'user', value: { tenantId, userId } },
      { case: 'app', value: { appId } },
      { case: 'appUser', value: { appId, userId } },
      { case: 'tenant', value: { tenantId } },
    ] as const;
    for (const target of targets) {
      done.revoked = {
        ...(await revokeTokens({ target: { target }, reason: 'gone', idempotencyKey: unique('incident') })),
      };
    }
    strings.push(...[done.issued, done.traced, done.batched].map((one) => String(one?.token)));
    for (const { credential } of [world.operator, world.identity, world.app, world.resourceServer])
      strings.push(credential);
    const isLast = ({ act }: AuditEvent) =>
      act.case === 'tokensRevoked' && act.value.revocationId === done.revoked?.revocationId;
    await vi.waitUntil(() => ours().some(({ event }) => isLast(event)), wait);
  });
  afterAll(() => listener?.[Symbol.asyncDispose]());

  /** The events of the world's tenant: each once, for they may come more than once. */
  const ours = () => [
    ...new Map(
      listener.audit.filter(({ event }) => event.tenantId === world.tenantId).map((one) => [one.event.eventId, one]),
    ).values(),
  ];
  const find = async (wanted: (event: AuditEvent) => boolean) => {
    await vi.waitUntil(() => ours().some(({ event }) => wanted(event)), wait);
    const all = ours().filter(({ event }) => wanted(event));
    expect(all).toHaveLength(1);
    return (all[0] as Heard<AuditEvent>).event;
  };
  const issuedAs = (name: string) =>
    find(({ act }) => act.case === 'tokenIssued' && act.value.tokenId === done[name]?.tokenId);

  const identity = { kind: 'identity_service', name: 'identity' };
  const tok = expect.stringMatching(/^tok_/);

  test.each(['issued', 'traced', 'batched'])(
    'a token that was %s is told with what it allows, and by whom',
    async (name) => {
      const event = await issuedAs(name);
      expect(event.actor).toMatchObject({
        ...identity,
        credentialId: tok,
        traceId: expect.stringMatching(/^[0-9a-f]{32}$/),
      });
      const { tokenId, expiresAt } = done[name] as { tokenId: string; expiresAt: object };
      expect(event.act.value).toMatchObject({
        tokenId,
        appId: world.appId,
        userHandle: expect.stringMatching(/^\w+$/),
        audience: world.audience,
        scopes: ['orders:read'],
        method: 'reference',
        usage: 'interactive',
        consentId: '',
        credentialFor: '',
        expiresAt,
      });
    },
  );

  test('the trace of the call and the address that it came from are told, whatever the caller says of the address', async () => {
    expect((await issuedAs('traced')).actor).toMatchObject({ traceId, peer: expect.stringMatching(/127\.0\.0\.1/) });
    expect((await issuedAs('issued')).actor).toMatchObject({ peer: expect.stringMatching(/127\.0\.0\.1/) });
  });

  test.each([
    ['a scope', 'scope_not_allowed', () => world.appId],
    ["another tenant, on the trail of the caller's own", 'caller_not_allowed', () => world.appId],
    ['an unknown app, in a batch', 'app_unknown', () => 'nothing'],
  ])('a token that was refused for %s is told with the reason: %s', async (_what, reason, appId) => {
    const event = await find(
      ({ act, actor }) =>
        act.case === 'issueRefused' && act.value.reason === reason && actor?.kind === 'identity_service',
    );
    expect(event.actor).toMatchObject(identity);
    expect(event.act.value).toMatchObject({ appId: appId(), audience: world.audience, reason });
  });

  type Refusal = { appId: string; audience: string; reason: string; credentialFor: string };
  const refusalsOf = (actor: string) =>
    ours().flatMap(({ event }) =>
      event.act.case === 'issueRefused' && event.actor?.kind === actor ? [event.act.value as Refusal] : [],
    );
  const told = (actor: string, credentials: boolean) =>
    refusalsOf(actor)
      .filter(({ audience }) => (audience === 'touchstone') === credentials)
      .map(({ appId, reason, credentialFor }) => [appId, reason, credentialFor]);

  test('what is refused before it is understood is told with the reason and nothing of the request', async () => {
    await vi.waitFor(() => {
      const beforehand = told('identity_service', false).filter(([, reason]) => reason === 'invalid_field');
      // A scope's form, no requests, half a second; and in a batch: no audience, half a second.
      expect(beforehand).toEqual(Array.from({ length: 5 }, () => ['', 'invalid_field', '']));
      expect(told('resource_server', false)).toEqual([['', 'caller_not_allowed', '']]);
      expect(told('auditor', false)).toEqual([['', 'caller_not_allowed', '']]);
    }, wait);
  });

  test('a credential that was refused is told with the reason, once, and with whom it was for where that is known', async () => {
    await vi.waitFor(() => {
      expect(told('operator', true)).toEqual([
        ['', 'credential_not_allowed', 'identity_service:second'],
        ['', 'caller_not_allowed', 'identity_service:second'],
        ['nothing', 'app_unknown', 'app:nothing'],
        ['', 'invalid_field', ''],
        ['', 'invalid_field', ''],
      ]);
      expect(told('app', true)).toEqual([['', 'caller_not_allowed', '']]);
    }, wait);
  });

  test('what nobody knows the caller of is on no trail', () => {
    expect(
      listener.audit.filter(({ event }) => event.act.case === 'issueRefused' && !event.actor?.credentialId),
    ).toEqual([]);
    expect(refusalsOf('')).toEqual([]);
  });

  test('a credential is told with whom it is for', async () => {
    const event = await issuedAs('credential');
    expect(event.actor).toMatchObject({ kind: 'operator' });
    expect(event.act.value).toMatchObject({
      credentialFor: 'identity_service:second',
      audience: 'touchstone',
      usage: '',
      scopes: ['tokens:issue'],
    });
  });

  test.each<[string, () => [what: string, id: string], change: string, reason: string]>([
    ['a tenant', () => ['tenant', world.tenantId], 'created', ''],
    ['an app', () => ['app', world.appId], 'created', ''],
    ['an app', () => ['app', otherApp], 'disabled', 'app ended'],
    ['a resource server', () => ['resource_server', world.audience], 'created', ''],
    ['a resource server', () => ['resource_server', otherAudience], 'disabled', 'api ended'],
  ])('%s: that it was %3$s is told', async (_what, entry, change, reason) => {
    const [what, id] = entry();
    const event = await find(
      ({ act }) =>
        act.case === 'registryChanged' && act.value.what === what && act.value.id === id && act.value.change === change,
    );
    expect(event.actor).toMatchObject({ kind: 'operator', credentialId: tok });
    expect(event.act.value).toMatchObject({ reason });
  });

  test("a tenant's events are on one partition under its id, as CloudEvents that say what the event says", () => {
    const heard = ours();
    expect(new Set(heard.map(({ partition }) => partition)).size).toBe(1);
    for (const { event, key, headers } of heard) {
      expect(key).toBe(world.tenantId);
      expect(headers).toEqual({
        ce_specversion: '1.0',
        ce_type: 'touchstone.events.v1.AuditEvent',
        ce_id: event.eventId,
        ce_source: expect.stringMatching(/^(issuer|revocation|bootstrap)/),
        ce_sequence: expect.stringMatching(/^[1-9]\d*$/),
        ce_subject: world.tenantId,
        ce_time: new Date(event.occurredAt ? timestampMs(event.occurredAt) : 0).toISOString(),
        'content-type': 'application/protobuf',
      });
    }
  });

  test('neither topic holds a user id, a claim or a token', async () => {
    await vi.waitUntil(
      () =>
        contents().some(({ content }) =>
          cutsOf(content).some((cut) => cut.revocationId === done.revoked?.revocationId),
        ),
      wait,
    );
    const needles = [userId, claim, ...strings].flatMap((text) => [
      text,
      Buffer.from(text).toString('base64'),
      Buffer.from(text).toString('hex'),
    ]);
    const all = Buffer.concat([...listener.audit, ...listener.revocations].map(({ bytes }) => bytes));
    // What must be there is found in the same way.
    expect(all.includes(world.tenantId)).toBe(true);
    for (const needle of needles)
      expect([needle.slice(0, 20), all.includes(needle)]).toEqual([needle.slice(0, 20), false]);
    expect(all.includes('tks_')).toBe(false);
  });

  test("each writer's events are counted without a gap", async () => {
    const last = new Map<string, number>();
    for (const { headers } of ours()) {
      const [source = '', sequence] = [headers.ce_source, Number(headers.ce_sequence)];
      last.set(source, Math.max(last.get(source) ?? 0, sequence));
    }
    expect(last.size).toBeGreaterThanOrEqual(3);
    // Those of other tenants are on other partitions, and may come later.
    for (const [source, count] of last) {
      const missing = () => {
        const seen = new Set(
          listener.audit
            .filter(({ headers }) => headers.ce_source === source)
            .map(({ headers }) => Number(headers.ce_sequence)),
        );
        return Array.from({ length: count }, (_, i) => i + 1).filter((sequence) => !seen.has(sequence));
      };
      await vi.waitFor(() => expect([source, missing()]).toEqual([source, []]), wait);
    }
  });

  /** The revisions as they came, from the last first one on: the brokers may have served another installation before. */
  const history = (): Heard<RevocationEvent>[] => {
    const start = listener.revocations.findLastIndex(({ event }) => event.revision === 1n);
    return listener.revocations.slice(start);
  };
  const contents = () =>
    history().map((one) => ({ ...one, content: fromBinary(RevisionContentSchema, one.event.content) }));
  const cutsOf = ({ entries }: RevisionContent) =>
    entries.flatMap(({ entry }) => (entry.case === 'cut' ? [entry.value] : []));

  test('the revisions are on one partition, in order and without a gap, each with the hash of the one before', () => {
    const all = history();
    let previous = { revision: 0n, hash: Buffer.alloc(32) };
    for (const { event, partition, headers } of all) {
      expect(partition).toBe(0);
      // Again is allowed, for it is delivered at least once; back or ahead is not.
      if (event.revision <= previous.revision) continue;
      expect(event.revision).toBe(previous.revision + 1n);
      expect(Buffer.from(event.previousHash).toString('hex')).toBe(previous.hash.toString('hex'));
      expect(headers).toMatchObject({
        ce_specversion: '1.0',
        ce_type: 'touchstone.events.v1.RevocationEvent',
        ce_id: Buffer.from(event.hash).toString('hex'),
        ce_source: 'touchstone/revisions',
        ce_sequence: String(event.revision),
        'content-type': 'application/protobuf',
      });
      previous = { revision: event.revision, hash: Buffer.from(event.hash) };
    }
    expect(previous.revision).toBeGreaterThan(6n);
  });

  test('acts of the installation are under the empty key', async () => {
    const name = unique('tenant');
    await bootstrapped(stack, [name, `${name}-two`]);
    const ofPlatform = () =>
      listener.audit.filter(({ event }) => event.act.case === 'tokenIssued' && event.tenantId === 'touchstone');
    await vi.waitUntil(() => ofPlatform().length > 0, wait);
    for (const { event, key } of listener.audit) expect(key).toBe(event.tenantId);
  });
});
