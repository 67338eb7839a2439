import { Code } from '@connectrpc/connect';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import { type Clients, openWorld, type World } from '../harness/world.ts';
import { type Grpcurl, openGrpcurl } from './grpcurl.ts';

const stack = inject('stack');
const grpcurl = (await openGrpcurl()) as Grpcurl;

describe.skipIf(grpcurl === null)('grpcurl, with nothing but an address', () => {
  let world: World;
  beforeAll(async () => {
    world = await openWorld(stack);
  });

  type Name = 'issuer' | 'validator' | 'revocation';
  /** Calls an RPC. */
  const call = async (name: Name, rpc: string, message: object, caller?: Clients) =>
    grpcurl(['-format-error', '-d', JSON.stringify(message), stack[name], `touchstone.v1.${rpc}`], caller?.credential);
  const answer = async (...args: Parameters<typeof call>): Promise<Record<string, unknown>> => {
    const { code, output } = await call(...args);
    expect([code, output]).toEqual([0, output]);
    return JSON.parse(output);
  };

  test.each<[Name, string[]]>([
    ['issuer', ['touchstone.v1.ConsentService', 'touchstone.v1.IssuerService', 'touchstone.v1.RegistryService']],
    ['validator', ['touchstone.v1.ValidatorService']],
    ['revocation', ['touchstone.v1.RevocationService']],
  ])('lists the services of the %s', async (name, services) => {
    const { output } = await grpcurl([stack[name], 'list']);
    const listed = output.trim().split('\n');
    expect(listed.filter((one) => one.startsWith('touchstone.'))).toEqual(services);
    expect(listed).toContain('grpc.health.v1.Health');
  });

  test.each<[Name, string, string[]]>([
    ['issuer', 'IssuerService', ['BatchIssueTokens', 'ExchangeToken', 'ExplainGrant', 'IssueToken', 'RefreshToken']],
    ['validator', 'ValidatorService', ['BatchValidateTokens', 'ValidateToken']],
    [
      'revocation',
      'RevocationService',
      ['EraseTenant', 'EraseUser', 'GetErasure', 'GetRevocation', 'RevokeToken', 'RevokeTokens', 'WatchRevocation'],
    ],
  ])('lists the RPCs of the %s', async (name, service, rpcs) => {
    const { output } = await grpcurl([stack[name], 'list', `touchstone.v1.${service}`]);
    expect(output.trim().split('\n')).toEqual(rpcs.map((rpc) => `touchstone.v1.${service}.${rpc}`));
  });

  test('describes a message with its fields, its rules and what they mean', async () => {
    const { code, output } = await grpcurl([stack.issuer, 'describe', 'touchstone.v1.IssueTokenRequest']);
    expect([code, output]).toEqual([0, output]);
    expect(output).toContain('string tenant_id = 1');
    expect(output).toContain('buf.validate.field');
  });

  test('describes a service with the scopes that a caller needs', async () => {
    const { code, output } = await grpcurl([stack.validator, 'describe', 'touchstone.v1.ValidatorService']);
    expect([code, output]).toEqual([0, output]);
    expect(output).toContain('rpc ValidateToken');
    expect(output).toContain('tokens:validate');
  });

  test.each<[Name, string, string]>([
    ['issuer', 'touchstone.v1.IssueTokenRequest', 'The tenant that the app belongs to.'],
    ['validator', 'touchstone.v1.ValidatorService', 'ValidateToken says whether a token may be honoured now'],
    ['revocation', 'touchstone.v1.RevokeTokensRequest', 'Why, for the audit trail. No personal data.'],
  ])('of the %s %s is the manual: its comments are there', async (name, symbol, comment) => {
    expect((await grpcurl([stack[name], 'describe', symbol])).output).toContain(comment);
  });

  test('does the main job: issue, validate, revoke, refused', async () => {
    const { tenantId, appId, audience } = world;
    const claims = { name: 'Ada', phone: '555' };
    const asked = {
      tenant_id: tenantId,
      app_id: appId,
      user_id: 'ada',
      audience,
      scopes: ['orders:read'],
      usage: 'USAGE_BATCH',
      ttl: '60s',
      claims,
    };
    const { token, tokenId } = await answer('issuer', 'IssuerService/IssueToken', asked, world.identity);
    const question = { token, audience, required_scopes: ['orders:read'] };
    expect(await answer('validator', 'ValidatorService/ValidateToken', question, world.resourceServer)).toMatchObject({
      active: true,
      tokenId,
      tenantId,
      appId,
      subject: 'ada',
      scopes: ['orders:read'],
      claims: { name: 'Ada' },
    });
    const { revocationId } = await answer(
      'revocation',
      'RevocationService/RevokeToken',
      { token_id: tokenId, reason: 'leaked' },
      world.operator,
    );
    const refused = await answer('validator', 'ValidatorService/ValidateToken', question, world.resourceServer);
    expect(refused).toMatchObject({ reason: 'REFUSAL_REASON_NOT_HONOURED' });
    expect(refused).not.toHaveProperty('active');
    expect(
      await answer('revocation', 'RevocationService/GetRevocation', { revocation_id: revocationId }, world.operator),
    ).toMatchObject({
      revocation: {
        targetKind: 'TARGET_KIND_TOKEN',
        targetKey: tokenId,
        reason: 'leaked',
        state: 'REVOCATION_STATE_IN_FORCE',
      },
    });
  });

  /** grpcurl ends with 64 and the code. */
  const exitCode = (code: Code) => 64 + code;

  test('is told an error with its details', async () => {
    const { tenantId, appId, audience } = world;
    const asked = { tenant_id: tenantId, app_id: appId, audience, scopes: ['orders:everything'], usage: 'USAGE_BATCH' };
    const { code, output } = await call('issuer', 'IssuerService/IssueToken', asked, world.identity);
    expect(code).toBe(exitCode(Code.PermissionDenied));
    const error = JSON.parse(output);
    expect(error.details).toEqual([
      {
        '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
        domain: 'touchstone',
        reason: 'SCOPE_NOT_ALLOWED',
        metadata: { field: 'scopes', scope: 'orders:everything', limited_by: 'resource server' },
      },
    ]);
  });

  test('is refused without a credential, and with a field that breaks its rule', async () => {
    expect((await call('issuer', 'IssuerService/IssueToken', {})).code).toBe(exitCode(Code.Unauthenticated));
    const { code, output } = await call('issuer', 'IssuerService/IssueToken', {}, world.identity);
    expect(code).toBe(exitCode(Code.InvalidArgument));
    expect(JSON.parse(output).details[0]).toMatchObject({ reason: 'INVALID_FIELD', metadata: { field: 'tenant_id' } });
  });

  test.each<Name>(['issuer', 'validator', 'revocation'])('finds the %s healthy', async (name) => {
    const { code, output } = await grpcurl([stack[name], 'grpc.health.v1.Health/Check']);
    expect([code, output]).toEqual([0, output]);
    expect(JSON.parse(output)).toEqual({ status: 'SERVING' });
  });
});
