import { connect } from 'node:tls';
import { type Client, createClient } from '@connectrpc/connect';
import { createConnectTransport, createGrpcWebTransport } from '@connectrpc/connect-node';
import { type ClientOptions, clientOf } from '@touchstone/client';
import { ValidatorService } from '@touchstone/contracts';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import type { SharedStack } from '../harness/shared-stack.ts';
import { type Clients, openWorld, type World } from '../harness/world.ts';
import { type Authority, type Certificate, openAuthority } from './support-certificates.ts';
import {
  type ClientKind,
  clientKinds,
  clientsSending,
  identify,
  nameOf,
  openClientKey,
  rights,
} from './support-clients.ts';
import { startAnother } from './support-issuer.ts';
import { outcomeOf } from './support-outcome.ts';

const plain = inject('stack');
const kinds = Object.keys(clientKinds) as ClientKind[];
const denied = 'PermissionDenied CALLER_NOT_ALLOWED';
const stranger = 'Unauthenticated CALLER_UNKNOWN';
const spiffeId = 'spiffe://acme.example/orders';

const cleanup = new AsyncDisposableStack();
/** The services on the same database, speaking TLS. */
let stack: SharedStack;
let servers: Authority;
let authority: Authority;
let certificate: Certificate;
let svid: Certificate;
let own: World;
let foreign: World;

beforeAll(async () => {
  servers = cleanup.use(openAuthority('servers'));
  authority = cleanup.use(openAuthority('clients'));
  const server = servers.issue('touchstone', ['IP:127.0.0.1']);
  const tls = {
    ca: servers.pem,
    environment: {
      TLS_CERTIFICATE_FILE: server.file,
      TLS_KEY_FILE: server.keyFile,
      TLS_CLIENT_CA_FILE: authority.file,
    },
  };
  stack = plain;
  for (const name of ['issuer', 'validator', 'revocation'] as const) {
    stack = cleanup.use(await startAnother(name, stack, tls));
  }
  certificate = authority.issue('orders');
  svid = authority.issue('orders', [`URI:${spiffeId}`]);
  [own, foreign] = await Promise.all([openWorld(plain), openWorld(plain)]);
  for (const kind of kinds)
    await identify(own, kind, [byCertificate(certificate), { case: 'spiffeId', value: spiffeId }]);
});
afterAll(() => cleanup.disposeAsync());

const byCertificate = ({ sha256 }: Certificate) => ({ case: 'certificateSha256', value: sha256 }) as const;
/** The services, for a caller that names itself so, and shows this certificate. */
const showing = (shown: Certificate | null, client: string | null): Clients =>
  clientsSending(stack, async () => (client === null ? {} : { 'touchstone-client': client }), {
    ca: servers.pem,
    certificate: shown,
  });
const asked = ({ audience }: World) => ({ token: 'tks_rubbish', audience, requiredScopes: ['orders:read'] });
const validate = ({ validator }: Pick<Clients, 'validator'>, world: World = own) =>
  validator.validateToken(asked(world));
const api = () => nameOf('resource_server', own);

describe.each(kinds)('a client of the kind %s', (kind) => {
  describe.each([
    ['its certificate', () => certificate],
    ['a certificate with its SPIFFE id', () => svid],
  ])('by %s', (_way, shown) => {
    test.each(rights)(
      'may do what its scopes say, in its own tenant, and nothing else: %s',
      async (_, call, allowed) => {
        const outcome = await outcomeOf(call(showing(shown(), nameOf(kind, own)), own, foreign));
        expect(outcome).toBe(allowed.includes(kind) ? 'ok' : denied);
      },
    );

    test("is not known by the name of another tenant's client", async () => {
      expect(await outcomeOf(validate(showing(shown(), nameOf(kind, foreign))))).toBe(stranger);
    });
  });
});

test.each<[string, () => Certificate | null, () => string | null]>([
  ['a certificate that is not registered', () => authority.issue('orders'), api],
  ['another SPIFFE id', () => authority.issue('orders', [`URI:${spiffeId}/more`]), api],
  [
    'its SPIFFE id and another one',
    () => authority.issue('orders', [`URI:${spiffeId}`, 'URI:spiffe://acme.example/x']),
    api,
  ],
  ['its SPIFFE id as a name of another kind', () => authority.issue('orders', [`DNS:${spiffeId}`]), api],
  [
    'its SPIFFE id inside another name',
    () => authority.issue('orders', [`DNS:x.example.com, URI:${spiffeId}, DNS:y.example.com`]),
    api,
  ],
  ['a name, and no certificate', () => null, api],
  ['a certificate, and no name', () => certificate, () => null],
  ['a certificate, and a name that is none', () => certificate, () => 'orders'],
  ['neither', () => null, () => null],
])('%s shows nobody', async (_, shown, client) => {
  expect(await outcomeOf(validate(showing(shown(), client())))).toBe(stranger);
});

test('a certificate of another CA shows nobody, with the SPIFFE id or the name of one that is registered, or registered itself', async () => {
  using others = openAuthority('clients');
  const other = others.issue('orders', [`URI:${spiffeId}`]);
  expect(await outcomeOf(validate(showing(other, api())))).toBe(stranger);
  const world = await openWorld(plain);
  await identify(world, 'resource_server', [byCertificate(other)]);
  expect(await outcomeOf(validate(showing(other, nameOf('resource_server', world)), world))).toBe(stranger);
});

test('a certificate that has expired shows nobody', async () => {
  const world = await openWorld(plain);
  const old = authority.issue('orders', [], -1);
  await identify(world, 'resource_server', [byCertificate(old)]);
  expect(await outcomeOf(validate(showing(old, nameOf('resource_server', world)), world))).toBe(stranger);
});

test("with a certificate of one's own, and one authority trusted, the client is known by its name", async () => {
  const tls = { ca: servers.pem, cert: certificate.pem, key: certificate.key };
  const clientOver = (url: string, options: ClientOptions) => ({
    validator: clientOf(ValidatorService, url, { client: api() }, options),
  });
  const url = `https://${stack.validator}`;
  expect(await outcomeOf(validate(clientOver(url, { tls })))).toBe('ok');
  expect(await outcomeOf(validate(clientOver(url, { tls: { ca: servers.pem } })))).toBe(stranger);
  await expect(validate(clientOver(url, {}))).rejects.toThrow('certificate');
});

test('over plain text a name shows nobody', async () => {
  expect(await outcomeOf(validate(clientsSending(plain, async () => ({ 'touchstone-client': api() }))))).toBe(stranger);
});

test('over TLS credentials and assertions are good without a certificate, and count before one', async () => {
  const key = await openClientKey('k1');
  const world = await openWorld(plain);
  await identify(world, 'resource_server', [{ case: 'jwk', value: key.jwk }]);
  const client = nameOf('resource_server', world);
  const tls = { ca: servers.pem, certificate: null };
  const asserting = clientsSending(
    stack,
    async () => ({ authorization: `Bearer ${await key.assertion(client)}` }),
    tls,
  );
  expect(await outcomeOf(validate(asserting, world))).toBe('ok');
  const { credential } = own.resourceServer;
  const withBoth = (authorization: string) =>
    clientsSending(stack, async () => ({ authorization, 'touchstone-client': api() }), { ...tls, certificate });
  expect(await outcomeOf(validate(withBoth(`Bearer ${credential}`)))).toBe('ok');
  expect(await outcomeOf(validate(withBoth('Bearer tks_rubbish')))).toBe(stranger);
});

test.each<[string, (options: object) => ReturnType<typeof createConnectTransport>]>([
  [
    'Connect JSON',
    (options) =>
      createConnectTransport({ ...options, baseUrl: stack.http.validator, httpVersion: '1.1', useBinaryFormat: false }),
  ],
  ['gRPC-Web', (options) => createGrpcWebTransport({ ...options, baseUrl: stack.http.validator, httpVersion: '1.1' })],
])('the HTTP port takes certificates as the gRPC port does: %s', async (_, transportOf) => {
  const at = (shown: Certificate | null): { validator: Client<typeof ValidatorService> } => {
    const nodeOptions = { ca: servers.pem, ...(shown ? { cert: shown.pem, key: shown.key } : {}) };
    const interceptors = [
      (next: (request: never) => Promise<never>) => (request: { header: Headers }) => {
        request.header.set('touchstone-client', api());
        return next(request as never);
      },
    ];
    return { validator: createClient(ValidatorService, transportOf({ interceptors, nodeOptions })) };
  };
  expect(await outcomeOf(validate(at(certificate)))).toBe('ok');
  expect(await outcomeOf(validate(at(svid)))).toBe('ok');
  expect(await outcomeOf(validate(at(null)))).toBe(stranger);
  expect(await outcomeOf(validate(at(authority.issue('other'))))).toBe(stranger);
});

test('a session that is taken up again is by the certificate that it began with, and without one by nobody', async () => {
  const headers = `touchstone-client: ${api()}\r\ncontent-type: application/json\r\nconnection: close\r\n`;
  const body = JSON.stringify(asked(own));
  const path = '/touchstone.v1.ValidatorService/ValidateToken';
  const request = `POST ${path} HTTP/1.1\r\nhost: x\r\n${headers}content-length: ${body.length}\r\n\r\n${body}`;
  const post = (shown: Certificate | null, session?: Buffer) =>
    new Promise<{ status: string; session: Buffer; resumed: boolean }>((resolve, reject) => {
      const [port, ca] = [Number(stack.http.validator.split(':').at(-1)), servers.pem];
      let [answer, next, resumed] = ['', Buffer.alloc(0), false];
      const socket = connect(
        {
          host: '127.0.0.1',
          port,
          ca,
          ...(session ? { session } : {}),
          ...(shown ? { cert: shown.pem, key: shown.key } : {}),
        },
        () => {
          resumed = socket.isSessionReused();
          socket.write(request);
        },
      );
      socket.on('session', (bytes) => {
        next = bytes;
      });
      socket.on('data', (bytes) => {
        answer += bytes;
      });
      socket.on('error', reject);
      socket.on('close', () => resolve({ status: answer.slice(9, 12), session: next, resumed }));
    });
  const first = await post(certificate);
  expect(first).toMatchObject({ status: '200', resumed: false });
  expect(await post(null, first.session)).toMatchObject({ status: '200', resumed: true });
  const nobody = await post(null);
  expect(nobody).toMatchObject({ status: '401', resumed: false });
  expect(await post(null, nobody.session)).toMatchObject({ status: '401', resumed: true });
  const unknown = await post(authority.issue('other'));
  expect(await post(certificate, unknown.session)).toMatchObject({ status: '401', resumed: true });
  using others = openAuthority('clients');
  const other = await post(others.issue('orders', [`URI:${spiffeId}`]));
  expect(await post(certificate, other.session)).toMatchObject({ status: '401', resumed: true });
});

test('neither port speaks plain text any more', async () => {
  const [host, port] = stack.validator.split(':') as [string, string];
  await expect(validate(clientsSending(stack, async () => ({})))).rejects.toThrow();
  const socket = connect({ host, port: Number(port), ca: servers.pem, ALPNProtocols: ['h2'] });
  await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
  expect([socket.alpnProtocol, socket.authorized]).toEqual(['h2', true]);
  socket.destroy();
  await expect(fetch(`${stack.http.validator.replace('https', 'http')}/healthz`)).rejects.toThrow();
});

test('certificates are exchanged without a gap, and one that was removed is refused within a second, alone', async () => {
  const world = await openWorld(plain);
  const client = nameOf('resource_server', world);
  const [first, next] = [authority.issue('first'), authority.issue('next')];
  await identify(world, 'resource_server', [byCertificate(first)]);
  const [before, after] = [showing(first, client), showing(next, client)];
  expect(await outcomeOf(validate(before, world))).toBe('ok');
  await identify(world, 'resource_server', [byCertificate(first), byCertificate(next)]);
  await vi.waitUntil(async () => (await outcomeOf(validate(after, world))) === 'ok', { timeout: 2_000 });
  expect(await outcomeOf(validate(before, world))).toBe('ok');
  await identify(world, 'resource_server', [byCertificate(next)]);
  const removedAt = performance.now();
  while (performance.now() < removedAt + 1_050) expect(await outcomeOf(validate(after, world))).toBe('ok');
  // On the connection that it has had all the while.
  expect(await outcomeOf(validate(before, world))).toBe(stranger);
});
