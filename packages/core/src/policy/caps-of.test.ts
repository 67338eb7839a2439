import { expect, test } from 'vitest';
import { registration } from '../test-registry.ts';
import { type Complete, capOfIssued, capsBesideApp } from './caps-of.ts';
import { defaultPolicy, type Rule, unlimited } from './policy.ts';
import { indexed } from './rule-index.ts';

test('what limits apps of one kind alike is there once for all of them', () => {
  const [rule] = defaultPolicy('t1').rules as [Rule];
  const rules: readonly Rule[] = [
    { ...rule, limits: { ...unlimited, sensitivityMax: 'normal' } },
    { ...rule, limits: { ...unlimited, scopes: ['read'] }, holdsForIssuedTokens: true },
  ];
  const policy = indexed({ tenantId: 't1', version: 1, rules });
  const [one, other] = ['a1', 'a2'].map((appId) => {
    const known = { ...registration, policy, app: { ...registration.app, appId } } as Complete;
    return [...capsBesideApp(known, 'test'), capOfIssued(known, 'test')].flatMap((cap) => cap?.scopes ?? []);
  });
  expect(one).toEqual([new Set(['read', 'write', 'admin']), new Set(['read']), new Set(['read'])]);
  other?.forEach((scopes, at) => {
    expect(scopes).toBe(one?.[at]);
  });
  expect(other).toHaveLength(3);
});
