import type { JsonObject } from '@bufbuild/protobuf';
import { ClientType, HostingType, RefusalReason, Usage } from '@touchstone/contracts';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import { bootstrapped, type Clients, clientsOf, openWorld, unique, type World } from '../harness/world.ts';
import { addAudience } from './support-callers.ts';
import { type Failure, failureOf, outcomeInBatch, outcomeOf } from './support-outcome.ts';
import { forgedString, unknownString } from './support-strings.ts';

const stack = inject('stack');
let world: World;
let foreign: World;
/** An operator of tenants that need not exist, so that the tenant that is named is unknown rather than forbidden. */
let operator: Clients;
const absent = unique('absent');
beforeAll(async () => {
  [world, foreign] = await Promise.all([openWorld(stack), openWorld(stack)]);
  operator = await bootstrapped(stack, [world.tenantId, absent]);
});

/** It names the field and says what would be right, and the value of the field stands nowhere in it. */
function expectField({ reason, message, metadata }: Failure, field: string, value?: string): void {
  expect({ reason, field: metadata.field }).toEqual({ reason: 'INVALID_FIELD', field });
  expect(message).toBe(`${field} ${metadata.rule}`);
  expect(metadata.rule).toMatch(/\w+ \w+/);
  if (value) expect(JSON.stringify([message, metadata])).not.toContain(JSON.stringify(value).slice(1, -1));
}

type Over = Record<string, unknown>;
const ask = (over: Over) => world.identity.issuer.issueToken(world.request(over));
const canary = 'Canary-8f2b';
const long = (count: number) => 'x'.repeat(count);
const year = { seconds: 366n * 86_400n };

describe('IssueToken names the field at fault, and never its value', () => {
  test.each<[what: string, field: string, over: Over, value?: string]>([
    ['no tenant', 'tenant_id', { tenantId: '' }],
    ['a tenant id that is too long', 'tenant_id', { tenantId: canary + long(64) }, canary],
    ['no app', 'app_id', { appId: '' }],
    ['an app id that is too long', 'app_id', { appId: canary + long(64) }, canary],
    ['a user id that is too long', 'user_id', { userId: canary + long(256) }, canary],
    ['a user id that is too long in bytes', 'user_id', { userId: 'ü'.repeat(129) }, 'ü'],
    ['no audience', 'audience', { audience: '' }],
    ['an audience that is too long', 'audience', { audience: canary + long(256) }, canary],
    ['no scopes', 'scopes', { scopes: [] }],
    ['more scopes than there may be', 'scopes', { scopes: Array.from({ length: 65 }, (_, i) => `a:${i}`) }],
    ['a scope twice', 'scopes', { scopes: ['orders:read', 'orders:read'] }],
    ['an empty scope', 'scopes[0]', { scopes: [''] }],
    ['a scope that is too long', 'scopes[1]', { scopes: ['orders:read', `canary${long(128)}`] }, 'canary'],
    ['a wildcard for a scope', 'scopes[0]', { scopes: ['*'] }],
    ['a scope with a wildcard', 'scopes[1]', { scopes: ['orders:read', 'orders:*'] }, 'orders:*'],
    ['a scope in capitals', 'scopes[0]', { scopes: [canary] }, canary],
    ['two scopes in one', 'scopes[0]', { scopes: ['orders:read orders:write'] }, 'orders:write'],
    ['a scope with letters of another script', 'scopes[0]', { scopes: ['оrders:read'] }, 'оrders'],
    ['a scope with a control character', 'scopes[0]', { scopes: ['orders:read\n'] }],
    ['a ttl of zero', 'ttl', { ttl: { seconds: 0n } }],
    ['a negative ttl', 'ttl', { ttl: { seconds: -5n } }],
    ['a ttl of less than a second', 'ttl', { ttl: { seconds: 0n, nanos: 999_999_999 } }],
    ['a ttl with a fraction', 'ttl', { ttl: { seconds: 1n, nanos: 1 } }],
    ['a usage that is not said', 'usage', { usage: Usage.UNSPECIFIED }],
    ['a usage that there is not', 'usage', { usage: 99 }],
    ['a method that there is not', 'method', { method: 99 }],
    ['a consent id that is too long', 'consent_id', { consentId: canary + long(64) }, canary],
  ])('%s: %s', async (_what, field, over, value) => {
    expectField(await failureOf(ask(over)), field, value);
    expectField(
      await failureOf(outcomeInBatch(world.identity.issuer.batchIssueTokens({ requests: [world.request(over)] }))),
      field,
      value,
    );
  });
});

describe('IssueToken refuses', () => {
  test.each<[what: string, outcome: string, field: string, over: () => Over]>([
    [
      "a tenant that is not the caller's",
      'PermissionDenied CALLER_NOT_ALLOWED',
      'tenant_id',
      () => ({ tenantId: foreign.tenantId }),
    ],
    [
      'a tenant that does not exist, in the same words',
      'PermissionDenied CALLER_NOT_ALLOWED',
      'tenant_id',
      () => ({ tenantId: absent }),
    ],
    ['an unknown app', 'NotFound APP_UNKNOWN', 'app_id', () => ({ appId: 'nothing' })],
    ['an app by a pattern', 'NotFound APP_UNKNOWN', 'app_id', () => ({ appId: '%' })],
    ['an app in capitals', 'NotFound APP_UNKNOWN', 'app_id', () => ({ appId: world.appId.toUpperCase() })],
    ['an app with a space behind it', 'NotFound APP_UNKNOWN', 'app_id', () => ({ appId: `${world.appId} ` })],
    [
      'an unknown audience',
      'NotFound AUDIENCE_UNKNOWN',
      'audience',
      () => ({ audience: 'https://nowhere.example.com' }),
    ],
    [
      'an audience with a slash behind it',
      'NotFound AUDIENCE_UNKNOWN',
      'audience',
      () => ({ audience: `${world.audience}/` }),
    ],
    ['an audience by a wildcard', 'NotFound AUDIENCE_UNKNOWN', 'audience', () => ({ audience: '*' })],
    [
      'an unknown scope',
      'PermissionDenied SCOPE_NOT_ALLOWED',
      'scopes',
      () => ({ scopes: ['orders:read', 'orders:everything'] }),
    ],
    [
      'a consent that does not exist',
      'NotFound CONSENT_UNKNOWN',
      'consent_id',
      () => ({ consentId: `con_${'0'.repeat(21)}` }),
    ],
  ])('%s: %s', async (_what, outcome, field, over) => {
    const { code, reason, metadata } = await failureOf(ask(over()));
    expect([`${code} ${reason}`, metadata.field]).toEqual([outcome, field]);
  });

  test('a ttl above the limit of the tenant, the app, the resource server or the installation, and says which', async () => {
    const own = await openWorld(stack);
    const tenantId = unique('tenant');
    const longest = await bootstrapped(stack, [tenantId]);
    const days = { seconds: 90n * 86_400n };
    await longest.registry.createTenant({ tenant: { tenantId, tokenTtlMax: days, firstPartyWithoutConsent: true } });
    const spacious = { ...own, tenantId, operator: longest };
    const audiences = [await addAudience(spacious), await addAudience(spacious, { tokenTtlMax: { seconds: 200n } })];
    const grants = audiences.map((audience) => ({ audience, scopes: ['orders:read'] }));
    const kind = { clientType: ClientType.WEB, hostingType: HostingType.FIRST_PARTY, tenantId, grants };
    const apps = [unique('app'), unique('app')] as const;
    await longest.registry.createApp({ app: { ...kind, appId: apps[0] } });
    await longest.registry.createApp({ app: { ...kind, appId: apps[1], tokenTtlMax: { seconds: 300n } } });
    const { credential } = await longest.registry.issueCredential({
      principal: { case: 'identityService', value: { tenantId, name: 'identity' } },
      scopes: ['tokens:issue'],
      ttl: { seconds: 600n },
    });
    const { issuer } = clientsOf(stack, credential);
    const request = { ...own.request(), tenantId };
    const cases = [
      [apps[0], audiences[0], 7_776_000, 'installation'],
      [apps[1], audiences[0], 300, 'app'],
      [apps[0], audiences[1], 200, 'resource server'],
      [apps[1], audiences[1], 200, 'resource server'],
    ] as const;
    for (const [appId, audience = '', limit, limitedBy] of cases) {
      const over = { ...request, appId, audience, ttl: { seconds: BigInt(limit) + 1n } };
      const { code, reason, metadata } = await failureOf(issuer.issueToken(over));
      expect([code, reason]).toEqual(['InvalidArgument', 'TTL_TOO_LONG']);
      expect(metadata).toMatchObject({ field: 'ttl', limited_by: expect.any(String) });
      if (appId === apps[0] || audience === audiences[0])
        expect(metadata).toMatchObject({ max_seconds: String(limit), limited_by: limitedBy });
      await expect(issuer.issueToken({ ...over, ttl: { seconds: BigInt(limit) } })).resolves.toBeDefined();
    }
    const { metadata } = await failureOf(ask({ ttl: { seconds: 3_601n } }));
    expect(metadata).toEqual({ field: 'ttl', max_seconds: '3600', limited_by: 'tenant' });
    expect(await failureOf(ask({ ttl: { seconds: 2n ** 62n } }))).toMatchObject({ code: 'InvalidArgument' });
  });
});

describe('claims', () => {
  const reserved =
    'iss sub aud exp nbf iat jti scope client_id act may_act cnf azp auth_time acr amr nonce at_hash sid active token_type ' +
    'tenant_id app_id consent_id';
  const casings = [
    (name: string) => name,
    (name: string) => name.toUpperCase(),
    (name: string) => name[0]?.toUpperCase() + name.slice(1),
  ];

  test.each(reserved.split(' ').flatMap((name) => casings.map((casing) => casing(name))))(
    'may not be called %s',
    async (name) => {
      const { code, reason, message, metadata } = await failureOf(ask({ claims: { name: 'Ada', [name]: canary } }));
      expect([code, reason, metadata]).toEqual(['InvalidArgument', 'CLAIM_RESERVED', { field: 'claims', claim: name }]);
      expect(message).not.toContain(canary);
    },
  );

  /** `{"name":"..."}` is eleven bytes and the text. */
  const ofBytes = (bytes: number, text: string) => ({ name: text.repeat((bytes - 11) / Buffer.byteLength(text)) });

  test.each([
    ['letters of one byte', 'x', 4_097],
    ['letters of more bytes than one', 'ü', 4_097],
  ])('of more than 4,096 bytes in %s are refused, and of 4,096 are not', async (_what, text, tooMany) => {
    const { code, reason, metadata } = await failureOf(ask({ claims: ofBytes(tooMany + 2, text) }));
    expect([code, reason, metadata]).toEqual([
      'InvalidArgument',
      'CLAIMS_TOO_LARGE',
      { field: 'claims', max_bytes: '4096' },
    ]);
    const claims = ofBytes(tooMany - 2 + (text === 'x' ? 1 : 0), text);
    const { token } = await ask({ claims });
    expect((await world.validate(token)).claims).toEqual(claims);
  });

  const nested = (levels: number): JsonObject => ({
    name: JSON.parse('['.repeat(levels - 1) + ']'.repeat(levels - 1)),
  });

  test('nested more than 32 deep are refused', async () => {
    expectField(await failureOf(ask({ claims: nested(33) })), 'claims');
  });

  test.each<[string, JsonObject]>([
    ['control characters', { name: 'a\0b\u0001\n' }],
    ['letters of every script', { name: 'Ада 🎉 アダ \u202e' }],
    ['nesting', nested(32)],
    ['objects in objects', { name: JSON.parse('{"a":'.repeat(31) + 1 + '}'.repeat(31)) }],
    ['names of the language', { name: { constructor: 'x', toString: 1 } as never }],
  ])('with %s come back as they were', async (_what, claims) => {
    const { token } = await ask({ claims });
    expect((await world.validate(token)).claims).toEqual(claims);
  });
});

describe('ValidateToken', () => {
  const { MALFORMED, NOT_HONOURED } = RefusalReason;
  const asked = (token: string) => ({ token, audience: world.audience, requiredScopes: ['orders:read'] });
  /** A thousand at a time. */
  async function reasonsOf(tokens: readonly string[]): Promise<unknown[]> {
    const { results } = await world.resourceServer.validator.batchValidateTokens({ requests: tokens.map(asked) });
    return results.map(({ outcome }) =>
      outcome.case === 'validated' ? [outcome.value.active, outcome.value.reason] : outcome.value,
    );
  }
  const allMalformed = (tokens: readonly string[]) => tokens.map(() => [false, MALFORMED]);

  test.each<[what: string, field: string, over: Over, value?: string]>([
    ['no token', 'token', { token: '' }],
    ['a token that is too long', 'token', { token: canary + long(8_192) }, canary],
    ['no audience', 'audience', { audience: '' }],
    ['no required scopes', 'required_scopes', { requiredScopes: [] }],
    ['an audience with a control character', 'audience', { audience: `${canary}\0` }, canary],
    ['an empty required scope', 'required_scopes[0]', { requiredScopes: [''] }],
    ['a required scope with a control character', 'required_scopes[0]', { requiredScopes: [`${canary}\0`] }, canary],
    ['a required scope that is too long', 'required_scopes[0]', { requiredScopes: [canary + long(128)] }, canary],
    ['a consistency without a requirement', 'consistency.requirement', { consistency: {} }],
    [
      'a consistency that is not',
      'consistency.fully_consistent',
      { consistency: { requirement: { case: 'fullyConsistent', value: false } } },
    ],
  ])('names the field at fault: %s: %s', async (_what, field, over, value) => {
    const request = { ...asked('tks_rubbish'), ...over };
    expectField(await failureOf(world.resourceServer.validator.validateToken(request)), field, value);
    const batch = world.resourceServer.validator.batchValidateTokens({ requests: [request] });
    expectField(await failureOf(outcomeInBatch(batch)), field, value);
  });

  test('a token mistyped in any position is malformed', async () => {
    const { token } = await world.issue();
    const mistyped = [...token].flatMap((character, at) =>
      ['0', 'z', '_', ' ', 'é', '\0']
        .filter((other) => other !== character)
        .map((other) => token.slice(0, at) + other + token.slice(at + 1)),
    );
    expect(await reasonsOf(mistyped)).toEqual(allMalformed(mistyped));
  });

  test('a token with two neighbours exchanged is malformed', async () => {
    const { token } = await world.issue();
    const exchanged = Array.from(
      token,
      (_, at) => token.slice(0, at) + token.charAt(at + 1) + token.charAt(at) + token.slice(at + 2),
    );
    const others = exchanged.filter((one) => one !== token);
    expect(await reasonsOf(others)).toEqual(allMalformed(others));
  });

  test('a token cut short anywhere, lengthened or in another case is malformed', async () => {
    const { token } = await world.issue();
    const cut = Array.from({ length: token.length - 1 }, (_, end) => token.slice(0, end + 1));
    const other = [
      `${token} `,
      ` ${token}`,
      `${token}\n`,
      `${token}0`,
      token + token,
      `Bearer ${token}`,
      token.toUpperCase(),
      token.toLowerCase(),
    ];
    const tokens = [...cut, ...other];
    expect(await reasonsOf(tokens)).toEqual(allMalformed(tokens));
  });

  test('a token made up under keys of somebody else is malformed', async () => {
    const tokens = Array.from({ length: 100 }, forgedString);
    expect(await reasonsOf(tokens)).toEqual(allMalformed(tokens));
  });

  test('strings that are nothing at all are malformed', async () => {
    const tokens = [
      'x',
      'tks_',
      'tks_r',
      'tks_r_',
      'tks_x0_0',
      '\0',
      '🎉',
      'null',
      '{}',
      '../..',
      "' or 1=1 --",
      'eyJhbGciOiJub25lIn0.e30.',
      long(8_192),
    ];
    expect(await reasonsOf(tokens)).toEqual(allMalformed(tokens));
  });

  test('unknown, revoked, of another audience, of another tenant, a credential: nobody can tell one from the other', async () => {
    const otherAudience = await addAudience(world);
    const [revoked, here, abroad] = [await world.issue(), await world.issue(), await foreign.issue()];
    await world.operator.revocation.revokeToken({ tokenOrId: { case: 'token', value: revoked.token } });
    const tokens = {
      unknown: await unknownString(stack),
      'unknown, of a day that is gone': await unknownString(stack, { expiresAt: 0 }),
      'unknown, of a day that is far off': await unknownString(stack, {
        expiresAt: Date.now() + 10 * 366 * 86_400_000,
      }),
      revoked: revoked.token,
      "another tenant's": abroad.token,
      credential: world.app.credential,
    };
    const { validator } = world.resourceServer;
    for (const [what, token] of Object.entries(tokens)) {
      const { asOf, revision, ...rest } = await validator.validateToken(asked(token));
      expect([what, rest]).toEqual([
        what,
        {
          $typeName: rest.$typeName,
          active: false,
          reason: NOT_HONOURED,
          tokenId: '',
          tenantId: '',
          appId: '',
          subject: '',
          scopes: [],
          actors: [],
        },
      ]);
      expect([what, asOf !== undefined, revision !== '']).toEqual([what, true, true]);
    }
    const { credential } = await world.operator.registry.issueCredential({
      principal: { case: 'resourceServer', value: { audience: otherAudience } },
      scopes: ['tokens:validate'],
      ttl: { seconds: 60n },
    });
    const elsewhere = { ...asked(here.token), audience: otherAudience };
    expect(await clientsOf(stack, credential).validator.validateToken(elsewhere)).toMatchObject({
      active: false,
      reason: NOT_HONOURED,
    });
    expect(await world.validate(here.token)).toMatchObject({ active: true });
  });
});

describe('a batch', () => {
  test.each([0, 1_001])('of %i is refused', async (count) => {
    const issues = Array.from({ length: count }, () => world.request());
    expectField(await failureOf(world.identity.issuer.batchIssueTokens({ requests: issues })), 'requests');
    const validations = Array.from({ length: count }, () => ({
      token: 'x',
      audience: world.audience,
      requiredScopes: ['a'],
    }));
    expectField(
      await failureOf(world.resourceServer.validator.batchValidateTokens({ requests: validations })),
      'requests',
    );
  });

  test('of a thousand is carried out', async () => {
    const { results } = await world.identity.issuer.batchIssueTokens({
      requests: Array.from({ length: 1_000 }, () => world.request()),
    });
    const tokens = results.map(({ outcome }) => (outcome.case === 'issued' ? outcome.value.token : ''));
    expect(new Set(tokens).size).toBe(1_000);
    const requests = tokens.map((token) => ({ token, audience: world.audience, requiredScopes: ['orders:read'] }));
    const answers = await world.resourceServer.validator.batchValidateTokens({ requests });
    expect(answers.results.every(({ outcome }) => outcome.case === 'validated' && outcome.value.active)).toBe(true);
  });
});

describe('revoking', () => {
  const user = () => ({ target: { case: 'user', value: { tenantId: world.tenantId, userId: 'nobody' } } }) as const;
  const bulk = (over: Over) => ({ target: user(), reason: 'test', idempotencyKey: unique('incident'), ...over });
  const targeting = (target: unknown) => bulk({ target: { target } });

  test.each<[what: string, field: string, over: () => Over, value?: string]>([
    ['no target', 'target', () => bulk({ target: undefined })],
    ['an empty target', 'target.target', () => bulk({ target: {} })],
    ['no reason', 'reason', () => bulk({ reason: '' })],
    ['a reason that is too long', 'reason', () => bulk({ reason: canary + long(512) }), canary],
    ['an idempotency key that is too short', 'idempotency_key', () => bulk({ idempotencyKey: '1234567' }), '1234567'],
    [
      'an idempotency key that is too long',
      'idempotency_key',
      () => bulk({ idempotencyKey: canary + long(128) }),
      canary,
    ],
    ['no user', 'target.user.user_id', () => targeting({ case: 'user', value: { tenantId: world.tenantId } })],
    ['no app', 'target.app.app_id', () => targeting({ case: 'app', value: {} })],
    ['no tenant', 'target.tenant.tenant_id', () => targeting({ case: 'tenant', value: {} })],
    [
      'no user of an app',
      'target.app_user.user_id',
      () => targeting({ case: 'appUser', value: { appId: world.appId } }),
    ],
    ['a reason with a control character', 'reason', () => bulk({ reason: `${canary}\0` }), canary],
    [
      'an idempotency key with a control character',
      'idempotency_key',
      () => bulk({ idempotencyKey: `${canary}\0` }),
      canary,
    ],
  ])('names the field at fault: %s: %s', async (_what, field, over, value) => {
    expectField(await failureOf(operator.revocation.revokeTokens(over() as never)), field, value);
  });

  test.each<[what: string, field: string, over: Over, value?: string]>([
    ['neither a token nor an id', 'token_or_id', {}],
    ['an empty token', 'token', { tokenOrId: { case: 'token', value: '' } }],
    ['a token that is too long', 'token', { tokenOrId: { case: 'token', value: canary + long(8_192) } }, canary],
    ['an empty id', 'token_id', { tokenOrId: { case: 'tokenId', value: '' } }],
    ['an id that is none', 'token_id', { tokenOrId: { case: 'tokenId', value: canary } }, canary],
    ['an id that is too short', 'token_id', { tokenOrId: { case: 'tokenId', value: `tok_${'0'.repeat(25)}` } }],
    ['an id that is too long', 'token_id', { tokenOrId: { case: 'tokenId', value: `tok_${'0'.repeat(27)}` } }],
    ['the id of a revocation', 'token_id', { tokenOrId: { case: 'tokenId', value: `rvk_${'0'.repeat(21)}` } }],
    [
      'an id with a control character',
      'token_id',
      { tokenOrId: { case: 'tokenId', value: `tok_${'0'.repeat(25)}\0` } },
    ],
    [
      'a reason that is too long',
      'reason',
      { tokenOrId: { case: 'token', value: 'x' }, reason: canary + long(512) },
      canary,
    ],
    [
      'a reason with a control character',
      'reason',
      { tokenOrId: { case: 'token', value: 'x' }, reason: `${canary}\0` },
      canary,
    ],
  ])('one token names the field at fault: %s: %s', async (_what, field, over, value) => {
    expectField(await failureOf(operator.revocation.revokeToken(over as never)), field, value);
  });

  test.each([
    ['no id', ''],
    ['an id that is too short', `rvk_${'0'.repeat(20)}`],
    ['an id that is too long', `rvk_${'0'.repeat(22)}`],
    ['the id of a token', `tok_${'0'.repeat(26)}`],
    ['an id with a wildcard', `rvk_${'%'.repeat(21)}`],
  ])('GetRevocation names the field at fault: %s', async (_what, revocationId) => {
    expectField(await failureOf(operator.revocation.getRevocation({ revocationId })), 'revocation_id', revocationId);
  });

  test('an unknown app, tenant, consent or token is not found', async () => {
    const { revocation } = operator;
    const unknownOf = async (call: Promise<unknown>) => {
      const { code, reason, metadata } = await failureOf(call);
      return `${code} ${reason} ${metadata.field}`;
    };
    const targeted = (target: unknown) => unknownOf(revocation.revokeTokens(targeting(target) as never));
    expect(await targeted({ case: 'app', value: { appId: 'nothing' } })).toBe('NotFound APP_UNKNOWN target.app.app_id');
    expect(await targeted({ case: 'tenant', value: { tenantId: absent } })).toBe(
      'NotFound TENANT_UNKNOWN target.tenant.tenant_id',
    );
    expect(await targeted({ case: 'consentId', value: `con_${'0'.repeat(21)}` })).toBe(
      'NotFound CONSENT_UNKNOWN target.consent_id',
    );
    const tokenOrId = { case: 'tokenId', value: `tok_${'0'.repeat(26)}` } as const;
    expect(await unknownOf(revocation.revokeToken({ tokenOrId }))).toBe('NotFound TOKEN_UNKNOWN token_id');
  });

  test('one bad revocation among forty that come together fails alone', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        outcomeOf(operator.revocation.revokeTokens(bulk(i === 7 ? { reason: 'a\0b' } : {}) as never)),
      ),
    );
    expect(outcomes.filter((outcome) => outcome === 'ok')).toHaveLength(39);
  });

  test('the idempotency keys of callers in two tenants never meet, whatever their names', async () => {
    const idempotencyKey = unique('incident');
    const request = (own: World) => ({
      target: { target: { case: 'user', value: { tenantId: own.tenantId, userId: 'ada' } } } as const,
      reason: 'lost',
      idempotencyKey,
    });
    const first = await world.identity.revocation.revokeTokens(request(world));
    const second = await foreign.identity.revocation.revokeTokens(request(foreign));
    expect(second.revocationId).not.toBe(first.revocationId);
  });
});

describe('the registry names the field at fault', () => {
  const tenant = (over: Over) => operator.registry.createTenant({ tenant: { tenantId: absent, ...over } });
  const kinds = { clientType: ClientType.WEB, hostingType: HostingType.FIRST_PARTY };
  const app = (over: Over) =>
    operator.registry.createApp({
      app: {
        appId: unique('app'),
        tenantId: world.tenantId,
        ...kinds,
        ...over,
      },
    });
  const server = (over: Over) =>
    operator.registry.createResourceServer({
      resourceServer: { audience: unique('api'), tenantId: world.tenantId, scopes: [{ name: 'a' }], ...over },
    });
  const grant = (scopes: readonly string[]) => app({ grants: [{ audience: world.audience, scopes }] });
  const auditorOf = (tenantIds: readonly string[]) =>
    credential({ principal: { case: 'auditor', value: { name: 'new', tenantIds } }, scopes: ['audit:read'] });
  const operatorOf = (tenantIds: readonly string[]) =>
    credential({ principal: { case: 'operator', value: { name: 'new', tenantIds } }, scopes: ['registry:read'] });
  const credential = (over: Over) =>
    operator.registry.issueCredential({
      principal: { case: 'identityService', value: { tenantId: world.tenantId, name: 'identity' } },
      scopes: ['tokens:issue'],
      ttl: { seconds: 60n },
      ...over,
    } as never);

  test.each<[what: string, field: string, call: () => Promise<unknown>, value?: string]>([
    ['no tenant', 'tenant', () => operator.registry.createTenant({})],
    ['a tenant id in capitals', 'tenant.tenant_id', () => tenant({ tenantId: canary }), canary],
    ['a tenant id with a line end', 'tenant.tenant_id', () => tenant({ tenantId: `${absent}\n` })],
    ['a tenant id with letters of another script', 'tenant.tenant_id', () => tenant({ tenantId: 'аcme' }), 'аcme'],
    ['a tenant id that is too long', 'tenant.tenant_id', () => tenant({ tenantId: `a${long(63)}` })],
    ['a name with a control character', 'tenant.display_name', () => tenant({ displayName: `${canary}\0` }), canary],
    ['a ttl above 90 days', 'tenant.token_ttl_max', () => tenant({ tokenTtlMax: year })],
    ['a ttl of zero', 'tenant.token_ttl_max', () => tenant({ tokenTtlMax: {} })],
    ['a ttl with a fraction', 'tenant.token_ttl_max', () => tenant({ tokenTtlMax: { seconds: 5n, nanos: 5 } })],
    ['no app', 'app', () => operator.registry.createApp({})],
    ['an app id with a wildcard', 'app.app_id', () => app({ appId: 'app-*' }), 'app-*'],
    ['an app of no client type', 'app.client_type', () => app({ clientType: ClientType.UNSPECIFIED })],
    ['an app of no hosting type', 'app.hosting_type', () => app({ hostingType: 77 })],
    [
      'a name of an app with a control character',
      'app.display_name',
      () => app({ displayName: `${canary}\0` }),
      canary,
    ],
    ['a grant without scopes', 'app.grants[0].scopes', () => grant([])],
    ['a grant with a scope twice', 'app.grants[0].scopes', () => grant(['orders:read', 'orders:read'])],
    ['a grant of an empty scope', 'app.grants[0].scopes[0]', () => grant([''])],
    ['a grant of a scope that is too long', 'app.grants[0].scopes[0]', () => grant([long(129)]), long(129)],
    ['a grant of a wildcard', 'app.grants[0].scopes[1]', () => grant(['orders:read', 'orders:*']), 'orders:*'],
    ['a grant of a scope with a control character', 'app.grants[0].scopes[0]', () => grant(['orders:read\0'])],
    ['a ttl of an app above 90 days', 'app.token_ttl_max', () => app({ tokenTtlMax: year })],
    [
      'two grants for one audience',
      'app.grants',
      () => app({ grants: Array.from({ length: 2 }, () => ({ audience: world.audience, scopes: ['orders:read'] })) }),
    ],
    ['no resource server', 'resource_server', () => operator.registry.createResourceServer({})],
    ['the audience of Touchstone itself', 'resource_server.audience', () => server({ audience: 'touchstone' })],
    ['an audience in capitals', 'resource_server.audience', () => server({ audience: canary }), canary],
    ['no scopes of a resource server', 'resource_server.scopes', () => server({ scopes: [] })],
    [
      'a scope with a wildcard',
      'resource_server.scopes[0].name',
      () => server({ scopes: [{ name: 'orders:*' }] }),
      'orders:*',
    ],
    ['two scopes of one name', 'resource_server.scopes', () => server({ scopes: [{ name: 'a' }, { name: 'a' }] })],
    [
      'a description with a control character',
      'resource_server.scopes[0].description',
      () => server({ scopes: [{ name: 'a', description: `${canary}\0` }] }),
      canary,
    ],
    ['a released claim twice', 'resource_server.released_claims', () => server({ releasedClaims: ['name', 'name'] })],
    [
      'a released claim with a control character',
      'resource_server.released_claims[0]',
      () => server({ releasedClaims: [`${canary}\0`] }),
      canary,
    ],
    ['no principal', 'principal', () => credential({ principal: undefined })],
    ['no scopes of a credential', 'scopes', () => credential({ scopes: [] })],
    ['a scope of a credential twice', 'scopes', () => credential({ scopes: ['tokens:issue', 'tokens:issue'] })],
    ['an empty scope of a credential', 'scopes[0]', () => credential({ scopes: [''] })],
    ['a scope of a credential that is too long', 'scopes[0]', () => credential({ scopes: [long(129)] }), long(129)],
    ['a wildcard for a scope of a credential', 'scopes[0]', () => credential({ scopes: ['*'] })],
    ['a scope of a credential with a control character', 'scopes[0]', () => credential({ scopes: ['tokens:issue\0'] })],
    ['no ttl of a credential', 'ttl', () => credential({ ttl: undefined })],
    ['a ttl of a credential above 90 days', 'ttl', () => credential({ ttl: year })],
    ['a ttl of a credential with a fraction', 'ttl', () => credential({ ttl: { seconds: 5n, nanos: 5 } })],
    [
      'a name in capitals',
      'identity_service.name',
      () => credential({ principal: { case: 'identityService', value: { tenantId: world.tenantId, name: canary } } }),
      canary,
    ],
    ['no tenants of an operator', 'operator.tenant_ids', () => operatorOf([])],
    ['a tenant of an operator twice', 'operator.tenant_ids', () => operatorOf([absent, absent])],
    ['an empty tenant of an operator', 'operator.tenant_ids[0]', () => operatorOf([''])],
    ['a tenant of an operator in capitals', 'operator.tenant_ids[1]', () => operatorOf([absent, canary]), canary],
    ['a tenant of an operator that is too long', 'operator.tenant_ids[0]', () => operatorOf([long(64)]), long(64)],
    ['no tenants of an auditor', 'auditor.tenant_ids', () => auditorOf([])],
    [
      'more tenants of an auditor than there may be',
      'auditor.tenant_ids',
      () => auditorOf(Array.from({ length: 65 }, (_, i) => `t${i}`)),
    ],
    ['a wildcard for a tenant of an auditor', 'auditor.tenant_ids[0]', () => auditorOf(['*'])],
    ['a tenant of an auditor with a control character', 'auditor.tenant_ids[0]', () => auditorOf([`${absent}\0`])],
    [
      'a reason with a control character',
      'reason',
      () => operator.registry.disableApp({ appId: world.appId, reason: `${canary}\0` }),
      canary,
    ],
  ])('%s: %s', async (_what, field, call, value) => {
    expectField(await failureOf(call()), field, value);
  });

  test('the name of the platform can not be taken for a tenant', async () => {
    const platform = await bootstrapped(stack, ['touchstone']);
    expectField(
      await failureOf(platform.registry.createTenant({ tenant: { tenantId: 'touchstone' } })),
      'tenant.tenant_id',
    );
  });

  test('what is there already is not made again, in this tenant or in another', async () => {
    const again = { name: 'a' };
    expect(await outcomeOf(operator.registry.createTenant({ tenant: { tenantId: world.tenantId } }))).toBe(
      'AlreadyExists ALREADY_EXISTS',
    );
    expect(await outcomeOf(app({ appId: foreign.appId }))).toBe('AlreadyExists ALREADY_EXISTS');
    expect(await outcomeOf(server({ audience: foreign.audience, scopes: [again] }))).toBe(
      'AlreadyExists ALREADY_EXISTS',
    );
  });

  const nowhere = 'https://nowhere.example.com';
  const exchanging = (audience: string, from: string, to: string) =>
    server({ exchanges: [{ audience, scopes: [{ from, to }] }] });
  const certificateSha256 = 'A'.repeat(43);
  const identities = [{ method: { case: 'certificateSha256', value: certificateSha256 }, scopes: ['tokens:validate'] }];

  test.each<[what: string, reason: string, field: string, call: () => Promise<unknown>]>([
    ['a grant of a scope that is not there', 'SCOPE_NOT_ALLOWED', 'app.grants', () => grant(['orders:everything'])],
    [
      'a grant for an audience that is not there',
      'AUDIENCE_UNKNOWN',
      'app.grants',
      () => app({ grants: [{ audience: nowhere, scopes: ['a'] }] }),
    ],
    ['an identity of another kind', 'CREDENTIAL_NOT_ALLOWED', 'app.identities', () => app({ identities })],
    ['an app of a tenant that is not there', 'TENANT_UNKNOWN', 'app.tenant_id', () => app({ tenantId: absent })],
    ['an app of another tenant', 'CALLER_NOT_ALLOWED', 'app.tenant_id', () => app({ tenantId: foreign.tenantId })],
    [
      'a change of an app that is not there',
      'APP_UNKNOWN',
      'app.app_id',
      () => operator.registry.updateApp({ app: { ...kinds, appId: 'nothing', tenantId: world.tenantId, etag: 'e' } }),
    ],
    [
      'an exchange from a scope that is not there',
      'SCOPE_NOT_ALLOWED',
      'resource_server.exchanges',
      () => exchanging(world.audience, 'b', 'orders:read'),
    ],
    [
      'an exchange to a scope that is not there',
      'SCOPE_NOT_ALLOWED',
      'resource_server.exchanges',
      () => exchanging(world.audience, 'a', 'orders:everything'),
    ],
    [
      'an exchange to an audience that is not there',
      'AUDIENCE_UNKNOWN',
      'resource_server.exchanges',
      () => exchanging(nowhere, 'a', 'a'),
    ],
    [
      'a preview of a policy of a tenant that is not there',
      'TENANT_UNKNOWN',
      'policy.tenant_id',
      () => operator.registry.previewPolicy({ policy: { tenantId: absent } }),
    ],
    [
      'a credential for an app that is not there',
      'APP_UNKNOWN',
      'app.app_id',
      () => credential({ principal: { case: 'app', value: { appId: 'nothing' } } }),
    ],
    [
      'a credential in a tenant that is not there',
      'TENANT_UNKNOWN',
      'identity_service.tenant_id',
      () => credential({ principal: { case: 'identityService', value: { tenantId: absent, name: 'identity' } } }),
    ],
    [
      'a credential in another tenant',
      'CALLER_NOT_ALLOWED',
      'auditor.tenant_ids',
      () => auditorOf([world.tenantId, foreign.tenantId]),
    ],
  ])('that does not fit the rest: %s: %s %s', async (_what, reason, field, call) => {
    const failure = await failureOf(call());
    expect([failure.reason, failure.metadata.field]).toEqual([reason, field]);
  });
});

describe('an id with control characters names nothing, and is no fault of ours', () => {
  const id = `${canary}\0`;
  const target = (value: unknown) =>
    operator.revocation.revokeTokens({
      target: { target: value as never },
      reason: 'test',
      idempotencyKey: unique('incident'),
    });
  const grants = [{ audience: id, scopes: ['a'] }];
  const web = { clientType: ClientType.WEB, hostingType: HostingType.FIRST_PARTY, grants };
  const principal = (value: unknown) =>
    operator.registry.issueCredential({
      principal: value as never,
      scopes: ['tokens:issue:self'],
      ttl: { seconds: 60n },
    });

  test.each<[string, () => Promise<unknown>]>([
    ['the tenant of a token', () => ask({ tenantId: id })],
    ['the app of a token', () => ask({ appId: id })],
    ['the audience of a token', () => ask({ audience: id })],
    ['a revoked app', () => target({ case: 'app', value: { appId: id } })],
    ['a revoked app of a user', () => target({ case: 'appUser', value: { appId: id, userId: 'ada' } })],
    ['a revoked tenant', () => target({ case: 'tenant', value: { tenantId: id } })],
    ['a revocation', () => operator.revocation.getRevocation({ revocationId: id })],
    [
      'the audience of a grant',
      () => operator.registry.createApp({ app: { appId: unique('app'), tenantId: world.tenantId, ...web } }),
    ],
    ['the app of a credential', () => principal({ case: 'app', value: { appId: id } })],
    ['the audience of a credential', () => principal({ case: 'resourceServer', value: { audience: id } })],
    ['a disabled app', () => operator.registry.disableApp({ appId: id })],
    ['a disabled tenant', () => operator.registry.disableTenant({ tenantId: id })],
    ['a disabled resource server', () => operator.registry.disableResourceServer({ audience: id })],
  ])('%s', async (_what, call) => {
    const { code, message, metadata } = await failureOf(call());
    expect(['InvalidArgument', 'NotFound', 'PermissionDenied']).toContain(code);
    expect(JSON.stringify([message, metadata])).not.toContain(canary);
  });
});
