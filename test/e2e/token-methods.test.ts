import { setTimeout as sleep } from 'node:timers/promises';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { attenuate } from '@touchstone/client';
import {
  type ConsistencySchema,
  RefusalReason,
  type RevocationTargetSchema,
  SigningKeyState,
  TokenMethod,
} from '@touchstone/contracts';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import { clientsOf, openWorld, unique, type World } from '../harness/world.ts';
import { addAudience } from './support-callers.ts';
import { failureOf } from './support-outcome.ts';

const stack = inject('stack');
const named = Object.entries(TokenMethod).filter(([name]) => name !== 'UNSPECIFIED');
const methods = named.map(([, method]) => method);
const signed: readonly TokenMethod[] = [TokenMethod.ENCRYPTED, TokenMethod.SIGNED, TokenMethod.SPLIT];

let world: World;
let appId: string;
let consentId: string;
beforeAll(async () => {
  world = await openWorld(stack);
  appId = await world.addApp({ methods });
  consentId = await world.consent({ appId });
});

type Consistency = MessageInitShape<typeof ConsistencySchema>;
/** Each way of asking, given the latest revision that must count. */
const modes: readonly (readonly [string, (revision: string) => Consistency | undefined])[] = [
  ['fully consistent', () => undefined],
  ['max_staleness', () => ({ requirement: { case: 'maxStaleness', value: { nanos: 1_000_000 } } })],
  ['at_least_revision', (revision) => ({ requirement: { case: 'atLeastRevision', value: revision } })],
];

const ask = (token: string, consistency: Consistency | undefined, over: Record<string, unknown> = {}) =>
  world.resourceServer.validator.validateToken({
    token,
    audience: world.audience,
    requiredScopes: ['orders:read'],
    ...(consistency ? { consistency } : {}),
    ...over,
  });

const everywhere = named.flatMap(([name, method]) =>
  modes.map(([mode, consistencyOf]) => [name, mode, method, consistencyOf] as const),
);

test.concurrent.each(everywhere)(
  '%s, %s: a token is refused from its end on',
  async (_name, _mode, method, consistencyOf) => {
    const { token, revision } = await world.issue({ appId, consentId, method, ttl: { seconds: 3n } });
    let answer = await ask(token, consistencyOf(revision));
    expect(answer).toMatchObject({ active: true });
    while (answer.active) {
      await sleep(20);
      answer = await ask(token, consistencyOf(revision));
    }
    expect(answer).toMatchObject({ reason: RefusalReason.EXPIRED });
  },
);

describe.each(named)('%s', (name, method) => {
  const issue = (over: Record<string, unknown> = {}) => world.issue({ appId, consentId, method, ...over });

  describe.each(modes)('%s', (_, consistencyOf) => {
    test('a token is honoured at once, and says what is released and no more', async () => {
      const { token, tokenId, revision, expiresAt } = await issue();
      for (const time of ['first', 'again']) {
        const answer = await ask(token, consistencyOf(revision));
        expect(answer, time).toMatchObject({
          active: true,
          tokenId,
          tenantId: world.tenantId,
          appId,
          subject: 'ada',
          scopes: ['orders:read'],
          claims: { name: 'Ada', email: 'ada@example.org' },
          expiresAt,
        });
        expect(answer.claims).not.toHaveProperty('phone');
      }
    });

    test('it allows what it was issued for, at its audience alone', async () => {
      const { token, revision } = await issue();
      const consistency = consistencyOf(revision);
      const scope = await ask(token, consistency, { requiredScopes: ['orders:read', 'orders:write'] });
      expect(scope).toMatchObject({ active: false, reason: RefusalReason.SCOPE_MISSING });
      const audience = await addAudience(world);
      const principal = { case: 'resourceServer', value: { audience } } as const;
      const { credential } = await world.operator.registry.issueCredential({
        principal,
        scopes: ['tokens:validate'],
        ttl: { seconds: 60n },
      });
      const other = await clientsOf(stack, credential).validator.validateToken({
        token,
        audience,
        requiredScopes: ['orders:read'],
        ...(consistency ? { consistency } : {}),
      });
      expect(other).toMatchObject({ active: false, reason: RefusalReason.NOT_HONOURED });
      expect(await ask(token, consistency)).toMatchObject({ active: true });
    });

    type Issued = Awaited<ReturnType<typeof issue>>;
    const revocations: readonly (readonly [string, (issued: Issued) => Promise<{ revision: string }>])[] = [
      ['token', ({ token }) => revoke({ case: 'token', value: token })],
      ['token id', ({ tokenId }) => revoke({ case: 'tokenId', value: tokenId })],
      ['user', () => revokeAll({ case: 'user', value: { tenantId: world.tenantId, userId: 'ada' } })],
      ['app', () => revokeAll({ case: 'app', value: { appId } })],
      ['app for the user', () => revokeAll({ case: 'appUser', value: { appId, userId: 'ada' } })],
      ['tenant', () => revokeAll({ case: 'tenant', value: { tenantId: world.tenantId } })],
    ];
    const revoke = (tokenOrId: { case: 'token' | 'tokenId'; value: string }) =>
      world.operator.revocation.revokeToken({ tokenOrId, reason: 'test' });
    type Target = NonNullable<MessageInitShape<typeof RevocationTargetSchema>['target']>;
    const revokeAll = (target: Target) =>
      world.operator.revocation.revokeTokens({ target: { target }, reason: 'test', idempotencyKey: unique('key') });

    test.each(revocations)('it is refused once its %s has been revoked', async (_target, revokeIt) => {
      const issued = await issue();
      // What has been remembered of it is of no use.
      expect(await ask(issued.token, consistencyOf(issued.revision))).toMatchObject({ active: true });
      const { revision } = await revokeIt(issued);
      await sleep(2);
      expect(await ask(issued.token, consistencyOf(revision))).toMatchObject({ active: false });
      const later = await issue();
      expect(await ask(later.token, consistencyOf(later.revision))).toMatchObject({ active: true });
    });

    test('it is refused once its consent has been withdrawn, and nothing is issued under that any more', async () => {
      const mine = await world.consent({ appId });
      const { token, revision } = await issue({ consentId: mine });
      expect(await ask(token, consistencyOf(revision))).toMatchObject({ active: true });
      const withdrawn = await revokeAll({ case: 'consentId', value: mine });
      await sleep(2);
      expect(await ask(token, consistencyOf(withdrawn.revision))).toMatchObject({ active: false });
      expect(await failureOf(issue({ consentId: mine }))).toMatchObject({ reason: 'CONSENT_ENDED' });
    });

    if (signed.includes(method))
      test('it is refused once its signing key has been revoked', async () => {
        const { token, revision } = await issue();
        expect(await ask(token, consistencyOf(revision))).toMatchObject({ active: true });
        const active = await activeKey();
        const revoked = await revokeAll({ case: 'signingKeyId', value: active });
        await sleep(2);
        expect(await ask(token, consistencyOf(revoked.revision))).toMatchObject({ active: false });
        const later = await issue();
        expect(await ask(later.token, consistencyOf(later.revision))).toMatchObject({ active: true });
        expect(await activeKey()).not.toBe(active);
      });
  });

  if (signed.includes(method))
    test('no token is lost when its key is rotated', async () => {
      const before = await issue();
      const { active, next } = await world.operator.registry.rotateSigningKey({ tenantId: world.tenantId });
      const after = await issue();
      for (const { token } of [before, after]) expect(await ask(token, undefined)).toMatchObject({ active: true });
      expect([await activeKey(), next?.signingKeyId === active?.signingKeyId]).toEqual([active?.signingKeyId, false]);
    });

  test('an app that may not have it does not get it', async () => {
    const other = await world.addApp(
      method === TokenMethod.REFERENCE ? { methods: [TokenMethod.SIGNED] } : { methods: [TokenMethod.REFERENCE] },
    );
    const given = await world.consent({ appId: other });
    const asked = issue({ appId: other, consentId: given });
    expect(await failureOf(asked), name).toMatchObject({ reason: 'METHOD_NOT_ALLOWED' });
  });
});

const activeKey = async (): Promise<string> => {
  const { signingKeys } = await world.operator.registry.listSigningKeys({ tenantId: world.tenantId });
  return signingKeys.find(({ state }) => state === SigningKeyState.ACTIVE)?.signingKeyId ?? '';
};

test('an attenuated copy allows less, for the request that it was made for, and dies with its original', async () => {
  const { token } = await world.issue({
    appId,
    consentId,
    method: TokenMethod.ATTENUABLE,
    scopes: ['orders:read', 'orders:write'],
  });
  const request = 'x'.repeat(43);
  const copy = attenuate(token, { scopes: ['orders:read'], request });
  expect(await ask(copy, undefined, { request })).toMatchObject({ active: true, scopes: ['orders:read'] });
  const { SCOPE_MISSING, REQUEST_MISMATCH, EXPIRED } = RefusalReason;
  expect(await ask(copy, undefined)).toMatchObject({ active: false, reason: REQUEST_MISMATCH });
  const wanted = { request, requiredScopes: ['orders:write'] };
  expect(await ask(copy, undefined, wanted)).toMatchObject({ active: false, reason: SCOPE_MISSING });
  expect(await ask(attenuate(copy, { expiresAt: 1 }), undefined, { request })).toMatchObject({ reason: EXPIRED });
  await world.operator.revocation.revokeToken({ tokenOrId: { case: 'token', value: copy }, reason: 'test' });
  for (const one of [token, copy]) expect(await ask(one, undefined, { request })).toMatchObject({ active: false });
});
