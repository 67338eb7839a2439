import { expect, test } from 'vitest';
import type { Caller } from '../access/act.ts';
import { platformTenantId } from '../access/home.ts';
import { refreshAudience } from '../access/rights.ts';
import { CallerNotAllowed, InvalidField, TokenUnknown } from '../errors.ts';
import { Follower } from '../revisions/follower.ts';
import { actOf } from '../test-act.ts';
import { chain, History, quiet, TestClock } from '../test-history.ts';
import { methods, plainMethod } from '../test-method.ts';
import { record } from '../test-record.ts';
import { TestRevocations } from '../test-writers.ts';
import { partitionEnd, tokenIdOf } from '../tokens/token-key.ts';
import { idOf, type TokenRecord } from '../tokens/token-record.ts';
import { revokeToken } from './revoke-token.ts';

const operator: Partial<Caller> = { kind: 'operator', name: 'ops', scopes: ['tokens:revoke'] };
const identity: Partial<Caller> = { kind: 'identity_service', name: 'id', scopes: ['tokens:issue'] };
const app: Partial<Caller> = { kind: 'app', name: 'a1', scopes: ['tokens:issue:self'] };
const ownerOfAll: Partial<Caller> = { ...operator, scopes: ['tokens:revoke', 'tokens:revoke_all'] };

async function open(over: Partial<TokenRecord> = {}) {
  const history = new History();
  const follower = await Follower.start(history, chain, new TestClock(), quiet);
  const revocations = new TestRevocations();
  const minted = plainMethod.mint(record(over), { userId: null, claims: {}, principal: null });
  revocations.record = minted.record;
  const ports = { methods, revocations, follower };
  const tokenId = idOf(minted.record);
  const byString = (caller: Partial<Caller>, token = minted.token) =>
    revokeToken(actOf(caller), { token, reason: 'why' }, ports);
  const byId = (caller: Partial<Caller>, id = tokenId) =>
    revokeToken(actOf(caller), { tokenId: id, reason: 'why' }, ports);
  return { byString, byId, tokenId, minted, revocations, intents: revocations.intents };
}

test('what is written cuts this one token for good, and nothing else', async () => {
  const { byString, tokenId, intents } = await open();
  await byString(operator);
  expect(intents).toMatchObject([
    {
      target: { kind: 'token', key: tokenId },
      tenantId: 't1',
      cuts: [{ kind: 'token', key: tokenId, tokenClass: 'token' }],
      reach: 'forever',
      disables: null,
      includeCredentials: false,
      sparedTokenId: null,
      reason: 'why',
      actor: { kind: 'operator', name: 'ops', credentialId: 'tok_caller' },
      idempotencyKey: null,
    },
  ]);
});

test('a refresh token is revoked with the first one of its family, and by its own id whatever its row says', async () => {
  const root = tokenIdOf({ partition: 9, key: '1'.repeat(32) });
  const cutsOf = async (over: Partial<TokenRecord>) => {
    const { byString, tokenId, intents } = await open(over);
    await byString(operator);
    return intents.map(({ target, cuts }) => [target.key === tokenId, cuts.map(({ key }) => key === tokenId || key)]);
  };
  const audience = refreshAudience;
  const ancestor = (tokenId: string) => [{ tokenId }] as unknown as TokenRecord['lineage'];
  expect(await cutsOf({ audience, lineage: ancestor(root) })).toEqual([[true, [true, root]]]);
  expect(await cutsOf({ audience, lineage: ancestor('tok_none') })).toEqual([[true, [true]]]);
  expect(await cutsOf({ audience })).toEqual([[true, [true]]]);
  expect(await cutsOf({ lineage: ancestor(root) })).toEqual([[true, [true]]]);
});

type Outcome = 'revoked' | 'not allowed' | 'unknown';
const credential: Partial<TokenRecord> = { tokenClass: 'credential' };
const homeless: Partial<TokenRecord> = { tokenClass: 'credential', tenantId: platformTenantId };

test.each<readonly [string, Partial<Caller>, Partial<TokenRecord>, Outcome, Outcome]>([
  ['an operator', operator, {}, 'revoked', 'revoked'],
  ['an operator without the scope', { ...operator, scopes: ['tokens:explain'] }, {}, 'not allowed', 'not allowed'],
  ['an operator, of another tenant', operator, { tenantId: 't2' }, 'unknown', 'unknown'],
  ['an operator, a credential', operator, credential, 'revoked', 'revoked'],
  ['an operator, one that is at home in no tenant', operator, homeless, 'unknown', 'unknown'],
  ['a platform operator, one that is at home in no tenant', ownerOfAll, homeless, 'revoked', 'revoked'],
  ['an identity service, of a user', identity, {}, 'revoked', 'revoked'],
  ['an identity service, of no user', identity, { userHandle: null }, 'not allowed', 'not allowed'],
  ['an identity service, a credential', identity, credential, 'not allowed', 'not allowed'],
  ['an identity service, of another tenant', identity, { tenantId: 't2' }, 'unknown', 'unknown'],
  ['an identity service without the scope', { ...identity, scopes: [] }, {}, 'not allowed', 'not allowed'],
  ['an app, its own', app, {}, 'revoked', 'not allowed'],
  ['an app, of another app', app, { appId: 'a2' }, 'not allowed', 'not allowed'],
  ['an app, its own credential', app, credential, 'not allowed', 'not allowed'],
  ['a resource server', {}, {}, 'not allowed', 'not allowed'],
  ['an auditor', { kind: 'auditor', scopes: ['audit:read'] }, {}, 'not allowed', 'not allowed'],
])('%s: by the string %3$s, by the id %4$s', async (_, caller, over, throughString, throughId) => {
  const { byString, byId, intents } = await open(over);
  expect(await outcomeOf(byString(caller))).toBe(throughString);
  expect(await outcomeOf(byId(caller))).toBe(throughId);
  expect(intents).toHaveLength([throughString, throughId].filter((one) => one === 'revoked').length);
});

async function outcomeOf(revoking: Promise<unknown>): Promise<Outcome> {
  try {
    await revoking;
    return 'revoked';
  } catch (error) {
    if (error instanceof CallerNotAllowed) return 'not allowed';
    expect(error).toBeInstanceOf(TokenUnknown);
    return 'unknown';
  }
}

test('an operator gives up its own credential, also one that is at home in no tenant', async () => {
  const { byId, tokenId, intents } = await open(homeless);
  await byId({ ...operator, credentialId: tokenId });
  expect(intents).toMatchObject([{ includeCredentials: true, tenantId: platformTenantId }]);
});

test('what is no token needs no revoking', async () => {
  const { byString, intents } = await open();
  expect(await byString(operator, 'rubbish')).toMatchObject({ revocationId: null });
  expect(intents).toEqual([]);
});

test('one whose record is gone has not been revoked while it may still be alive', async () => {
  const { byString, byId, revocations, minted, intents } = await open();
  revocations.record = null;
  revocations.now = partitionEnd(minted.record.key.partition) - 1;
  await expect(byString(operator)).rejects.toThrow(TokenUnknown);
  revocations.now += 1;
  expect(await byString(operator)).toMatchObject({ revocationId: null });
  await expect(byId(operator)).rejects.toThrow(TokenUnknown);
  expect(intents).toEqual([]);
});

test('an id that is none is told from one that is unknown', async () => {
  const { byId } = await open();
  await expect(byId(operator, 'tok_rubbish')).rejects.toThrow(InvalidField);
});
