import { OnExcess } from '@touchstone/contracts';
import { beforeAll, expect, inject, test } from 'vitest';
import { openWorld, scopes, unique, type World } from '../harness/world.ts';
import { failureOf, outcomeOf } from './support-outcome.ts';

const stack = inject('stack');
let world: World;
beforeAll(async () => {
  world = await openWorld(stack);
});

const recording = (appId: string, over: object = {}) => ({
  tenantId: world.tenantId,
  appId,
  userId: 'ada',
  grants: [{ audience: world.audience, scopes }],
  ttl: { seconds: 600n },
  idempotencyKey: unique('consent'),
  ...over,
});

test.each<readonly [string, (appId: string) => Promise<unknown>, string]>([
  ['may ask for less', (appId) => world.changeApp(appId, { grants: [] }), 'PermissionDenied SCOPE_NOT_ALLOWED'],
  [
    'is disabled',
    (appId) => world.operator.registry.disableApp({ appId, reason: 'over' }),
    'FailedPrecondition DISABLED',
  ],
])('a request that is sent again is answered as before, though its app %s meanwhile', async (_, change, refusal) => {
  const appId = await world.addApp();
  const { consents } = world.identity;
  const request = recording(appId);
  const { consent } = await consents.recordConsent(request);
  await change(appId);
  expect((await consents.recordConsent(request)).consent?.consentId).toBe(consent?.consentId);
  const { idempotencyKey } = request;
  for (const other of [{ userId: 'eve' }, { ttl: { seconds: 60n } }]) {
    expect(await outcomeOf(consents.recordConsent(recording(appId, { ...other, idempotencyKey })))).toBe(
      'FailedPrecondition IDEMPOTENCY_KEY_REUSED',
    );
  }
  expect(await outcomeOf(consents.recordConsent(recording(appId)))).toBe(refusal);
});

test('the end of a consent limits the life of a token as every other limit does, and ExplainGrant says so', async () => {
  const appId = await world.addApp();
  const consentId = await world.consent({ appId, ttl: { seconds: 100n } });
  const request = world.request({ appId, consentId, ttl: { seconds: 900n } });
  expect(await failureOf(world.identity.issuer.issueToken(request))).toMatchObject({
    reason: 'TTL_TOO_LONG',
    metadata: { limited_by: 'consent' },
  });
  const excess = [{ field: 'ttl', asked: '900', limitedBy: 'consent' }];
  const explained = await world.operator.issuer.explainGrant({ request });
  expect(explained).toMatchObject({ granted: false, excess });
  expect(Number(explained.ttl?.seconds)).toBeLessThanOrEqual(100);
  const cutDown = await world.identity.issuer.issueToken({ ...request, onExcess: OnExcess.CUT_DOWN });
  expect(cutDown.excess).toMatchObject(excess);
  const wrong = world.request({ appId, userId: appId });
  expect(await outcomeOf(world.operator.issuer.explainGrant({ request: wrong }))).toBe('InvalidArgument INVALID_FIELD');
});

test.each([
  ['an audience', { audience: 'https://nowhere.example.com', scopes }, 'AUDIENCE_UNKNOWN'],
  ['a scope', { scopes: ['orders:everything'] }, 'SCOPE_NOT_ALLOWED'],
])('nobody permits %s that is not there', async (_, over, reason) => {
  const grants = [{ audience: world.audience, ...over }];
  const refused = world.identity.consents.recordConsent(recording(world.appId, { grants }));
  expect(await failureOf(refused)).toMatchObject({ reason, metadata: { field: 'grants' } });
});
