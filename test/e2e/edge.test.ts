import { readFile } from 'node:fs/promises';
import { Agent } from 'node:http';
import { connect } from 'node:net';
import type { DescService } from '@bufbuild/protobuf';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { type Client, Code, ConnectError, createClient, type Interceptor, type Transport } from '@connectrpc/connect';
import {
  compressionGzip,
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from '@connectrpc/connect-node';
import { status } from '@grpc/grpc-js';
import {
  IssuerService,
  IssueTokenRequestSchema,
  RefusalReason,
  RegistryService,
  RevocationService,
  ValidatorService,
} from '@touchstone/contracts';
import { ErrorInfoSchema } from '@touchstone/contracts/google-rpc';
import { beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { openWorld, unique, type World } from '../harness/world.ts';
import { openRawClient, textField } from './support-grpc.ts';
import { failureOf } from './support-outcome.ts';

const stack = inject('stack');
let world: World;
beforeAll(async () => {
  world = await openWorld(stack);
});

type Name = 'issuer' | 'validator' | 'revocation';
const names: readonly Name[] = ['issuer', 'validator', 'revocation'];
const servicesOf: Readonly<Record<Name, readonly DescService[]>> = {
  issuer: [IssuerService, RegistryService],
  validator: [ValidatorService],
  revocation: [RevocationService],
};

type Options = {
  readonly interceptors: Interceptor[];
  readonly sendCompression?: typeof compressionGzip;
  readonly nodeOptions?: { readonly agent: Agent };
};
/** Each way on which an RPC can travel. */
const transports: Readonly<Record<string, (name: Name, options: Options) => Transport>> = {
  // HTTP/2 has no agent.
  gRPC: (name, { nodeOptions: _, ...options }) => createGrpcTransport({ baseUrl: `http://${stack[name]}`, ...options }),
  'gRPC-Web': (name, options) => createGrpcWebTransport({ baseUrl: stack.http[name], httpVersion: '1.1', ...options }),
  'Connect protobuf': (name, options) =>
    createConnectTransport({ baseUrl: stack.http[name], httpVersion: '1.1', useBinaryFormat: true, ...options }),
  'Connect JSON': (name, options) =>
    createConnectTransport({ baseUrl: stack.http[name], httpVersion: '1.1', useBinaryFormat: false, ...options }),
};
const ways = Object.keys(transports);
const httpWays = ways.filter((way) => way !== 'gRPC');

const withHeaders =
  (headers: Readonly<Record<string, string>>): Interceptor =>
  (next) =>
  (request) => {
    for (const [name, value] of Object.entries(headers)) request.header.set(name, value);
    return next(request);
  };

function clientBy<Service extends DescService>(
  way: string,
  service: Service,
  headers: Readonly<Record<string, string>>,
  more: Omit<Options, 'interceptors'> = {},
): Client<Service> {
  const name = names.find((one) => servicesOf[one].includes(service)) ?? 'issuer';
  const transport = transports[way]?.(name, { interceptors: [withHeaders(headers)], ...more });
  return createClient(service, transport as Transport);
}

const bearer = ({ credential }: { readonly credential: string }) => ({ authorization: `Bearer ${credential}` });
const asked = (token: string) => ({ token, audience: world.audience, requiredScopes: ['orders:read'] });

/** An RPC as anybody can call it, with nothing but HTTP. */
const post = (name: Name, rpc: string, body: unknown, headers: Readonly<Record<string, string>> = {}) =>
  fetch(`${stack.http[name]}/touchstone.v1.${rpc}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
const jsonRequest = () => ({
  tenantId: world.tenantId,
  appId: world.appId,
  userId: 'ada',
  audience: world.audience,
  scopes: ['orders:read'],
  usage: 'USAGE_INTERACTIVE',
  claims: { name: 'Ada' },
});

/** What a service answers to bytes that are sent as they are, until that is as expected or it ends the connection. */
function exchange(name: Name, bytes: string, expected: RegExp): Promise<string> {
  const { hostname, port } = new URL(stack.http[name]);
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    socket.setTimeout(20_000, () => socket.destroy());
    socket.on('data', (chunk) => {
      answer += chunk;
      if (expected.test(answer)) socket.destroy();
    });
    socket.on('close', () => resolve(answer));
    socket.once('error', reject);
  });
}

describe.each(ways)('over %s', (way) => {
  test('the main job is the same: issued, honoured, revoked, refused', async () => {
    const issued = await clientBy(way, IssuerService, bearer(world.identity)).issueToken(world.request());
    const validator = clientBy(way, ValidatorService, bearer(world.resourceServer));
    expect(await validator.validateToken(asked(issued.token))).toMatchObject({
      active: true,
      tokenId: issued.tokenId,
      subject: 'ada',
      claims: { name: 'Ada', email: 'ada@example.org' },
      expiresAt: issued.expiresAt,
    });
    const revocation = clientBy(way, RevocationService, bearer(world.operator));
    const { revocationId } = await revocation.revokeToken({ tokenOrId: { case: 'token', value: issued.token } });
    expect((await revocation.getRevocation({ revocationId })).revocation).toMatchObject({ revocationId });
    expect(await validator.validateToken(asked(issued.token))).toMatchObject({
      active: false,
      reason: RefusalReason.NOT_HONOURED,
    });
  });

  test('an error carries its code, its reason and what else is known', async () => {
    const issuer = clientBy(way, IssuerService, bearer(world.identity));
    expect(await failureOf(issuer.issueToken(world.request({ ttl: { seconds: 99_999n } })))).toEqual({
      code: 'InvalidArgument',
      reason: 'TTL_TOO_LONG',
      message: 'ttl must be at most 3600 seconds: the limit of the tenant',
      metadata: { field: 'ttl', max_seconds: '3600', limited_by: 'tenant' },
    });
    expect(await failureOf(clientBy(way, IssuerService, {}).issueToken(world.request()))).toMatchObject({
      code: 'Unauthenticated',
      reason: 'CALLER_UNKNOWN',
      metadata: {},
    });
  });

  test.each([
    ['Basic', () => `Basic ${Buffer.from(`x:${world.identity.credential}`).toString('base64')}`],
    ['none', () => world.identity.credential],
    ['doubled', () => `Bearer Bearer ${world.identity.credential}`],
  ])('an authorization of the scheme %s is none', async (_scheme, authorization) => {
    const issuer = clientBy(way, IssuerService, { authorization: authorization() });
    expect(await failureOf(issuer.issueToken(world.request()))).toMatchObject({ reason: 'CALLER_UNKNOWN' });
  });

  test('a deadline that has passed ends the call with DEADLINE_EXCEEDED, and a late one does not', async () => {
    const issuer = clientBy(way, IssuerService, bearer(world.identity));
    // In the header: the client would end a call with a timeout of its own by itself.
    const passed = way.startsWith('gRPC') ? { 'grpc-timeout': '1n' } : { 'connect-timeout-ms': '0' };
    const late = clientBy(way, IssuerService, { ...bearer(world.identity), ...passed });
    await expect(late.issueToken(world.request())).rejects.toMatchObject({ code: Code.DeadlineExceeded });
    await expect(issuer.issueToken(world.request(), { timeoutMs: 30_000 })).resolves.toBeDefined();
  });

  test('a request over the size limit is refused, also where it is small until it is unpacked', async () => {
    const within = clientBy(way, IssuerService, bearer(world.identity));
    const large = world.request({ claims: { name: 'x'.repeat(4_000_000) } });
    expect(await failureOf(within.issueToken(large))).toMatchObject({ reason: 'CLAIMS_TOO_LARGE' });

    const beyond = world.request({ claims: { name: 'x'.repeat(4_194_304) } });
    // The server may cut the connection of HTTP/1.1: nobody else is to be on it.
    const alone = way === 'gRPC' ? {} : { nodeOptions: { agent: new Agent() } };
    const packed = clientBy(way, IssuerService, bearer(world.identity), { sendCompression: compressionGzip, ...alone });
    await expect(packed.issueToken(beyond)).rejects.toMatchObject({ code: Code.ResourceExhausted });
    if (way !== 'gRPC') return;
    await expect(within.issueToken(beyond)).rejects.toMatchObject({ code: Code.ResourceExhausted });
  });

  test("the caller's trace goes on in the access log", async () => {
    const traceId = `${unique('').slice(1)}${'0'.repeat(32)}`.slice(0, 32);
    const headers = { ...bearer(world.identity), traceparent: `00-${traceId}-00f067aa0ba902b7-01` };
    await clientBy(way, IssuerService, headers).issueToken(world.request());
    const line = await vi.waitUntil(async () => (await logLines('issuer')).find((one) => one.traceId === traceId), {
      timeout: 5_000,
    });
    expect(line).toMatchObject({
      method: 'touchstone.v1.IssuerService/IssueToken',
      code: 'OK',
      caller: 'identity_service:identity',
      credential: expect.stringMatching(/^tok_/),
    });
  });
});

async function logLines(service: Name): Promise<Record<string, unknown>[]> {
  const file = stack.logFiles.find((one) => one.includes(service)) ?? '';
  const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => line.startsWith('{') && line.endsWith('}'));
  return lines.map((line) => JSON.parse(line));
}

describe('plain HTTP', () => {
  test('does the main job with JSON that anybody can write', async () => {
    const issued = await post('issuer', 'IssuerService/IssueToken', jsonRequest(), bearer(world.identity));
    expect(issued.status).toBe(200);
    const { token, tokenId } = (await issued.json()) as { token: string; tokenId: string };
    const validated = await post(
      'validator',
      'ValidatorService/ValidateToken',
      asked(token),
      bearer(world.resourceServer),
    );
    expect(await validated.json()).toMatchObject({ active: true, tokenId, subject: 'ada', claims: { name: 'Ada' } });
    const revoked = await post('revocation', 'RevocationService/RevokeToken', { tokenId }, bearer(world.operator));
    expect(revoked.status).toBe(200);
    const refused = await post(
      'validator',
      'ValidatorService/ValidateToken',
      asked(token),
      bearer(world.resourceServer),
    );
    expect(await refused.json()).toMatchObject({ reason: 'REFUSAL_REASON_NOT_HONOURED' });
  });

  test('tells errors by status, code and details', async () => {
    const answer = await post(
      'issuer',
      'IssuerService/IssueToken',
      { ...jsonRequest(), scopes: ['orders:everything'] },
      bearer(world.identity),
    );
    expect(answer.status).toBe(403);
    const { code, details } = (await answer.json()) as { code: string; details: { type: string; value: string }[] };
    expect([code, details[0]?.type]).toEqual(['permission_denied', 'google.rpc.ErrorInfo']);
    const info = fromBinary(ErrorInfoSchema, Buffer.from(details[0]?.value ?? '', 'base64'));
    expect(info).toMatchObject({
      domain: 'touchstone',
      reason: 'SCOPE_NOT_ALLOWED',
      metadata: { scope: 'orders:everything' },
    });
  });

  test.each([
    ['no JSON', '{', 400],
    ['another shape', '[]', 400],
    ['a field that there is not', { everything: true }, 200],
    ['a field of another type', { ...({} as object), scopes: 'orders:read' }, 400],
    ['an enum value that there is not', { usage: 'USAGE_EVERYTHING' }, 400],
  ])('a body that is %s is answered as the caller made it', async (_what, body, expected) => {
    const merged = typeof body === 'string' ? body : { ...jsonRequest(), ...(body as object) };
    const answer = await post('issuer', 'IssuerService/IssueToken', merged, bearer(world.identity));
    expect(answer.status).toBe(expected);
    expect(await answer.text()).not.toMatch(/at .*\.ts|node_modules/);
  });

  test.each([
    ['abc', 400],
    ['0', 504],
    ['10000', 200],
  ])('keeps a deadline: connect-timeout-ms %s', async (timeout, expected) => {
    const headers = { ...bearer(world.identity), 'connect-timeout-ms': timeout, 'connect-protocol-version': '1' };
    expect((await post('issuer', 'IssuerService/IssueToken', jsonRequest(), headers)).status).toBe(expected);
  });

  test.each(names)('a path of the %s service that there is not is 404, whatever the method', async (name) => {
    const paths = [
      '/',
      '/favicon.ico',
      '/touchstone.v1.IssuerService',
      '/touchstone.v1.NoService/No',
      '/metrics/',
      '/healthz/../readyz/x',
      '//healthz',
    ];
    for (const path of paths) {
      for (const method of ['GET', 'POST', 'PUT']) {
        const answer = await fetch(`${stack.http[name]}${path}`, { method });
        expect([path, method, answer.status]).toEqual([path, method, 404]);
        expect((await answer.text()).length).toBeLessThan(200);
      }
    }
  });

  test("a service serves no other service's RPCs", async () => {
    expect((await post('validator', 'IssuerService/IssueToken', jsonRequest(), bearer(world.identity))).status).toBe(
      404,
    );
    expect((await post('issuer', 'RevocationService/RevokeToken', {}, bearer(world.operator))).status).toBe(404);
  });

  // What stands in a URL stands in logs, histories and caches, and what GET answers may be kept.
  test.each([
    ['validator', 'ValidatorService/ValidateToken', () => asked('tks_rubbish'), () => world.resourceServer],
    [
      'validator',
      'ValidatorService/BatchValidateTokens',
      () => ({ requests: [asked('tks_rubbish')] }),
      () => world.resourceServer,
    ],
    ['revocation', 'RevocationService/GetRevocation', () => ({ revocationId: 'rvk_0' }), () => world.operator],
    ['issuer', 'IssuerService/IssueToken', () => jsonRequest(), () => world.identity],
  ] as const)('tokens do not travel in URLs: GET on %s %s is refused', async (name, rpc, message, caller) => {
    const query = new URLSearchParams({ connect: 'v1', encoding: 'json', message: JSON.stringify(message()) });
    const answer = await fetch(`${stack.http[name]}/touchstone.v1.${rpc}?${query}`, { headers: bearer(caller()) });
    expect(answer.status).toBe(405);
  });

  // By its head: a client that still sends its body when it is answered may not get to read the answer.
  test.each([
    ['application/json', '', /^HTTP\/1\.1 429 .*"code":"resource_exhausted"/s],
    ['application/proto', '', /^HTTP\/1\.1 429 .*"code":"resource_exhausted"/s],
    ['application/grpc-web+proto', '\0\0\x7f\0\0', /^HTTP\/1\.1 200 .*grpc-status: 8\r\n/s],
  ])('a body of %s that is too large is refused before it is read', async (contentType, start, expected) => {
    const head = [
      'POST /touchstone.v1.IssuerService/IssueToken HTTP/1.1',
      'host: touchstone',
      `content-type: ${contentType}`,
      'content-length: 8323077',
      `authorization: Bearer ${world.identity.credential}`,
    ];
    const answer = await exchange('issuer', `${head.join('\r\n')}\r\n\r\n${start}`, expected);
    expect(answer).toMatch(expected);
  });
});

describe.each(names)('the %s service', (name) => {
  const page = async (path: string) => fetch(`${stack.http[name]}${path}`);

  test('says that it lives and that it is ready', async () => {
    const [alive, ready] = [await page('/healthz'), await page('/readyz')];
    expect([alive.status, await alive.json()]).toEqual([200, { alive: true }]);
    expect([ready.status, await ready.json()]).toEqual([200, { ready: true, reasons: {} }]);
  });

  test('counts its calls by method and outcome, and no label holds an id', async () => {
    const countOf = async (outcome: string) => {
      const text = await (await page('/metrics')).text();
      const method = `touchstone.v1.${servicesOf[name][0]?.name}/${servicesOf[name][0]?.methods[0]?.name}`;
      const line = text
        .split('\n')
        .find(
          (one) =>
            one.startsWith('touchstone_call_seconds_count') &&
            one.includes(`"${method}"`) &&
            one.includes(`"${outcome}"`),
        );
      return { text, count: Number(line?.split(' ').at(-1) ?? 0) };
    };
    const before = await countOf('CALLER_UNKNOWN');
    const { name: service, methods } = servicesOf[name][0] as DescService;
    await post(name, `${service}/${methods[0]?.name}`, {});
    const { text, count } = await countOf('CALLER_UNKNOWN');
    // Others call as well.
    expect(count).toBeGreaterThan(before.count);
    const labels = [...text.matchAll(/^touchstone_[a-z_]+\{([^}]*)\}/gm)].flatMap(([, inside = '']) =>
      [...inside.matchAll(/(\w+)="/g)].map(([, label]) => label),
    );
    expect(new Set(labels).difference(new Set(['service', 'method', 'outcome', 'le']))).toEqual(new Set());
    for (const id of [world.tenantId, world.appId, world.audience, 'tok_', 'tks_', 'ada'])
      expect(text).not.toContain(id);
  });

  test('serves the standard health service, as a whole and for each of its services', async () => {
    using client = openRawClient(stack[name]);
    const serving = Buffer.from([0x08, 1]);
    const serviceUnknown = Buffer.from([0x08, 3]);
    for (const service of ['', ...servicesOf[name].map(({ typeName }) => typeName)]) {
      const request = service ? textField(1, service) : Buffer.alloc(0);
      expect(await client.unary('/grpc.health.v1.Health/Check', request)).toEqual(serving);
      expect(await client.first('/grpc.health.v1.Health/Watch', request)).toEqual(serving);
    }
    const unknown = textField(1, 'touchstone.v1.NoService');
    await expect(client.unary('/grpc.health.v1.Health/Check', unknown)).rejects.toMatchObject({
      code: status.NOT_FOUND,
    });
    expect(await client.first('/grpc.health.v1.Health/Watch', unknown)).toEqual(serviceUnknown);
  });

  test.each(['v1', 'v1alpha'])('serves reflection (%s) for its services', async (version) => {
    using client = openRawClient(stack[name]);
    const answer = await client.first(
      `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
      textField(7, '*'),
    );
    for (const { typeName } of servicesOf[name]) expect(answer.toString('latin1')).toContain(typeName);
  });

  test('answers UNIMPLEMENTED for what it does not serve', async () => {
    using client = openRawClient(stack[name]);
    const call = client.unary('/touchstone.v1.NoService/No', Buffer.alloc(0), bearer(world.operator));
    await expect(call).rejects.toMatchObject({ code: status.UNIMPLEMENTED });
  });
});

describe('bytes that are no message', () => {
  const nested = () => {
    const claims = { name: JSON.parse('['.repeat(200) + ']'.repeat(200)) };
    return toBinary(IssueTokenRequestSchema, create(IssueTokenRequestSchema, { claims }));
  };
  const kinds: readonly (readonly [string, () => Uint8Array])[] = [
    [
      'cut short',
      () => toBinary(IssueTokenRequestSchema, create(IssueTokenRequestSchema, { tenantId: 'acme' })).slice(0, -1),
    ],
    ['noise', () => Buffer.from('ffffffffffffffffffffff', 'hex')],
    ['text that is no UTF-8', () => Buffer.from([0x0a, 2, 0xc3, 0x28])],
    ['a claim without a value', () => Buffer.from([0x4a, 7, 0x0a, 5, 0x0a, 1, 0x61, 0x12, 0])],
    ['nested deeper than anybody reads', nested],
  ];
  const path = 'touchstone.v1.IssuerService/IssueToken';

  test.each(kinds)('%s: are the fault of the caller over gRPC', async (_what, bytes) => {
    using client = openRawClient(stack.issuer);
    const call = client.unary(`/${path}`, Buffer.from(bytes()), bearer(world.identity));
    await expect(call).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
  });

  test.each(kinds)('%s: are the fault of the caller over HTTP', async (_what, bytes) => {
    const headers = { 'content-type': 'application/proto', ...bearer(world.identity) };
    const body = new Uint8Array(bytes());
    const answer = await fetch(`${stack.http.issuer}/${path}`, { method: 'POST', headers, body });
    expect([answer.status, await answer.json()]).toMatchObject([400, { code: 'invalid_argument' }]);
  });

  test.each(kinds)('%s: are the fault of the caller over gRPC-Web', async (_what, bytes) => {
    const headers = { 'content-type': 'application/grpc-web+proto', ...bearer(world.identity) };
    const message = Buffer.from(bytes());
    const length = Buffer.alloc(5);
    length.writeUInt32BE(message.length, 1);
    const body = new Uint8Array(Buffer.concat([length, message]));
    const answer = await fetch(`${stack.http.issuer}/${path}`, { method: 'POST', headers, body });
    expect(await answer.text()).toMatch(/grpc-status: 3\r\n/);
  });

  test.each(kinds)('%s: are not looked at where nobody knows who sent them', async (_what, bytes) => {
    using client = openRawClient(stack.issuer);
    const unknown = { code: status.UNAUTHENTICATED };
    await expect(client.unary(`/${path}`, Buffer.from(bytes()))).rejects.toMatchObject(unknown);
    const headers = { 'content-type': 'application/proto' };
    const body = new Uint8Array(bytes());
    const answer = await fetch(`${stack.http.issuer}/${path}`, { method: 'POST', headers, body });
    expect(answer.status).toBe(401);
  });
});

test.each(names)('the %s service survives a request without Host', async (name) => {
  const service = servicesOf[name][0] as DescService;
  const path = `/${service.typeName}/${service.methods[0]?.name}`;
  const refused = /^HTTP\/1\.1 401/;
  const answer = await exchange(name, `POST ${path} HTTP/1.0\r\ncontent-type: application/json\r\n\r\n`, refused);
  expect(answer).toMatch(refused);
  expect((await fetch(`${stack.http[name]}/readyz`)).status).toBe(200);
});

test.each(httpWays)('a caller over %s that goes away before it is answered does no harm', async (way) => {
  const gone = new AbortController();
  const issuer = clientBy(way, IssuerService, bearer(world.identity));
  const call = issuer.issueToken(world.request(), { signal: gone.signal });
  gone.abort();
  await expect(call.catch((error) => ConnectError.from(error).code)).resolves.toBe(Code.Canceled);
  await expect(issuer.issueToken(world.request())).resolves.toBeDefined();
});
