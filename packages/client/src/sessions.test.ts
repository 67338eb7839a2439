import { once } from 'node:events';
import { createServer, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, connect, createServer as createProxy, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Http2SessionManager } from '@connectrpc/connect-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Sessions } from './sessions.ts';

const server = createServer();
const open: ServerHttp2Session[] = [];
let url: string;
beforeAll(async () => {
  server.on('session', (session) => void open.push(session));
  server.on('stream', (stream: ServerHttp2Stream) => {
    stream.respond({ ':status': 200 });
    stream.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  for (const session of open) session.destroy();
  server.close();
});

async function ask(sessions: Http2SessionManager): Promise<void> {
  const stream = await sessions.request('GET', '/', {}, {});
  stream.resume().end();
  await once(stream, 'close');
}

/** How many errors nobody hears, where the server says farewell and another connection is made before Node tells of it. */
async function unheard(sessions: Http2SessionManager): Promise<number> {
  const stream = await sessions.request('GET', '/', {}, {});
  const { session } = stream;
  if (!session) throw new Error('there is no connection');
  stream.resume().end();
  await once(stream, 'close');
  const emit = session.emit.bind(session);
  let count = 0;
  session.emit = ((event: string, ...rest: unknown[]) => {
    if (event !== 'error' || session.listenerCount('error') > 0) return emit(event, ...(rest as []));
    count++;
    return true;
  }) as typeof session.emit;
  // Not `once` of node:events, which hears errors as well.
  const told = (event: 'goaway' | 'close') => new Promise((resolve) => session.once(event, resolve));
  const [farewell, closed] = [told('goaway'), told('close')];
  open.at(-1)?.goaway(0);
  await farewell;
  const again = ask(sessions);
  await Promise.all([closed, again]);
  sessions.abort();
  return count;
}

test('a server that says farewell ends no process, where another connection is made at once', async () => {
  expect(await unheard(new Sessions(url))).toBe(0);
});

test("Connect's own connections still leave such an error unheard: else the class is not needed any more", async () => {
  expect(await unheard(new Http2SessionManager(url))).toBe(1);
});

test('a connection that brings nothing any more is given up for another', async () => {
  const taken: Socket[] = [];
  const proxy = createProxy((socket) => {
    taken.push(socket);
    const onward = connect(Number(new URL(url).port), '127.0.0.1');
    socket.pipe(onward).pipe(socket);
    for (const side of [socket, onward]) side.on('error', () => {});
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const sessions = new Sessions(`http://127.0.0.1:${(proxy.address() as AddressInfo).port}`);
  await ask(sessions);
  taken[0]?.unpipe().pause();
  const started = performance.now();
  while ((await Promise.race([ask(sessions).catch(() => 'given up'), sleep(1_000, 'waiting')])) === 'waiting') {
    expect(performance.now() - started).toBeLessThan(20_000);
  }
  await ask(sessions);
  expect(taken).toHaveLength(2);
  sessions.abort();
  for (const socket of taken) socket.destroy();
  proxy.close();
});
