import { Code, ConnectError } from '@connectrpc/connect';
import { RefusalReason, RevocationState, TargetKind } from '@touchstone/contracts';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import { bootstrapped, clientsOf, openWorld, unique, type World } from '../harness/world.ts';

const stack = inject('stack');
let world: World;
beforeAll(async () => {
  world = await openWorld(stack);
});

const key = () => unique('incident');
const { NOT_HONOURED, EXPIRED, SCOPE_MISSING, MALFORMED } = RefusalReason;

test('a token is honoured the moment it has been issued, with the claims released and no others', async () => {
  const issued = await world.issue();
  const answer = await world.validate(issued.token);
  expect(answer).toMatchObject({
    active: true,
    reason: RefusalReason.UNSPECIFIED,
    tokenId: issued.tokenId,
    tenantId: world.tenantId,
    appId: world.appId,
    subject: 'ada',
    scopes: ['orders:read'],
    claims: { name: 'Ada', email: 'ada@example.org' },
    expiresAt: issued.expiresAt,
  });
  expect(answer.claims).not.toHaveProperty('phone');
  expect(answer.asOf).toBeDefined();
});

test('an app without a user is the subject of its own token', async () => {
  const { token } = await world.app.issuer.issueToken(world.request({ userId: '', claims: {} }));
  expect(await world.validate(token)).toMatchObject({ active: true, subject: world.appId, claims: {} });
});

test('a token allows what it was issued for and nothing else', async () => {
  const { token } = await world.issue();
  expect(await world.validate(token, 'orders:write')).toMatchObject({ active: false, reason: SCOPE_MISSING });
});

test('an expired token is refused at its instant, by the clock of the database', async () => {
  const { token, expiresAt } = await world.issue({ ttl: { seconds: 2n } });
  expect(await world.validate(token)).toMatchObject({ active: true });
  let answer = await world.validate(token);
  while (answer.active) answer = await world.validate(token);
  expect(answer.reason).toBe(EXPIRED);
  expect(Number(answer.asOf?.seconds) * 1e9 + Number(answer.asOf?.nanos)).toBeGreaterThanOrEqual(
    Number(expiresAt?.seconds) * 1e9 + Number(expiresAt?.nanos),
  );
});

test('a batch answers each request by itself and in order', async () => {
  const bad = world.request({ scopes: ['orders:everything'] });
  const malformed = world.request({ scopes: [] });
  const requests = Array.from({ length: 40 }, (_, i) => (i === 7 ? bad : i === 21 ? malformed : world.request()));
  const { results } = await world.identity.issuer.batchIssueTokens({ requests });
  expect(results.map((one) => one.outcome.case)).toEqual(
    requests.map((_, i) => (i === 7 || i === 21 ? 'error' : 'issued')),
  );
  expect(results[7]?.outcome.value).toMatchObject({ code: Code.PermissionDenied });
  expect(results[21]?.outcome.value).toMatchObject({ code: Code.InvalidArgument });

  const tokens = results.flatMap(({ outcome }) => (outcome.case === 'issued' ? [outcome.value.token] : []));
  expect(new Set(tokens).size).toBe(38);
  const asked = [...tokens, 'tks_rubbish'].map((token) => ({
    token,
    audience: world.audience,
    requiredScopes: ['orders:read'],
  }));
  const answers = await world.resourceServer.validator.batchValidateTokens({
    requests: [...asked, { token: 'x', audience: world.audience, requiredScopes: [] }],
  });
  expect(
    answers.results.slice(0, 38).every(({ outcome }) => outcome.case === 'validated' && outcome.value.active),
  ).toBe(true);
  expect(answers.results[38]?.outcome.value).toMatchObject({ active: false, reason: MALFORMED });
  expect(answers.results[39]?.outcome.value).toMatchObject({ code: Code.InvalidArgument });
});

describe('revoking', () => {
  test('a string that is no token of ours has nothing to be revoked; an id that names nothing is a mistake', async () => {
    const rubbish = { case: 'token', value: 'tks_rubbish' } as const;
    expect(await world.operator.revocation.revokeToken({ tokenOrId: rubbish })).toMatchObject({ revocationId: '' });
    const { tokenId } = await world.issue();
    const other = `${tokenId.slice(0, -1)}${tokenId.endsWith('0') ? '1' : '0'}`;
    const unknown = world.operator.revocation.revokeToken({ tokenOrId: { case: 'tokenId', value: other } });
    await expect(unknown).rejects.toMatchObject({ code: Code.NotFound });
  });

  test('the same idempotency key does nothing new for the same request, and is refused for another', async () => {
    const idempotencyKey = key();
    const request = {
      target: { target: { case: 'app', value: { appId: world.appId } } },
      reason: 'r',
      idempotencyKey,
    } as const;
    const first = await world.operator.revocation.revokeTokens(request);
    const { token } = await world.issue();
    expect(await world.operator.revocation.revokeTokens(request)).toEqual(first);
    expect(await world.validate(token)).toMatchObject({ active: true });
    const other = world.operator.revocation.revokeTokens({ ...request, reason: 'another' });
    await expect(other).rejects.toMatchObject({ code: Code.FailedPrecondition });
  });

  test('many at once become one revision, and each is told of its own', async () => {
    const tokens = await Promise.all(Array.from({ length: 30 }, () => world.issue()));
    const revoked = await Promise.all(
      tokens.map(({ token }) => world.operator.revocation.revokeToken({ tokenOrId: { case: 'token', value: token } })),
    );
    expect(new Set(revoked.map((one) => one.revocationId)).size).toBe(30);
    for (const { token } of tokens) expect((await world.validate(token)).active).toBe(false);
  });

  test('GetRevocation tells what was revoked, by whom and why, without naming the user', async () => {
    const target = { case: 'user', value: { tenantId: world.tenantId, userId: 'ada' } } as const;
    const { revocationId, revision } = await world.operator.revocation.revokeTokens({
      target: { target },
      reason: 'phone lost',
      idempotencyKey: key(),
    });
    const { revocation } = await world.operator.revocation.getRevocation({ revocationId });
    expect(revocation).toMatchObject({
      revocationId,
      revision,
      state: expect.toBeOneOf([RevocationState.IN_FORCE, RevocationState.COMPLETE]),
      targetKind: TargetKind.USER,
      tenantId: world.tenantId,
      reason: 'phone lost',
      includeCredentials: false,
    });
    expect(revocation?.actor).toMatch(/^tok_/);
    expect(revocation?.targetKey).not.toContain('ada');
  });
});

test('the precise reason of a refusal is told only to a caller that may know it', async () => {
  const { credential } = await world.operator.registry.issueCredential({
    principal: { case: 'resourceServer', value: { audience: world.audience } },
    scopes: ['tokens:validate', 'tokens:explain'],
    ttl: { seconds: 60n },
  });
  const knowing = clientsOf(stack, credential);
  const { token } = await world.issue();
  await world.operator.revocation.revokeToken({ tokenOrId: { case: 'token', value: token } });
  const request = { token, audience: world.audience, requiredScopes: ['orders:read'] };
  expect((await knowing.validator.validateToken(request)).reason).toBe(RefusalReason.REVOKED);
  expect((await world.validate(token)).reason).toBe(NOT_HONOURED);
});

test('an operator of another tenant finds neither the token nor the revocation', async () => {
  const stranger = await bootstrapped(stack, [unique('tenant')]);
  const { tokenId } = await world.issue();
  const foreign = stranger.revocation.revokeToken({ tokenOrId: { case: 'tokenId', value: tokenId } });
  await expect(foreign).rejects.toMatchObject({ code: Code.NotFound });
  const { revocationId } = await world.operator.revocation.revokeToken({
    tokenOrId: { case: 'tokenId', value: tokenId },
  });
  const found = stranger.revocation.getRevocation({ revocationId });
  await expect(found.catch((error) => ConnectError.from(error).code)).resolves.toBe(Code.NotFound);
});
