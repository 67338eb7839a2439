import { once } from 'node:events';
import { type ClientHttp2Stream, connect, constants } from 'node:http2';
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gzip, gzipSync } from 'node:zlib';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { ValidateTokenRequestSchema } from '@touchstone/contracts';
import { ErrorInfoSchema, StatusSchema } from '@touchstone/contracts/google-rpc';
import { afterAll, expect, test, vi } from 'vitest';
import { credential, exchange, startTestService, validateToken } from '../test-service.ts';

const { BaseServerInterceptingCall } = createRequire(import.meta.url)('@grpc/grpc-js/build/src/server-interceptors.js');

const limit = 65_536;
const service = await startTestService(undefined, { MESSAGE_BYTES_MAX: String(limit) });
const target = `127.0.0.1:${service.grpcPort}`;
const client = new Client(target, credentials.createInsecure());
afterAll(async () => {
  client.close();
  await service[Symbol.asyncDispose]();
});

const authorization = `Bearer ${credential}`;
const good = Buffer.from(
  toBinary(
    ValidateTokenRequestSchema,
    create(ValidateTokenRequestSchema, { token: 'tks_x', audience: 'orders', requiredScopes: ['read'] }),
  ),
);

function call(
  bytes: Buffer,
  headers: Record<string, string> = { authorization },
  { path = validateToken, by = client, deadline = Number.POSITIVE_INFINITY } = {},
): Promise<string> {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  return new Promise((resolve) => {
    const asIs = (one: Buffer) => one;
    by.makeUnaryRequest(path, asIs, asIs, bytes, metadata, { deadline }, (error: ServiceError | null) =>
      resolve(error ? `${status[error.code]} ${reasonOf(error)}`.trim() : 'OK'),
    );
  });
}

function reasonOf({ metadata }: ServiceError): string {
  const [details] = metadata.get('grpc-status-details-bin');
  const any = details && fromBinary(StatusSchema, details as Buffer).details[0];
  return any ? fromBinary(ErrorInfoSchema, any.value).reason : '';
}

const connectedClient = () => {
  const one = new Client(target, credentials.createInsecure());
  return Object.assign(one, { [Symbol.dispose]: () => one.close() });
};

/** A call whose sender never says that it has sent all: the headers that it is answered with, once its stream has closed. */
const unended = (headers: Record<string, string>, bytes: Buffer): Promise<object> => raw(headers, bytes, 'never ended');

/** A call as only HTTP/2 can make it: its headers, and the trailers or the fault that it ended with. @param bytes what comes at a time. */
function raw(
  headers: Record<string, string>,
  bytes: Buffer | readonly Buffer[] = frame(good),
  end: 'ended' | 'never ended' | number = 'ended',
): Promise<object> {
  return new Promise((resolve) => {
    const session = connect(`http://${target}`);
    const stop = (answer: object) => {
      session.destroy();
      resolve(answer);
    };
    session.on('error', (error) => stop({ error: error.message }));
    const stream = session.request({
      ':method': 'POST',
      ':path': validateToken,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    });
    let told = {};
    stream.on('response', (answer) => {
      told = { ...answer };
    });
    stream.on('trailers', (trailers) => {
      told = { ...told, ...trailers };
    });
    stream.on('error', (error) => stop({ error: error.message }));
    stream.on('close', () => stop(told));
    stream.resume();
    const pieces = [bytes].flat();
    const last = pieces.pop() as Buffer;
    void sendOneByOne(stream, pieces).then(() => {
      if (end === 'ended') stream.end(last);
      else if (end === 'never ended') stream.write(last);
      else stream.write(last, () => stream.close(end));
    });
  });
}

/** What is written before the last has gone goes with it, in one frame. */
async function sendOneByOne(stream: ClientHttp2Stream, pieces: readonly Buffer[]): Promise<void> {
  for (const piece of pieces) {
    await new Promise((resolve) => stream.write(piece, resolve));
    await sleep(5);
  }
}

const packed = (bytes: number): Buffer => frame(gzipSync(Buffer.alloc(bytes)), 1);

function frame(message: Buffer, isPacked = 0): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(isPacked, 0);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

test('bytes that are no message are looked at only when it is known who sent them', async () => {
  const rubbish = Buffer.from('ffffffffff', 'hex');
  expect(await call(good)).toBe('OK');
  expect(await call(rubbish, {})).toBe('UNAUTHENTICATED CALLER_UNKNOWN');
  expect(await call(rubbish, { authorization: 'Bearer tks_other' })).toBe('UNAUTHENTICATED CALLER_UNKNOWN');
  expect(await call(rubbish)).toBe('INVALID_ARGUMENT INVALID_FIELD');
});

test('who may not call is told so before anything of a message is read, though more is to come', async () => {
  const bomb = await promisify(gzip)(Buffer.alloc(limit - 1));
  const refused = { 'grpc-status': String(status.UNAUTHENTICATED) };
  for (const path of [validateToken, '/touchstone.v1.ValidatorService/BatchValidateTokens']) {
    expect(await unended({ ':path': path, 'grpc-encoding': 'gzip' }, frame(bomb, 1))).toMatchObject(refused);
    expect(await unended({ ':path': path, authorization: 'Bearer tks_other' }, Buffer.alloc(0))).toMatchObject(refused);
  }
  expect(await call(good)).toBe('OK');
});

test('no credential gets to standard error, however ill-formed the metadata is', async () => {
  const written = vi.spyOn(console, 'error').mockImplementation(() => {});
  try {
    const answer = await raw({ authorization: 'Bearer tks_hunter2\u00e9' });
    expect(answer).toMatchObject({ 'grpc-status': String(status.UNAUTHENTICATED) });
    expect(await raw({ 'tks_hunter2~': 'tks_hunter2', authorization })).toMatchObject({ 'grpc-status': '0' });
    expect(written.mock.calls).toEqual([]);
  } finally {
    written.mockRestore();
  }
});

test('a message is the same in however many pieces it comes', async () => {
  const [whole, answered] = [frame(good), { ':status': 200, 'grpc-status': '0' }];
  using puttingTogether = vi.spyOn(BaseServerInterceptingCall.prototype, 'handleDataFrame');
  expect(await raw({ authorization })).toMatchObject(answered);
  expect(puttingTogether).not.toHaveBeenCalled();
  for (const at of [1, 4, 5, 6, whole.length - 1]) {
    expect(await raw({ authorization }, [whole.subarray(0, at), whole.subarray(at)]), `${at}`).toMatchObject(answered);
  }
  expect(puttingTogether).toHaveBeenCalledTimes(2 * 5);
  const bytes = Array.from(whole, (byte) => Buffer.of(byte));
  expect(await raw({ authorization }, bytes)).toMatchObject(answered);
  expect(puttingTogether).toHaveBeenCalledTimes(2 * 5 + whole.length);
  const twice = { 'grpc-status': String(status.UNIMPLEMENTED) };
  expect(await raw({ authorization }, [whole, whole])).toMatchObject(twice);
  expect(await raw({ authorization }, [whole, whole.subarray(0, 9), whole.subarray(9)])).toMatchObject(twice);
  expect(await raw({ authorization }, [whole.subarray(0, 9), Buffer.concat([whole.subarray(9), whole])])).toMatchObject(
    twice,
  );
  expect(await raw({ authorization }, Buffer.alloc(0))).toMatchObject(twice);
  // Of its fields none is there.
  expect(await raw({ authorization }, Buffer.alloc(5))).toMatchObject({
    'grpc-status': String(status.INVALID_ARGUMENT),
  });
});

test('a message is limited in size, also where it is small until it is unpacked', async () => {
  expect(await call(Buffer.alloc(limit + 1))).toBe('RESOURCE_EXHAUSTED');
  const bomb = await promisify(gzip)(Buffer.alloc(50_000_000));
  expect(bomb.length).toBeLessThan(limit);
  const packed = { 'grpc-encoding': 'gzip', authorization };
  expect(await raw(packed, frame(bomb, 1))).toMatchObject({ 'grpc-status': String(status.RESOURCE_EXHAUSTED) });
  expect(await raw(packed, frame(good, 1))).toMatchObject({ 'grpc-status': String(status.INTERNAL) });
  expect(await raw({ 'grpc-encoding': 'x', authorization }, frame(good, 1))).toMatchObject({
    'grpc-status': String(status.UNIMPLEMENTED),
  });
});

test.each<[string, () => Promise<unknown>]>([
  ['a name that there is not', () => call(good, {}, { path: '/made.up.Service/hunter2' })],
  ['a long name', () => raw({ ':path': `/hunter2${'x'.repeat(50_000)}` })],
  ['a name beyond ASCII', () => raw({ ':path': '/hunter2\u00e9"\\' })],
  ['a name with an encoded line end', () => raw({ ':path': '/hunter2%0a%0d' })],
  ['another method of HTTP', () => raw({ ':method': 'hunter2' })],
  ['another content type', () => raw({ 'content-type': 'hunter2' })],
  ['a timeout that is none', () => raw({ 'grpc-timeout': 'hunter2', authorization })],
  ['no message', () => raw({ authorization }, Buffer.alloc(0))],
  ['half a message', () => raw({ authorization }, frame(good).subarray(0, 9))],
  ['two messages', () => raw({ authorization }, Buffer.concat([frame(good), frame(good)]))],
  ['a reset', () => raw({ authorization }, frame(good), constants.NGHTTP2_INTERNAL_ERROR)],
  ['large headers', () => raw({ authorization, x: 'x'.repeat(60_000) })],
  ['HTTP/1.1', () => exchange(service.grpcPort, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')],
  ['rubbish', () => exchange(service.grpcPort, Buffer.alloc(1_000, 0xff))],
  [
    'rubbish after the preface',
    () =>
      exchange(service.grpcPort, Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), Buffer.alloc(99, 7)])),
  ],
])('%s does no harm, and makes no label', async (_what, attack) => {
  await attack();
  expect(await call(good)).toBe('OK');
  expect(await service.metrics.text()).not.toContain('hunter2');
  expect(service.lines.join('')).not.toContain('hunter2');
});

test('a call that is late, or whose caller has gone, is no fault', async () => {
  await using slow = await startTestService(() => new Promise(() => {}));
  using by = Object.assign(new Client(`127.0.0.1:${slow.grpcPort}`, credentials.createInsecure()), {
    [Symbol.dispose]: () => by.close(),
  });
  // One that its caller gives up before it has come is not heard of.
  await vi.waitUntil(async () => {
    expect(await call(good, { authorization }, { by, deadline: Date.now() + 100 })).toMatch(/^DEADLINE_EXCEEDED/);
    return slow.lines.length > 0;
  }, 10_000);
  const gone = by.makeUnaryRequest(
    validateToken,
    (one: Buffer) => one,
    (one) => one,
    good,
    Object.assign(new Metadata()),
    () => {},
  );
  gone.cancel();
  const line = JSON.parse(slow.lines[0] ?? '');
  expect(line).toMatchObject({ level: 30 });
  expect(['DEADLINE_EXCEEDED', 'CANCELLED']).toContain(line.code);
});

test('a call that ends before it is let in is told of; one that does not is waited for by who stops', async () => {
  const { promise: known, resolve: know } = Promise.withResolvers<void>();
  let asked = 0;
  await using slow = await startTestService(undefined, {}, () => {
    asked++;
    return known;
  });
  using by = Object.assign(new Client(`127.0.0.1:${slow.grpcPort}`, credentials.createInsecure()), {
    [Symbol.dispose]: () => by.close(),
  });
  const metadata = new Metadata();
  metadata.set('authorization', authorization);
  const asIs = (one: Buffer) => one;
  const gone = by.makeUnaryRequest(validateToken, asIs, asIs, good, metadata, () => {});
  await vi.waitUntil(() => asked === 1, 10_000);
  gone.cancel();
  const waiting = call(good, { authorization }, { by });
  await vi.waitUntil(() => asked === 2, 10_000);
  expect(slow.lines).toEqual([]);
  const stopped = slow.stop(0);
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  know();
  expect(await waiting).toBe('OK');
  await stopped;
  expect(slow.lines.map((line) => JSON.parse(line).code).sort()).toEqual(['CANCELLED', 'OK']);
});

test('a call that is let in, and ends before all of its message is there, is told of', async () => {
  const before = service.lines.length;
  const attempts: (readonly [string, () => Promise<unknown>])[] = [
    ['no message', () => raw({ authorization }, Buffer.alloc(0))],
    ['half of one', () => raw({ authorization }, frame(good).subarray(0, 9), constants.NGHTTP2_CANCEL)],
    ['two', () => raw({ authorization }, Buffer.concat([frame(good), frame(good)]))],
    ['one that is too large', () => call(Buffer.alloc(limit + 1))],
    ['one that can not be unpacked', () => raw({ 'grpc-encoding': 'gzip', authorization }, frame(good, 1))],
  ];
  for (const [, attempt] of attempts) await attempt();
  await vi.waitUntil(() => service.lines.length >= before + attempts.length, 10_000);
  const codes = service.lines.slice(before).map((line) => JSON.parse(line).code);
  expect(codes).toEqual(attempts.map(() => 'CANCELLED'));
});

test.each<[string, Record<string, string>]>([
  ['a call', { authorization }],
  ['a call of health', { ':path': '/grpc.health.v1.Health/Check' }],
])('the stream of %s that is late closes, though its sender never ends it', async (_, headers) => {
  const late = { 'grpc-timeout': '100m', 'grpc-encoding': 'gzip', ...headers };
  expect(await unended(late, packed(0))).toMatchObject({ 'grpc-status': String(status.DEADLINE_EXCEEDED) });
});

test('a caller can have some messages kept whose end has not come, and no more; who sends all of them is served', async () => {
  const most = 4 * 1_024 * 1_024;
  await using large = await startTestService(undefined, { MESSAGE_BYTES_MAX: String(most) });
  // A sixteenth of what is kept for a caller, with room for what waits to be unpacked.
  const bomb = packed(most - 65_536);
  const session = connect(`http://127.0.0.1:${large.grpcPort}`);
  const statuses: unknown[] = [];
  for (let i = 0; i < 20; i++) {
    const stream = session.request({
      ':method': 'POST',
      ':path': validateToken,
      'content-type': 'application/grpc',
      te: 'trailers',
      'grpc-encoding': 'gzip',
      authorization,
    });
    stream.on('response', (headers) => statuses.push(headers['grpc-status']));
    stream.on('error', () => {});
    stream.write(bomb);
  }
  await vi.waitUntil(() => statuses.length === 4, 30_000);
  expect(statuses).toEqual(Array(4).fill(String(status.UNAVAILABLE)));
  session.destroy();
  using by = Object.assign(new Client(`127.0.0.1:${large.grpcPort}`, credentials.createInsecure()), {
    [Symbol.dispose]: () => by.close(),
  });
  await vi.waitUntil(() => large.lines.length >= 20, 10_000);
  for (let i = 0; i < 20; i++) expect(await call(Buffer.alloc(most, 0xff), undefined, { by })).toMatch(/INVALID_FIELD/);
});

test('a caller can leave some answers untaken, and no more, and none beyond their deadlines', async () => {
  // A sixteenth of what is kept for a caller.
  await using large = await startTestService(async () => ({ subject: 'x'.repeat(4 * 1_024 * 1_024 - 100) }));
  const session = connect(`http://127.0.0.1:${large.grpcPort}`, { settings: { initialWindowSize: 0 } });
  await once(session, 'connect');
  const ask = (headers: Record<string, string> = {}) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': validateToken,
      'content-type': 'application/grpc',
      te: 'trailers',
      authorization,
      ...headers,
    });
    const closed = new Promise((resolve) => stream.on('close', () => resolve(stream.rstCode)));
    stream.on('error', () => {});
    stream.end(frame(good));
    const told = new Promise((resolve) => stream.on('response', (answer) => resolve(answer['grpc-status'])));
    return { told, closed };
  };
  const late = Array.from({ length: 16 }, () => ask({ 'grpc-timeout': '5S' }));
  expect(await Promise.all(late.map(({ told }) => told))).toEqual(Array(16).fill(undefined));
  expect(await ask().told).toBe(String(status.UNAVAILABLE));
  expect(await Promise.all(late.map(({ closed }) => closed))).toEqual(Array(16).fill(constants.NGHTTP2_CANCEL));
  expect(await ask().told).toBe(undefined);
  session.destroy();
  expect(large.lines.map((line) => JSON.parse(line).code).toSorted()).toEqual([...Array(17).fill('OK'), 'OVERLOADED']);
});

test('a call that ends while its message is unpacked does no harm', async () => {
  const large = frame(await promisify(gzip)(Buffer.alloc(limit - 1)), 1);
  const packed = { 'grpc-encoding': 'gzip', authorization };
  const before = service.lines.length;
  for (let i = 0; i < 20; i++) await raw(packed, large, constants.NGHTTP2_CANCEL);
  expect(await call(good)).toBe('OK');
  await vi.waitUntil(() => service.lines.length === before + 21, 10_000);
});

test.each([
  ['health', '/grpc.health.v1.Health/Check'],
  ['reflection', '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo'],
])('of %s, which anybody may ask, only short messages are taken', async (_, path) => {
  const exhausted = { 'grpc-status': String(status.RESOURCE_EXHAUSTED) };
  const bomb = await promisify(gzip)(Buffer.alloc(limit - 1));
  expect(await unended({ ':path': path, 'grpc-encoding': 'gzip' }, frame(bomb, 1))).toMatchObject(exhausted);
  expect(await unended({ ':path': path }, frame(Buffer.alloc(1_025)))).toMatchObject(exhausted);
});

test('not everybody can ask for reflection at once', async () => {
  const session = connect(`http://${target}`, { settings: { initialWindowSize: 0 } });
  const ask = () => {
    const stream = session.request({
      ':method': 'POST',
      ':path': '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    stream.on('error', () => {});
    stream.write(frame(Buffer.from([0x3a, 0])));
    return new Promise((resolve) => stream.on('response', (headers) => resolve(headers['grpc-status'])));
  };
  const answers = await Promise.all(Array.from({ length: 33 }, ask));
  expect(answers.filter((answer) => answer === String(status.RESOURCE_EXHAUSTED))).toHaveLength(1);
  session.destroy();
  using again = connectedClient();
  await vi.waitUntil(async () => {
    const stream = again.makeBidiStreamRequest(
      '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
      (one: Buffer) => one,
      (one) => one,
      new Metadata(),
    );
    return new Promise((resolve) => {
      stream.on('data', () => resolve(true));
      stream.on('error', () => resolve(false));
      stream.end(Buffer.from([0x3a, 0]));
    });
  }, 10_000);
});

test('a fault is told with the id that the log tells more under, and the log quotes nobody', async () => {
  const quoting = Object.assign(new Error('hunter2\n    at hunter2 (file:///hunter2:1:1)'), {
    code: '23505',
    detail: 'Key (user_id)=(hunter2)',
    cause: new Error('hunter2'),
  });
  await using broken = await startTestService(() => Promise.reject(quoting));
  const by = new Client(`127.0.0.1:${broken.grpcPort}`, credentials.createInsecure());
  const metadata = new Metadata();
  metadata.set('authorization', authorization);
  const asIs = (one: Buffer) => one;
  const error = await new Promise<ServiceError | null>((resolve) =>
    by.makeUnaryRequest(validateToken, asIs, asIs, good, metadata, resolve),
  );
  by.close();
  const [details] = error?.metadata.get('grpc-status-details-bin') ?? [];
  const any = fromBinary(StatusSchema, details as Buffer).details[0];
  const told = fromBinary(ErrorInfoSchema, any?.value ?? new Uint8Array());
  const line = JSON.parse(broken.lines[0] ?? '');
  expect(told).toMatchObject({ reason: 'INTERNAL', metadata: { trace_id: line.traceId } });
  expect(line).toMatchObject({ level: 50, code: 'INTERNAL', fault: { class: 'Error', code: '23505' } });
  expect(line.fault.stack[0]).toContain('server.test.ts');
  expect(JSON.stringify([line, error?.details, told.metadata])).not.toContain('hunter2');
});

test('an answer that can not be encoded is an error, and ends the call once', async () => {
  await using other = await startTestService(async () => ({ reason: 1.5 }));
  const by = new Client(`127.0.0.1:${other.grpcPort}`, credentials.createInsecure());
  for (let i = 0; i < 3; i++) expect(await call(good, undefined, { by })).toBe('INTERNAL INTERNAL');
  by.close();
  expect(other.lines.map((line) => JSON.parse(line).code)).toEqual(['INTERNAL', 'INTERNAL', 'INTERNAL']);
});
