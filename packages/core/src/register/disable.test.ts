import { expect, test } from 'vitest';
import type { Caller } from '../access/act.ts';
import { AppUnknown, AudienceUnknown, CallerNotAllowed, TenantUnknown } from '../errors.ts';
import { actOf } from '../test-act.ts';
import { handles, TestRegistry } from '../test-registry.ts';
import { TestRevocations } from '../test-writers.ts';
import { disable } from './disable.ts';
import type { RegisteredKind } from './registration.ts';

const operator: Partial<Caller> = { kind: 'operator', name: 'ops', scopes: ['registry:write'] };

function open() {
  const [registry, revocations] = [new TestRegistry(), new TestRevocations()];
  const end = (what: RegisteredKind, id: string, caller = operator) =>
    disable(actOf(caller), { what, id, reason: 'why' }, { registry, handles, revocations });
  return { end, registry, intents: revocations.intents };
}

test.each([
  ['tenant', 't1', { kind: 'tenant', key: 't1' }],
  ['app', 'a1', { kind: 'app', key: 'a1' }],
  // Its credentials are for the audience `touchstone`, so they are found by whom they are for.
  ['resource_server', 's1', { kind: 'user', key: 'handle of t1 resource_server:s1' }],
] as const)('a disabled %s loses tokens and credentials for good, but for the one that acts', async (what, id, cut) => {
  const { end, registry, intents } = open();
  await end(what, id);
  expect(intents).toMatchObject([
    {
      target: { kind: what, key: id },
      tenantId: 't1',
      cuts: [
        { kind: what, key: id, tokenClass: 'token' },
        { ...cut, tokenClass: 'credential' },
      ],
      reach: 'forever',
      disables: { what, id },
      includeCredentials: true,
      sparedTokenId: 'tok_caller',
      idempotencyKey: null,
    },
  ]);
  expect(registry.forgotten).toEqual(['t1']);
});

test('what is disabled already is told of again', async () => {
  const { end, registry, intents } = open();
  registry.owned.set('app a1', { tenantId: 't1', disabled: true });
  await end('app', 'a1');
  expect(intents).toHaveLength(1);
});

test.each([
  ['tenant', 't2', TenantUnknown],
  ['app', 'a2', AppUnknown],
  ['resource_server', 's2', AudienceUnknown],
  ['tenant', 'none', TenantUnknown],
  ['app', 'none', AppUnknown],
  ['resource_server', 'none', AudienceUnknown],
] as const)("another tenant's %s is as unknown as none (%s)", async (what, id, failure) => {
  const { end, intents } = open();
  await expect(end(what, id)).rejects.toThrow(failure);
  expect(intents).toEqual([]);
});

test.each([
  ['an operator without the scope', { ...operator, scopes: ['registry:read'] }],
  ['an identity service', { ...operator, kind: 'identity_service' as const }],
])('%s may not', async (_, caller) => {
  const { end, intents } = open();
  await expect(end('app', 'a1', caller)).rejects.toThrow(CallerNotAllowed);
  expect(intents).toEqual([]);
});
