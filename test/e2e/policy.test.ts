import {
  ClientType,
  ConfirmationKind,
  HostingType,
  OnExcess,
  type Policy,
  type PolicyRule,
  Sensitivity,
  TokenMethod,
  Usage,
} from '@touchstone/contracts';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import type { SharedStack } from '../harness/shared-stack.ts';
import { clientsOf, openWorld, scopes, unique, type World } from '../harness/world.ts';
import { startAnotherIssuer } from './support-issuer.ts';
import { failureOf, outcomeOf } from './support-outcome.ts';
import { addServer } from './support-servers.ts';

const stack = inject('stack');
let another: SharedStack & AsyncDisposable;
let world: World;
beforeAll(async () => {
  another = await startAnotherIssuer(stack);
});
afterAll(() => another?.[Symbol.asyncDispose]());
beforeEach(async () => {
  world = await openWorld(stack);
});

type RuleInit = Partial<Omit<PolicyRule, '$typeName' | 'scopes' | 'tokenTtlMax' | 'consentAgeMax'>> & {
  readonly ruleId: string;
  readonly scopes?: { readonly names: string[] };
  readonly tokenTtlMax?: { readonly seconds: bigint };
  readonly consentAgeMax?: { readonly seconds: bigint };
};
const anything: RuleInit = { ruleId: 'anything' };

const current = async (): Promise<Policy> =>
  (await world.operator.registry.getPolicy({ tenantId: world.tenantId })).policy as Policy;
/** Replaces the rules of the tenant. Returns the version. */
async function setRules(...rules: readonly RuleInit[]): Promise<number> {
  const { tenantId, operator } = world;
  const { version } = await current();
  const { policy } = await operator.registry.updatePolicy({ policy: { tenantId, version, rules: [...rules] } });
  return policy?.version ?? 0;
}
const refused = (over: Record<string, unknown> = {}) => failureOf(world.issue(over));

describe('a tenant that never made a policy', () => {
  test('has one rule, about everything, that limits nothing', async () => {
    expect(await current()).toMatchObject({ version: 0, rules: [{ ruleId: 'default', clientTypes: [], methods: [] }] });
    await world.issue({ scopes });
  });
});

test('rules are limited in what they say all together, for they are gone through for each kind of token', async () => {
  const rules = (scopesOfEach: number): RuleInit[] =>
    Array.from({ length: 100 }, (_, rule) => ({
      ruleId: `rule-${rule}`,
      scopes: { names: Array.from({ length: scopesOfEach }, (_, scope) => `scope:${scope}`) },
    }));
  expect(await setRules(...rules(100))).toBe(1);
  expect(await failureOf(setRules(...rules(101)))).toMatchObject({
    reason: 'INVALID_FIELD',
    message: 'policy.rules must name at most 10000 scopes, all together',
  });
});

describe('a rule', () => {
  const notThere = { usages: [Usage.BATCH], ruleId: 'batch' };
  test.each<[string, RuleInit, Record<string, unknown>, string, object]>([
    [
      'scopes',
      { ruleId: 'r', scopes: { names: ['orders:read'] } },
      { scopes },
      'SCOPE_NOT_ALLOWED',
      { scope: 'orders:write' },
    ],
    ['all scopes', { ruleId: 'r', scopes: { names: [] } }, {}, 'SCOPE_NOT_ALLOWED', { scope: 'orders:read' }],
    ['scopes by their harm', { ruleId: 'r', sensitivityMax: Sensitivity.LOW }, {}, 'SCOPE_NOT_ALLOWED', {}],
    [
      'the life',
      { ruleId: 'r', tokenTtlMax: { seconds: 60n } },
      { ttl: { seconds: 61n } },
      'TTL_TOO_LONG',
      { max_seconds: '60' },
    ],
    ['methods', { ruleId: 'r', methods: [TokenMethod.SPLIT] }, {}, 'METHOD_NOT_ALLOWED', { allowed: 'split' }],
    [
      'what is not bound',
      { ruleId: 'r', confirmations: [ConfirmationKind.KEY] },
      {},
      'CONFIRMATION_REQUIRED',
      { kinds: 'key' },
    ],
    [
      'what is bound otherwise',
      { ruleId: 'r', confirmations: [ConfirmationKind.KEY] },
      { confirmation: { method: { case: 'certificateSha256', value: 'A'.repeat(43) } } },
      'CONFIRMATION_REQUIRED',
      {},
    ],
  ])('limits %s', async (_, rule, over, reason, metadata) => {
    await world.issue({ ...over, userId: 'before' });
    await setRules(anything, rule);
    expect(await refused(over)).toMatchObject({ reason, metadata: { ...metadata, limited_by: 'rule r' } });
  });

  test('limits what a token lives where nothing is asked', async () => {
    await setRules({ ruleId: 'short', tokenTtlMax: { seconds: 5n } });
    const { expiresAt } = await world.issue();
    expect(Number(expiresAt?.seconds) * 1_000 - Date.now()).toBeLessThan(6_000);
  });

  test('takes a consent that is young enough', async () => {
    const consentId = await world.consent();
    await setRules({ ruleId: 'young', consentAgeMax: { seconds: 2n } });
    await world.issue({ consentId });
    await new Promise((resolve) => setTimeout(resolve, 3_100));
    expect(await refused({ consentId })).toMatchObject({ reason: 'CONSENT_TOO_OLD', metadata: { max_seconds: '2' } });
    await world.issue({ consentId: await world.consent() });
  });

  test.each<[string, RuleInit]>([
    ['client type', { ruleId: 'r', clientTypes: [ClientType.SERVICE] }],
    ['hosting type', { ruleId: 'r', hostingTypes: [HostingType.ON_PREMISES] }],
    ['usage', notThere],
    ['audience', { ruleId: 'r', audiences: ['https://elsewhere.example.com'] }],
    ['environment', { ruleId: 'r', environments: ['staging'] }],
  ])('that is about another %s limits nothing; and alone, lets nothing be had', async (_, rule) => {
    await setRules(anything, { ...rule, scopes: { names: [] } });
    await world.issue();
    await setRules(rule);
    expect(await refused()).toMatchObject({
      reason: 'SCOPE_NOT_ALLOWED',
      metadata: { limited_by: 'lack of a rule about such tokens' },
    });
  });

  test('gives nobody what app, resource server or tenant do not', async () => {
    const appId = await world.addApp({ grants: [{ audience: world.audience, scopes: ['orders:read'] }] });
    await setRules({ ruleId: 'wide', scopes: { names: [...scopes, 'admin'] }, tokenTtlMax: { seconds: 86_400n } });
    for (const over of [{ scopes: ['orders:write'] }, { scopes: ['admin'] }, { ttl: { seconds: 3_601n } }]) {
      await expect(refused({ appId, ...over })).resolves.toMatchObject({
        metadata: { limited_by: expect.stringMatching(/^(app|resource server|tenant)$/) },
      });
    }
  });

  test('holds for what is exchanged and renewed, too', async () => {
    const stock = await addServer(stack, world, { scopes: [{ name: 'items:read' }] });
    const edge = { audience: stock.audience, scopes: [{ from: 'orders:read', to: 'items:read' }] };
    const orders = await addServer(stack, world, { exchanges: [edge] });
    const appId = await world.addApp({
      grants: [
        { audience: orders.audience, scopes: ['orders:read'] },
        { audience: stock.audience, scopes: ['items:read'] },
      ],
      refresh: { ttlMax: { seconds: 3_600n } },
    });
    const principal = { case: 'app', value: { appId } } as const;
    const { credential } = await world.operator.registry.issueCredential({
      principal,
      scopes: ['tokens:issue:self'],
      ttl: { seconds: 600n },
    });
    const app = clientsOf(stack, credential);
    const { token, refreshToken } = await world.issue({ appId, audience: orders.audience, refreshable: true });
    const exchange = () =>
      orders.clients.issuer.exchangeToken({ token, audience: stock.audience, scopes: ['items:read'] });
    await exchange();
    await setRules(anything, { ruleId: 'no-stock', audiences: [stock.audience], scopes: { names: [] } });
    expect(await failureOf(exchange())).toMatchObject({ metadata: { limited_by: 'rule no-stock' } });
    await setRules(anything, { ruleId: 'no-orders', audiences: [orders.audience], scopes: { names: [] } });
    await exchange();
    expect(await failureOf(app.issuer.refreshToken({ refreshToken }))).toMatchObject({
      metadata: { limited_by: 'rule no-orders' },
    });
  });
});

describe('what is beyond a limit', () => {
  test('is left out where the request says so, and told of', async () => {
    await setRules(anything, { ruleId: 'r', scopes: { names: ['orders:read'] }, tokenTtlMax: { seconds: 60n } });
    const asked = { scopes, ttl: { seconds: 600n } };
    const issued = await world.issue({ ...asked, onExcess: OnExcess.CUT_DOWN });
    expect(issued.scopes).toEqual(['orders:read']);
    expect(issued.excess.map(({ field, asked, allowed, limitedBy }) => [field, asked, allowed, limitedBy])).toEqual([
      ['scopes', 'orders:write', '', 'rule r'],
      ['ttl', '600', '60', 'rule r'],
    ]);
    expect(issued.excess[0]?.explanation).toBe('the rule r does not allow the scope orders:write');
    expect(await world.validate(issued.token)).toMatchObject({ active: true, scopes: ['orders:read'] });
    expect(await refused(asked)).toMatchObject({ reason: 'SCOPE_NOT_ALLOWED' });
  });

  test('is refused all the same where nothing would be left', async () => {
    await setRules(anything, { ruleId: 'r', scopes: { names: ['other'] } });
    const cutDown = { onExcess: OnExcess.CUT_DOWN };
    expect(await refused(cutDown)).toMatchObject({ reason: 'SCOPE_NOT_ALLOWED' });
    await setRules(anything, { ruleId: 'r', methods: [TokenMethod.SPLIT] });
    expect(await refused(cutDown)).toMatchObject({ reason: 'METHOD_NOT_ALLOWED' });
  });
});

describe('ExplainGrant', () => {
  const explain = async (over: Record<string, unknown>) =>
    world.operator.issuer.explainGrant({ request: world.request({ scopes, claims: {}, ...over }) });

  test('tells the same app apart by where it runs and what for', async () => {
    const kinds = { clientType: ClientType.SERVICE };
    const onPremises = await world.addApp({ ...kinds, hostingType: HostingType.ON_PREMISES });
    const ours = await world.addApp({ ...kinds, hostingType: HostingType.FIRST_PARTY });
    await setRules(
      { ruleId: 'interactive', usages: [Usage.INTERACTIVE] },
      { ruleId: 'jobs', usages: [Usage.BATCH, Usage.AUTOMATION], tokenTtlMax: { seconds: 300n } },
      { ruleId: 'beyond-our-walls', hostingTypes: [HostingType.ON_PREMISES], scopes: { names: ['orders:read'] } },
    );
    const asked = { ttl: { seconds: 600n }, userId: '' };
    const outside = await explain({ ...asked, appId: onPremises, usage: Usage.BATCH });
    expect(outside).toMatchObject({
      granted: false,
      scopes: ['orders:read'],
      ttl: { seconds: 300n },
      ruleIds: ['jobs', 'beyond-our-walls'],
      policyVersion: 1,
    });
    expect(outside.excess.map(({ field, asked, limitedBy }) => [field, asked, limitedBy])).toEqual([
      ['scopes', 'orders:write', 'rule beyond-our-walls'],
      ['ttl', '600', 'rule jobs'],
    ]);
    const inside = await explain({ ...asked, appId: ours, usage: Usage.INTERACTIVE });
    expect(inside).toMatchObject({ granted: true, scopes, excess: [], ruleIds: ['interactive'] });
    expect(await explain({ ...asked, appId: ours, usage: Usage.TEST })).toMatchObject({ granted: false, ruleIds: [] });
  });

  test('issues nothing, and says what IssueToken then does', async () => {
    await setRules({ ruleId: 'r', scopes: { names: ['orders:write'] } });
    for (const onExcess of [OnExcess.REFUSE, OnExcess.CUT_DOWN]) {
      for (const asked of [['orders:read'], ['orders:write'], scopes]) {
        const told = await explain({ scopes: asked, onExcess });
        const outcome = await outcomeOf(world.issue({ scopes: asked, onExcess }));
        expect([told.granted, asked]).toEqual([outcome === 'ok', asked]);
      }
    }
  });

  test('tells that a token which comes with a refresh token ends with that', async () => {
    const appId = await world.addApp({ refresh: { ttlMax: { seconds: 60n } } });
    const told = await explain({ appId, refreshable: true });
    expect(told).toMatchObject({ granted: true, ttl: { seconds: 60n } });
    expect(await explain({ appId })).toMatchObject({ granted: true, ttl: { seconds: 900n } });
  });
});

describe('a change', () => {
  test('is previewed, made and rolled back', async () => {
    const { registry } = world.operator;
    const { tenantId, appId, audience } = world;
    const wide = await Promise.all([world.issue({ scopes }), world.issue({ scopes }), world.issue()]);
    const rules = [anything, { ruleId: 'read-only', usages: [Usage.INTERACTIVE], scopes: { names: ['orders:read'] } }];
    const preview = await registry.previewPolicy({ policy: { tenantId, rules } });
    expect(preview).toMatchObject({
      liveTokens: 2n,
      changes: [
        {
          appId,
          audience,
          usage: Usage.INTERACTIVE,
          before: { scopes },
          after: { scopes: ['orders:read'], tokenTtlMax: { seconds: 3_600n } },
          liveTokens: 2n,
        },
      ],
    });
    expect(await current()).toMatchObject({ version: 0 });
    await world.issue({ scopes });
    await registry.updatePolicy({ policy: { tenantId, version: 0, rules }, reason: 'writes come from jobs alone' });
    expect(await refused({ scopes })).toMatchObject({ reason: 'SCOPE_NOT_ALLOWED' });
    for (const { token } of wide) expect(await world.validate(token)).toMatchObject({ active: true });
    const back = await registry.rollbackPolicy({ tenantId, toVersion: 0, version: 1, reason: 'not yet' });
    expect(back.policy).toMatchObject({ version: 2, rules: [{ ruleId: 'default' }], reason: 'not yet' });
    await world.issue({ scopes });
    const again = await registry.rollbackPolicy({ tenantId, toVersion: 1, version: 2 });
    expect(again.policy).toMatchObject({ version: 3, rules });
    const { policies } = await registry.listPolicyVersions({ tenantId });
    expect(policies.map(({ version, reason }) => [version, reason])).toEqual([
      [3, ''],
      [2, 'not yet'],
      [1, 'writes come from jobs alone'],
    ]);
    for (const policy of policies) {
      expect(policy).toMatchObject({ recordedBy: expect.stringMatching(/^operator-/), recordedAt: expect.anything() });
      expect((await registry.getPolicy({ tenantId, version: policy.version })).policy).toEqual(policy);
    }
    const paged = await registry.listPolicyVersions({ tenantId, pageSize: 2 });
    const rest = await registry.listPolicyVersions({ tenantId, pageSize: 2, pageToken: paged.nextPageToken });
    expect([...paged.policies, ...rest.policies].map(({ version }) => version)).toEqual([3, 2, 1]);
  });

  test('is made by one of two who read the same version', async () => {
    const { registry } = world.operator;
    const { tenantId } = world;
    const update = (ruleId: string) => registry.updatePolicy({ policy: { tenantId, rules: [{ ruleId }] } });
    const outcomes = await Promise.allSettled([update('one'), update('other')]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const stale = { code: 'Aborted', reason: 'ETAG_STALE', metadata: { field: 'version' } };
    expect(await failureOf(update('late'))).toMatchObject(stale);
  });

  test('holds at every issuer for whoever asks after it has returned, however many ask', async () => {
    const issuers = [world.identity.issuer, clientsOf(another, world.identity.credential).issuer];
    const after: string[] = [];
    let isChanged = false;
    const asking = issuers.map(async (one) => {
      // Before it has returned the answer may be either.
      while (!isChanged) await one.issueToken(world.request({ scopes })).catch(() => undefined);
      for (let i = 0; i < 20; i++) after.push(await outcomeOf(one.issueToken(world.request({ scopes }))));
    });
    await setRules({ ruleId: 'read-only', scopes: { names: ['orders:read'] } });
    isChanged = true;
    await Promise.all(asking);
    for (const one of issuers) after.push(await outcomeOf(one.issueToken(world.request({ scopes }))));
    expect(after).toHaveLength(2 * 20 + 2);
    expect(new Set(after)).toEqual(new Set(['PermissionDenied SCOPE_NOT_ALLOWED']));
  });

  test('of what is no version, or an earlier one than that in force, is refused', async () => {
    const { registry } = world.operator;
    const { tenantId } = world;
    await setRules(anything);
    const rollback = (toVersion: number, version: number) =>
      outcomeOf(registry.rollbackPolicy({ tenantId, toVersion, version }));
    expect(await rollback(1, 1)).toBe('InvalidArgument INVALID_FIELD');
    expect(await rollback(1, 2)).toBe('Aborted ETAG_STALE');
    expect(await rollback(3, 4)).toBe('NotFound POLICY_UNKNOWN');
    expect(await outcomeOf(registry.getPolicy({ tenantId, version: 2 }))).toBe('NotFound POLICY_UNKNOWN');
    const twice = { tenantId, version: 1, rules: [anything, anything] };
    expect(await failureOf(registry.updatePolicy({ policy: twice }))).toMatchObject({
      reason: 'INVALID_FIELD',
      metadata: { field: 'policy.rules' },
    });
  });
});

test('a thousand rules are kept, and hold', async () => {
  const rules = Array.from({ length: 999 }, (_, i) => ({
    ruleId: `r${i}`,
    audiences: [`https://api-${i}.example.com`],
    scopes: { names: [unique('scope')] },
  }));
  await setRules({ ruleId: 'ours', audiences: [world.audience], scopes: { names: ['orders:read'] } }, ...rules);
  await world.issue();
  expect(await refused({ scopes })).toMatchObject({ metadata: { limited_by: 'rule ours' } });
});
