import { once } from 'node:events';
import { Agent, createServer as createHttpServer, request } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect, createServer } from 'node:net';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { expect, test, vi } from 'vitest';
import { listenHttp } from '../http/edge.ts';
import { credential, startTestService, validateToken } from '../test-service.ts';
import { CannotListen } from './cannot-listen.ts';

const asIs = (bytes: Buffer): Buffer => bytes;
const grpcClient = (port: number) => {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  return Object.assign(client, { [Symbol.dispose]: () => client.close() });
};

test('streams, idle connections and silent ones do not delay the stop', async () => {
  const service = await startTestService();
  using client = grpcClient(service.grpcPort);
  const watched: number[] = [];
  const watch = client.makeServerStreamRequest('/grpc.health.v1.Health/Watch', asIs, asIs, Buffer.alloc(0));
  watch.on('data', (answer: Buffer) => watched.push(answer[1] ?? 0));
  const ended = new Promise((resolve) => watch.on('end', resolve));
  const reflection = client.makeBidiStreamRequest(
    '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
    asIs,
    asIs,
    new Metadata(),
  );
  reflection.on('error', () => {});
  reflection.resume();
  reflection.write(Buffer.from([0x3a, 1, 0x2a]));
  await fetch(`${service.http}/healthz`);
  const silent = [service.grpcPort, service.httpPort].map((port) => connect(port, '127.0.0.1').on('error', () => {}));
  await vi.waitUntil(() => watched.length > 0 && silent.every(({ pending }) => !pending), 10_000);

  const started = performance.now();
  await service.stop(0);
  expect(performance.now() - started).toBeLessThan(5_000);
  await ended;
  expect(watched).toEqual([1, 2]);
});

test('calls in flight are answered, on connections that would be kept, before the servers end', async () => {
  let answer = (_response: object) => {};
  const service = await startTestService(
    () =>
      new Promise((resolve) => {
        const before = answer;
        answer = (response) => {
          before(response);
          resolve(response);
        };
      }),
  );
  using client = grpcClient(service.grpcPort);
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${credential}`);
  const message = Buffer.from('0a057473735f78120661756469656e1a0472656164', 'hex');
  const overGrpc = new Promise((resolve) =>
    client.makeUnaryRequest(validateToken, asIs, asIs, message, metadata, (error) => resolve(error ?? 'answered')),
  );
  const overHttp = new Promise((resolve) => {
    const sent = request(service.http + validateToken, {
      method: 'POST',
      agent: new Agent({ keepAlive: true }),
      headers: { 'content-type': 'application/json', authorization: `Bearer ${credential}` },
    });
    sent.on('response', (response) => {
      response.resume();
      response.on('end', () => resolve([response.statusCode, response.headers.connection]));
    });
    sent.on('error', resolve);
    sent.end('{"token":"tks_x","audience":"orders","requiredScopes":["read"]}');
  });
  await vi.waitUntil(() => service.handled() === 2, 10_000);
  const stopped = service.stop(0);
  expect(service.readiness.isReady).toBe(false);
  const started = performance.now();
  setTimeout(() => answer({}), 100);
  expect(await Promise.all([overGrpc, overHttp])).toEqual(['answered', [200, 'close']]);
  await stopped;
  expect(performance.now() - started).toBeLessThan(5_000);
});

test('a call whose message is on its way is waited for, and its connection is ended when its time is up', async () => {
  const service = await startTestService(() => new Promise(() => {}), { STOP_MILLISECONDS: '3000' });
  const session = connectHttp2(`http://127.0.0.1:${service.grpcPort}`);
  const ended = new Promise((resolve) => session.on('close', () => resolve('ended')));
  session.on('error', () => {});
  const call = session.request({
    ':method': 'POST',
    ':path': validateToken,
    'content-type': 'application/grpc',
    te: 'trailers',
    authorization: `Bearer ${credential}`,
  });
  call.on('error', () => {});
  const message = Buffer.from('00000000150a057473735f78120661756469656e1a0472656164', 'hex');
  call.write(message.subarray(0, 9));
  // The server takes frames in their order: it has the headers by the answer. A session that is not connected sends no ping.
  if (session.connecting) await once(session, 'connect');
  await new Promise<void>((resolve) => session.ping(() => resolve()));
  const stopped = service.stop(0);
  await new Promise((resolve) => setTimeout(resolve, 600));
  call.end(message.subarray(9));
  await vi.waitUntil(() => service.handled() === 1, 10_000);
  await stopped;
  expect(await ended).toBe('ended');
});

test('calls that do not end are cut when their time is up', async () => {
  const service = await startTestService(() => new Promise(() => {}), { STOP_MILLISECONDS: '200' });
  const call = fetch(service.http + validateToken, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${credential}` },
    body: '{"token":"tks_x","audience":"orders","requiredScopes":["read"]}',
  }).catch(() => 'cut');
  await vi.waitUntil(() => service.handled() === 1, 10_000);
  const started = performance.now();
  await service.stop(0);
  expect(await call).toBe('cut');
  expect(performance.now() - started).toBeLessThan(5_000);
});

test.each(['GRPC', 'HTTP'] as const)('where the %s port is taken, neither server listens', async (kind) => {
  const other = createServer();
  const taken = await new Promise<number>((resolve) =>
    other.listen(0, '127.0.0.1', () => resolve((other.address() as { port: number }).port)),
  );
  const probe = createServer();
  const free = await new Promise<number>((resolve) =>
    probe.listen(0, '127.0.0.1', () => resolve((probe.address() as { port: number }).port)),
  );
  await new Promise((resolve) => probe.close(resolve));
  const name = `VALIDATOR_${kind}_PORT`;
  const ports = { VALIDATOR_GRPC_PORT: String(free), VALIDATOR_HTTP_PORT: String(free), [name]: String(taken) };
  const start = startTestService(undefined, ports);
  await expect(start).rejects.toBeInstanceOf(CannotListen);
  await expect(start).rejects.toThrow(new RegExp(`^port ${taken} .*${name}`));
  await vi.waitUntil(
    () =>
      new Promise<boolean>((resolve) => {
        const socket = connect(free, '127.0.0.1', () => socket.destroy());
        socket.on('error', () => resolve(true));
        socket.on('close', () => resolve(false));
      }),
    10_000,
  );
  other.close();
});

test.each([
  ['is no address of this machine', '192.0.2.1', 'EADDRNOTAVAIL'],
  ['does not resolve', 'http://127.0.0.1', 'the name does not resolve'],
])('a HOST that %s is told as that, and not as a port that is taken', async (_, HOST, why) => {
  const start = startTestService(undefined, { HOST });
  await expect(start).rejects.toBeInstanceOf(CannotListen);
  await expect(start).rejects.toThrow(`port 0 of ${HOST} cannot be listened on (${why}): HOST must be`);
});

test('what keeps the HTTP server from listening is told in the same words', async () => {
  const listener = { host: '192.0.2.1', port: 0, portSetting: 'VALIDATOR_HTTP_PORT' };
  await expect(listenHttp(createHttpServer(), listener)).rejects.toThrow('(EADDRNOTAVAIL): HOST must be');
});
