import { once } from 'node:events';
import { createServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { Code } from '@connectrpc/connect';
import { RevocationService, ValidatorService } from '@touchstone/contracts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { clientOf } from './client-of.ts';

const head = { ':status': 200, 'content-type': 'application/grpc+proto' };
/** How a server, or what lies between, ends a call halfway. */
const endings: Readonly<Record<string, (stream: ServerHttp2Stream) => void>> = {
  'is refused': (stream) => stream.close(7),
  'is reset by the other side': (stream) => stream.close(2),
  'ends without a status': (stream) => {
    stream.respond(head);
    stream.end();
  },
  'ends in the middle of its answer': (stream) => {
    stream.respond(head);
    stream.end(Buffer.from('0000000009', 'hex'));
  },
  'loses its connection': (stream) => stream.session?.destroy(),
};
let ending = (_: ServerHttp2Stream): void => {};
const server = createServer();
let url: string;
beforeAll(async () => {
  server.on('session', (session) => session.on('error', () => {}));
  server.on('stream', (stream: ServerHttp2Stream) => {
    stream.on('error', () => {});
    ending(stream);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => void server.close());

/** What may be tried again; of a reset Connect says so in its own words. */
const again = [Code.Unavailable, Code.Aborted, Code.Canceled];

test.each(Object.keys(endings))('a call that %s is no fault of the service, and may be tried again', async (what) => {
  ending = endings[what] ?? ending;
  const failed = await clientOf(ValidatorService, url, 'tks_x')
    .validateToken({})
    .catch((error) => error.code);
  expect(again).toContain(failed);
  const watching = clientOf(RevocationService, url, 'tks_x').watchRevocation({});
  const ended = await Array.fromAsync(watching).catch((error) => error.code);
  expect(again).toContain(ended);
});

test('what a server says stays what it said', async () => {
  ending = (stream) => {
    stream.respond({ ...head, 'grpc-status': '13', 'grpc-message': 'broken' }, { endStream: true });
  };
  const failed = await clientOf(ValidatorService, url, 'tks_x')
    .validateToken({})
    .catch((error) => error);
  expect([failed.code, failed.rawMessage]).toEqual([Code.Internal, 'broken']);
});
