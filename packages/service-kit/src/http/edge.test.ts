import { once } from 'node:events';
import { request, ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { promisify } from 'node:util';
import { brotliCompressSync, gunzipSync, gzip } from 'node:zlib';
import { fromBinary } from '@bufbuild/protobuf';
import { ErrorInfoSchema } from '@touchstone/contracts/google-rpc';
import { StoreUnavailable } from '@touchstone/core';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { credential, exchange, startTestService, validateToken } from '../test-service.ts';

const limit = 65_536;
const service = await startTestService(undefined, { MESSAGE_BYTES_MAX: String(limit) });
afterAll(() => service[Symbol.asyncDispose]());

const authorization = `Bearer ${credential}`;
const body = JSON.stringify({ token: 'tks_x', audience: 'orders', requiredScopes: ['read'] });
const post = (content: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) =>
  fetch(service.http + validateToken, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization, ...headers },
    body: content,
  });
type Told = { readonly details?: readonly { readonly value: string }[] };
const reasonIn = (answer: Told) =>
  fromBinary(ErrorInfoSchema, Buffer.from(answer.details?.[0]?.value ?? '', 'base64')).reason;

describe('a request that no client of ours sends', () => {
  const call = (version: string, headers: string[], content = body) =>
    [
      `POST ${validateToken} HTTP/${version}`,
      'Content-Type: application/json',
      `Authorization: ${authorization}`,
      `Content-Length: ${Buffer.byteLength(content)}`,
      ...headers,
      '',
      content,
    ].join('\r\n');

  test.each<[string, string, RegExp]>([
    ['without Host, of HTTP/1.0', call('1.0', []), /^HTTP\/1\.1 200/],
    ['without Host, of HTTP/1.1', call('1.1', ['Connection: close']), /^HTTP\/1\.1 400/],
    ['with a Host that is none', call('1.1', ['Host: [', 'Connection: close']), /^HTTP\/1\.1 200/],
    ['with an URL that is none', 'GET http://[ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', /^HTTP\/1\.1 40/],
    ['for a path that is none', 'GET //[?/.. HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', /^HTTP\/1\.1 404/],
    ['with headers without end', `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`, /^HTTP\/1\.1 431/],
    ['of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', /^HTTP\/1\.1 400/],
    ['of no protocol', '\0\x01\x02\x03\r\n\r\n', /^HTTP\/1\.1 400/],
    ['that asks for a tunnel', 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n', /^$/],
    [
      'that asks for another protocol',
      call('1.1', ['Host: a', 'Connection: Upgrade', 'Upgrade: x']),
      /^HTTP\/1\.1 200/,
    ],
    ['with a length that is none', call('1.1', ['Host: a', 'Content-Length: -1']), /^HTTP\/1\.1 400/],
  ])('%s is answered, or cut, and the service goes on', async (_what, bytes, expected) => {
    expect(await exchange(service.httpPort, bytes)).toMatch(expected);
    expect((await post(body)).status).toBe(200);
  });
});

test('a caller that is unknown is told so before its message is there', async () => {
  const head = [
    `POST ${validateToken} HTTP/1.1`,
    'Host: a',
    'Content-Type: application/json',
    'Content-Length: 1000',
    '',
    '{',
  ].join('\r\n');
  expect(await exchange(service.httpPort, head, 2_000)).toMatch(/^HTTP\/1\.1 401/);
  const strange = await post('{"token":', { authorization: 'Bearer tks_other' });
  expect([strange.status, reasonIn((await strange.json()) as Told)]).toEqual([401, 'CALLER_UNKNOWN']);
});

test('a caller whose credential is revoked while its message comes slowly is refused', async () => {
  await using slow = await startTestService();
  const head = [
    `POST ${validateToken} HTTP/1.1`,
    'Host: a',
    'Content-Type: application/json',
    `Authorization: ${authorization}`,
    `Content-Length: ${body.length}`,
    '',
    '',
  ].join('\r\n');
  const answer = await new Promise<string>((resolve) => {
    const socket = connect(slow.httpPort, '127.0.0.1', () => socket.write(head));
    setTimeout(() => {
      slow.honoured.clear();
      socket.write(body);
    }, 2_000);
    socket.once('data', (chunk) => {
      resolve(String(chunk));
      socket.destroy();
    });
  });
  expect(answer).toMatch(/^HTTP\/1\.1 401/);
  expect(slow.handled()).toBe(0);
});

test('a header that is none is named', async () => {
  const answer = await post(body, { 'connect-timeout-ms': 'soon' });
  expect([answer.status, await answer.json()]).toMatchObject([400, { message: expect.stringContaining('timeout') }]);
});

const noProtobuf = new Uint8Array(Buffer.from('ffffhunter2'));

test.each<[string, string, string | Uint8Array<ArrayBuffer>]>([
  ['no JSON', 'application/json', '{"token":"hunter2'],
  ['a value of another type', 'application/json', '{"requiredScopes":"hunter2"}'],
  ['no protobuf', 'application/proto', noProtobuf],
])('a message that is %s is the fault of the caller, is not quoted, and is logged', async (_what, type, content) => {
  const logged = service.lines.length;
  const answer = await post(content, { 'content-type': type });
  const text = await answer.text();
  expect([answer.status, reasonIn(JSON.parse(text))]).toEqual([400, 'INVALID_FIELD']);
  expect(text).toContain('request must be a message of this RPC');
  expect(text + service.lines.slice(logged).join('')).not.toContain('hunter2');
  expect(service.lines.slice(logged)).toEqual([expect.stringContaining('"code":"INVALID_FIELD"')]);
});

test.each<[string, number, string | Uint8Array<ArrayBuffer>]>([
  ['application/json', 400, '{"token":'],
  ['application/proto', 400, noProtobuf],
  ['application/grpc-web+proto', 200, new Uint8Array([0, 0, 0, 0, noProtobuf.length, ...noProtobuf])],
  ['application/json', 429, JSON.stringify({ token: 'x'.repeat(2 * limit) })],
])(
  'what is no message, of %s, is on the trail before its caller is told, by %i, and not told where it can not be put there',
  async (type, status, content) => {
    let trail = Promise.withResolvers<void>();
    let heard = Promise.withResolvers<void>();
    const refused = () => {
      heard.resolve();
      return trail.promise;
    };
    await using strict = await startTestService(undefined, { MESSAGE_BYTES_MAX: String(limit) }, undefined, refused);
    const send = () => {
      [trail, heard] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const headers = { 'content-type': type, authorization };
      return fetch(strict.http + validateToken, { method: 'POST', headers, body: content });
    };
    let isAnswered = false;
    const answer = send().finally(() => {
      isAnswered = true;
    });
    await heard.promise;
    expect((await fetch(`${strict.http}/healthz`)).status).toBe(200);
    expect(isAnswered).toBe(false);
    trail.resolve();
    expect((await answer).status).toBe(status);

    const other = send();
    await heard.promise;
    trail.reject(new StoreUnavailable());
    await expect(other).rejects.toThrow('fetch failed');
    expect(strict.lines.at(-1)).toContain('"code":"STORE_UNAVAILABLE"');
  },
);

test('a message that is small until it is unpacked is refused', async () => {
  const bomb = await promisify(gzip)(JSON.stringify({ token: 'x'.repeat(50_000_000) }));
  expect(bomb.length).toBeLessThan(limit);
  const answer = await post(new Uint8Array(bomb), { 'content-encoding': 'gzip' });
  expect([answer.status, await answer.json()]).toMatchObject([429, { code: 'resource_exhausted' }]);
});

test('answers are compressed by gzip alone, whatever else is asked for, and so are messages', async () => {
  await using large = await startTestService(async () => ({ subject: 'x'.repeat(100_000) }));
  const ask = (encodings: string) => {
    const url = large.http + validateToken;
    const headers = { authorization, 'content-type': 'application/json', 'accept-encoding': encodings };
    return new Promise<[string | undefined, Buffer]>((resolve, reject) => {
      request(url, { method: 'POST', headers }, async (answer) =>
        resolve([answer.headers['content-encoding'], Buffer.concat(await answer.toArray())]),
      )
        .on('error', reject)
        .end(body);
    });
  };
  const [none, plain] = await ask('br');
  expect([none, plain.length > 100_000]).toEqual([undefined, true]);
  const [packing, packed] = await ask('br, gzip');
  expect([packing, gunzipSync(packed)]).toEqual(['gzip', plain]);
  const refused = await post(new Uint8Array(brotliCompressSync(body)), { 'content-encoding': 'br' });
  expect([refused.status, await refused.json()]).toEqual([
    501,
    { code: 'unimplemented', message: 'unknown compression "br": supported encodings are gzip' },
  ]);
});

test('a call that is let in, and ends before all of its message is there, is told of', async () => {
  const logged = service.lines.length;
  const head = (length: number) =>
    `POST ${validateToken} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n` +
    `Authorization: ${authorization}\r\nContent-Length: ${length}\r\n\r\n`;
  const socket = connect(service.httpPort, '127.0.0.1', () =>
    socket.write(`${head(1_000)}{`, () => setTimeout(() => socket.destroy(), 200)),
  );
  await vi.waitUntil(() => service.lines.length === logged + 1, 10_000);
  await exchange(service.httpPort, head(limit + 1) + 'x'.repeat(limit + 1), 2_000);
  await vi.waitUntil(() => service.lines.length === logged + 2, 10_000);
  for (const line of service.lines.slice(logged)) expect(JSON.parse(line)).toMatchObject({ code: 'CANCELLED' });
});

test('a page is read, and nothing else', async () => {
  for (const path of ['/healthz', '/readyz', '/metrics']) {
    expect((await fetch(service.http + path)).status).toBe(200);
    expect((await fetch(service.http + path, { method: 'HEAD' })).status).toBe(200);
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      expect((await fetch(service.http + path, { method })).status).toBe(405);
    }
  }
  expect((await fetch(`${service.http}/__proto__`)).status).toBe(404);
});

test('that it is ready, or not, is so now: nobody keeps it', async () => {
  for (const path of ['/healthz', '/readyz']) {
    expect((await fetch(service.http + path)).headers.get('cache-control')).toBe('no-store');
  }
});

test('however many ask for the metrics at once, they are made once for those that came together', async () => {
  let made = 0;
  service.metrics.gauge('made', 'How often the metrics were made.', () => ++made);
  const request = (end: string) => `GET /metrics HTTP/1.1\r\nHost: a\r\n${end}\r\n`;
  const answers = await exchange(service.httpPort, request('').repeat(299) + request('Connection: close\r\n'), 20_000);
  expect(answers.split('HTTP/1.1 200 OK')).toHaveLength(301);
  expect(made).toBeLessThan(10);
});

describe('an answer that its caller does not take', () => {
  // More than the sockets take, and nearly a quarter of what is kept for a caller.
  const bytes = 15 * 1_024 * 1_024;
  const startLarge = () => startTestService(async () => ({ subject: 'x'.repeat(bytes) }));
  const ask = (header = '') =>
    `POST ${validateToken} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n` +
    `Authorization: ${authorization}\r\nContent-Length: ${body.length}\r\n${header}\r\n${body}`;

  test('is kept, and so are some more of its answers, up to a limit', async () => {
    await using large = await startLarge();
    using sockets = new DisposableStack();
    for (let i = 0; i < 4; i++) {
      const socket = sockets.adopt(connect(large.httpPort, '127.0.0.1'), (one) => one.destroy());
      socket.pause().write(ask());
    }
    await vi.waitUntil(() => large.lines.length === 4, 20_000);
    const another = () => exchange(large.httpPort, ask('Connection: close\r\n'), 20_000);
    const refused = await another();
    expect(refused).toMatch(/^HTTP\/1\.1 503/);
    expect(reasonIn(JSON.parse(refused.slice(refused.indexOf('{'))))).toBe('OVERLOADED');
    sockets.dispose();
    await vi.waitUntil(async () => (await another()).startsWith('HTTP/1.1 200'), 20_000);
  });

  test('is not kept once half a minute has passed', async () => {
    await using large = await startLarge();
    const limiting = vi.spyOn(ServerResponse.prototype, 'setTimeout').mockReturnThis();
    const socket = connect(large.httpPort, '127.0.0.1');
    try {
      socket.write(ask());
      await once(socket, 'readable');
      const [milliseconds, end] = limiting.mock.calls[0] ?? [];
      expect(milliseconds).toBe(30_000);
      end?.();
      let taken = 0;
      socket
        .on('error', () => {})
        .on('data', (chunk) => {
          taken += chunk.length;
        });
      await once(socket, 'close');
      expect(taken).toBeLessThan(bytes);
    } finally {
      limiting.mockRestore();
      socket.destroy();
    }
  });
});

test('a deadline in the header is kept, and is no fault', async () => {
  await using slow = await startTestService(() => new Promise(() => {}));
  const answer = await fetch(slow.http + validateToken, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization, 'connect-timeout-ms': '50' },
    body,
  });
  expect([answer.status, reasonIn((await answer.json()) as Told)]).toEqual([504, 'DEADLINE_EXCEEDED']);
  await vi.waitUntil(() => slow.lines.length > 0, 10_000);
  expect(JSON.parse(slow.lines[0] ?? '')).toMatchObject({ level: 30, code: 'DEADLINE_EXCEEDED' });
});

test('a line of the access log holds nothing that the caller wrote but its trace', async () => {
  const logged = service.lines.length;
  const headers = { traceparent: '00-hunter2\t{}-x', 'x-forwarded-for': 'hunter2', 'user-agent': 'hunter2' };
  await fetch(`${service.http}${validateToken}?hunter2`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization, ...headers },
    body: body.replace('tks_x', 'tks_hunter2'),
  });
  const [line = ''] = service.lines.slice(logged);
  expect(line).toContain('"code":"OK"');
  expect(line).not.toMatch(/hunter2|tks_/);
});

test('a caller that hangs up while it sends does no harm', async () => {
  await new Promise<void>((resolve) => {
    const socket = connect(service.httpPort, '127.0.0.1', () => {
      socket.write(
        `POST ${validateToken} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nAuthorization: ${authorization}\r\nContent-Length: 1000\r\n\r\n{`,
      );
      setTimeout(() => socket.resetAndDestroy(), 50);
    });
    socket.on('close', () => resolve());
  });
  expect((await post(body)).status).toBe(200);
});
