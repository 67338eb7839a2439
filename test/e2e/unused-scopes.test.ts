import { beforeAll, expect, inject, test, vi } from 'vitest';
import { openWorld, scopes, type World } from '../harness/world.ts';
import { addAudience } from './support-callers.ts';
import { failureOf } from './support-outcome.ts';

const stack = inject('stack');
let world: World;
beforeAll(async () => {
  world = await openWorld(stack);
});

const unused = async ({ operator, tenantId }: World) =>
  (await operator.registry.listUnusedScopes({ tenantId, days: 0 })).unusedScopes;
const of = async (appId: string, where = world) =>
  (await unused(where)).filter((one) => one.appId === appId).map(({ audience, scope }) => [audience, scope]);

test.concurrent('what an app was granted is told until a token of it has been honoured for that, in whichever mode', async () => {
  const { audience } = world;
  const other = await addAudience(world);
  const appId = await world.addApp({
    grants: [
      { audience, scopes },
      { audience: other, scopes: ['orders:read'] },
    ],
  });
  const never = [...scopes.map((scope) => [audience, scope]), [other, 'orders:read']];
  expect(await of(appId)).toEqual(never);
  const { token } = await world.issue({ appId, scopes });
  await world.issue({ appId });
  // What is refused has not been used.
  await world.validate(token, 'orders:admin');
  expect(await of(appId)).toEqual(never);
  await world.validate(token, 'orders:read');
  await vi.waitUntil(async () => (await of(appId)).length === 2, { timeout: 15_000, interval: 200 });
  expect(await of(appId)).toEqual(never.slice(1));
  const cached = { requirement: { case: 'maxStaleness', value: { seconds: 60n } } } as const;
  const asked = { token, audience, requiredScopes: ['orders:write'], consistency: cached };
  for (let i = 0; i < 2; i++) await world.resourceServer.validator.validateToken(asked);
  await vi.waitUntil(async () => (await of(appId)).length === 1, { timeout: 15_000, interval: 200 });
  expect(await of(appId)).toEqual([[other, 'orders:read']]);
});

test.concurrent('a consent tells when it was used last', async () => {
  const consentId = await world.consent();
  const used = async () => (await world.identity.consents.getConsent({ consentId })).consent?.lastUsedAt;
  const { token } = await world.issue({ consentId });
  expect(await used()).toBeUndefined();
  await world.validate(token);
  await vi.waitUntil(async () => (await used()) !== undefined, { timeout: 15_000, interval: 200 });
  expect(Math.abs(Number((await used())?.seconds) * 1_000 - Date.now())).toBeLessThan(60_000);
  const { consents } = await world.identity.consents.listConsents({ tenantId: world.tenantId, userId: 'ada' });
  expect(consents.find((one) => one.consentId === consentId)?.lastUsedAt).toEqual(await used());
});

test.concurrent('a token tells when it was used last, to whoever may ask in its tenant', async () => {
  const { registry } = world.operator;
  const { token, tokenId, expiresAt } = await world.issue();
  const unused = await registry.getTokenUse({ tokenId });
  expect([unused.lastUsedAt, unused.expiresAt]).toEqual([undefined, expiresAt]);
  await world.validate(token, 'orders:admin');
  const before = Date.now();
  await world.validate(token);
  const used = async () => (await registry.getTokenUse({ tokenId })).lastUsedAt;
  await vi.waitUntil(async () => (await used()) !== undefined, { timeout: 15_000, interval: 200 });
  expect(Math.abs(Number((await used())?.seconds) * 1_000 - before)).toBeLessThan(15_000);
  const other = await openWorld(stack);
  const asking = other.operator.registry.getTokenUse({ tokenId });
  expect(await failureOf(asking)).toMatchObject({ code: 'NotFound', reason: 'TOKEN_UNKNOWN' });
  const credential = await registry.issueCredential({
    principal: { case: 'resourceServer', value: { audience: world.audience } },
    scopes: ['tokens:validate'],
    ttl: { seconds: 60n },
  });
  const ofCredential = registry.getTokenUse({ tokenId: credential.tokenId });
  expect(await failureOf(ofCredential)).toMatchObject({ reason: 'TOKEN_UNKNOWN' });
  expect(await failureOf(registry.getTokenUse({ tokenId: 'tok_' }))).toMatchObject({ reason: 'INVALID_FIELD' });
});

test.concurrent('they are told page by page, and none is left out', async () => {
  // Nothing else is used there between one page and the next.
  const own = await openWorld(stack);
  const { appId, tenantId } = own;
  const { token } = await own.issue();
  await own.validate(token);
  await vi.waitUntil(async () => (await of(appId, own)).length === 1, { timeout: 15_000, interval: 200 });
  const { registry } = own.operator;
  const listed = async (pageSize: number, pageToken = '') =>
    registry.listUnusedScopes({ tenantId, pageSize, pageToken });
  const paged: string[] = [];
  for (let page = await listed(1); ; page = await listed(1, page.nextPageToken)) {
    paged.push(...page.unusedScopes.map((one) => `${one.appId} ${one.scope}`));
    if (page.nextPageToken === '') break;
  }
  expect(paged).toEqual((await listed(50)).unusedScopes.map((one) => `${one.appId} ${one.scope}`));
});
