import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { type DescMethod, fromBinary, type Message } from '@bufbuild/protobuf';
import {
  Code,
  ConnectError,
  type ContextValues,
  createContextKey,
  createContextValues,
  type HandlerContext,
} from '@connectrpc/connect';
import type { UniversalHandler, UniversalHandlerFn } from '@connectrpc/connect/protocol';
import { compressionGzip, connectNodeAdapter } from '@connectrpc/connect-node';
import type { ShownCertificate } from '@touchstone/core';
import { KeptBytes, largeBytes } from '../call/kept-bytes.ts';
import { NoMessage } from '../call/no-message.ts';
import type { Admitted, Endpoint, IncomingCall } from '../call/pipeline.ts';
import { errorDetailsOf } from '../errors/error-details.ts';
import { failureOf } from '../errors/status-table.ts';
import type { Listener, MountedService } from '../grpc/server.ts';
import { CannotListen } from '../lifecycle/cannot-listen.ts';
import type { Readiness } from '../lifecycle/readiness.ts';
import { shownCertificate, type Tls, tlsOptions } from '../lifecycle/tls.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { type EncodedDocument, type PageOf, singleFlight } from './page.ts';

export interface HttpEdgeOptions {
  readonly mounted: readonly MountedService[];
  readonly readiness: Readiness;
  readonly metrics: Metrics;
  readonly messageBytesMax: number;
  readonly page: PageOf;
  /** Null: plain text. */
  readonly tls: Tls | null;
}

/** The HTTP server, and how it ends. */
export interface HttpEdge {
  readonly server: Server;
  /** Takes nothing new; resolves once all that was taken is answered. */
  close(): Promise<void>;
}

/** What is not taken of an answer is not kept for longer. */
const takingMilliseconds = 30_000;

/** Serves the endpoints, `/healthz`, `/readyz` and `/metrics`; nothing listens yet. */
export function createHttpEdge({
  mounted,
  readiness,
  metrics,
  messageBytesMax,
  page: pageOf,
  tls,
}: HttpEdgeOptions): HttpEdge {
  /** To requests for RPCs: connect does not tell of it. */
  const responses = new WeakMap<object, ServerResponse>();
  const rpc = connectNodeAdapter({
    routes: (router) => {
      for (const { service, endpoints } of mounted) router.service(service, implementationOf(endpoints));
      router.handlers.push(...router.handlers.splice(0).map(heardOfFirst));
    },
    readMaxBytes: messageBytesMax,
    // As on gRPC. Brotli, as connect has it, takes seconds for an answer of some megabytes, of the threads that sign tokens.
    acceptCompression: [compressionGzip],
    contextValues: (request) =>
      createContextValues()
        .set(peerKey, `${request.socket.remoteAddress}:${request.socket.remotePort}`)
        .set(certificateKey, () => certificateOf(request.socket))
        .set(responseKey, responses.get(request) ?? null),
    requestGate: admitting(new Map(mounted.flatMap(({ endpoints }) => endpoints))),
    grpc: false,
  });
  const readMetrics = singleFlight(async () => Buffer.from(await metrics.text()));
  const pages = new Map<string, (response: ServerResponse) => void | Promise<void>>([
    ['/healthz', (response) => sendJson(response, 200, { alive: true })],
    [
      '/readyz',
      (response) =>
        sendJson(response, readiness.isReady ? 200 : 503, { ready: readiness.isReady, reasons: readiness.reasons }),
    ],
    [
      '/metrics',
      async (response) => {
        const bytes = await readMetrics();
        response.writeHead(200, { 'content-type': metrics.contentType }).end(bytes);
      },
    ],
  ]);
  const open = new Set<ServerResponse>();
  const respond = (request: IncomingMessage, response: ServerResponse): void => {
    open.add(response);
    if (!server.listening) response.shouldKeepAlive = false;
    response.once('close', () => {
      open.delete(response);
      if (!server.listening && open.size === 0) server.closeAllConnections();
    });
    const path = request.url?.split('?')[0] ?? '';
    const document = pageOf(path);
    const page = document ? (to: ServerResponse) => sendDocument(request, to, document) : pages.get(path);
    if (!page) {
      // HTTP/1.0 needs none, and one can be nonsense: connect would throw, and nobody asks for it.
      request.headers.host = 'touchstone';
      responses.set(request, response);
      rpc(request, response);
    } else if (request.method === 'GET' || request.method === 'HEAD') {
      endUntaken(response);
      Promise.resolve(page(response)).catch(() => response.writeHead(500).end());
    } else {
      response.writeHead(405, { allow: 'GET, HEAD' }).end();
    }
  };
  // Slow senders must not hold connections for ever.
  const bounds = { headersTimeout: 10_000, requestTimeout: 30_000, connectionsCheckingInterval: 5_000 };
  const server: Server = tls
    ? createTlsServer({ ...tlsOptions(tls), ...bounds }, respond)
    : createServer(bounds, respond);
  return {
    server,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const response of open) response.shouldKeepAlive = false;
        // Also those that have sent nothing, or half a request.
        if (open.size === 0) server.closeAllConnections();
      }),
  };
}

async function sendDocument(
  request: IncomingMessage,
  response: ServerResponse,
  make: () => Promise<EncodedDocument | null>,
): Promise<void> {
  const document = await make().catch(() => null);
  if (!document) return sendJson(response, 503, { ready: false });
  const { etag, maxAge, contentType, bytes } = document;
  const headers = { etag, 'cache-control': `public, max-age=${maxAge}`, 'access-control-allow-origin': '*' };
  if (request.headers['if-none-match'] === etag) response.writeHead(304, headers).end();
  else response.writeHead(200, { ...headers, 'content-type': contentType }).end(bytes);
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response
    .writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
    .end(`${JSON.stringify(body)}\n`);
}

const implementationOf = (endpoints: MountedService['endpoints']): object =>
  Object.fromEntries(
    endpoints.map(([method, endpoint]) => [
      method.localName,
      method.methodKind === 'server_streaming' ? streaming(method, endpoint) : answering(method, endpoint),
    ]),
  );

const answering =
  (method: DescMethod, endpoint: Endpoint) =>
  async (request: Message, { values }: HandlerContext): Promise<Message> => {
    try {
      return fromBinary(method.output, await endpoint.answer(takeAdmitted(values), request));
    } catch (error) {
      return asConnectError(error);
    }
  };

const streaming = (method: DescMethod, endpoint: Endpoint) =>
  async function* (request: Message, { values }: HandlerContext): AsyncGenerator<Message> {
    try {
      for await (const response of endpoint.stream(takeAdmitted(values), request)) {
        yield fromBinary(method.output, response);
      }
    } catch (error) {
      asConnectError(error);
    }
  };

function takeAdmitted(values: ContextValues): Admitted {
  const admitted = values.get(admittedKey);
  values.delete(admittedKey);
  if (!admitted) throw new ConnectError('the call was not admitted', Code.Internal);
  return admitted;
}

/** Callers are asked for before their message is read. */
const admitting = (endpoints: ReadonlyMap<DescMethod, Endpoint>) => async (context: HandlerContext) => {
  const { method, values, signal, requestHeader } = context;
  const endpoint = endpoints.get(method);
  if (!endpoint) throw new ConnectError('nothing serves this', Code.Unimplemented);
  const timeout = context.timeoutMs();
  const admitted = await Promise.resolve(
    endpoint.admit({
      peer: values.get(peerKey),
      deadline: timeout === undefined ? Number.POSITIVE_INFINITY : Date.now() + timeout,
      header: (name) => requestHeader.get(name) ?? undefined,
      certificate: values.get(certificateKey),
      onCancel: (listener) => signal.addEventListener('abort', listener, { once: true }),
      keepAnswer: keepingAnswerIn(values.get(responseKey)),
    }),
  ).catch(asConnectError);
  values.set(admittedKey, admitted);
  const turnAway = () => {
    const { reason } = signal;
    if (values.get(admittedKey) === null) return;
    if (!isUnreadable(reason)) {
      values.set(heardOfKey, endpoint.turnAway(admitted));
      return;
    }
    const unreadable = new NoMessage();
    values.set(heardOfKey, endpoint.turnAway(admitted, unreadable));
    // Connect decodes by itself, and blames itself for bytes that are none, or quotes them. It tells of the error on this
    // signal before it writes it down, which is the one place to say it better.
    const { code, rawMessage, details } = connectErrorOf(unreadable);
    Object.assign(reason, { code, rawMessage, details });
  };
  if (signal.aborted) turnAway();
  else signal.addEventListener('abort', turnAway, { once: true });
};

/** What connect refuses by itself is heard of before its caller is told, or it is not told. */
function heardOfFirst(handler: UniversalHandler): UniversalHandler {
  const handle: UniversalHandlerFn = async (request) => {
    const response = await handler(request);
    if (await request.contextValues?.get(heardOfKey)) return response;
    request.contextValues?.get(responseKey)?.destroy();
    // The one error that the adapter takes for no fault.
    throw new ConnectError('the caller is not answered', Code.Aborted);
  };
  return Object.assign(handle, handler);
}

/** What connect says of headers and frames it says well, and quotes no message. */
const isUnreadable = (reason: unknown): boolean =>
  reason instanceof ConnectError &&
  (reason.code === Code.Internal || reason.code === Code.InvalidArgument) &&
  !reason.rawMessage.startsWith('protocol error:');

/** Null once it has been taken up. */
const admittedKey = createContextKey<Admitted | null>(null);

/** The certificate of the connection, for whoever wants it. */
const certificateKey = createContextKey<() => ShownCertificate | null>(() => null);

/** Whether it was verified only the socket tells: of a session that is taken up again also where there is none. */
function certificateOf(socket: Socket): ShownCertificate | null {
  return socket instanceof TLSSocket && socket.authorized ? shownCertificate(socket.getPeerCertificate()) : null;
}

/** Whether those have heard of the call who must before its caller is answered. */
const heardOfKey = createContextKey<Promise<boolean> | true>(true);

/** Where the call is answered. */
const responseKey = createContextKey<ServerResponse | null>(null);

/** How long an answer is kept, and how much of answers. */
const keepingAnswerIn =
  (response: ServerResponse | null): IncomingCall['keepAnswer'] =>
  (caller, bytes) => {
    if (!response || response.destroyed) return true;
    endUntaken(response);
    if (bytes < largeBytes) return true;
    const kept = new KeptBytes(caller);
    response.once('close', () => kept.keep(0));
    return kept.keep(bytes);
  };

function endUntaken(response: ServerResponse): void {
  response.setTimeout(takingMilliseconds, () => response.destroy());
}

/** The address that the call came from; what a header says of it, any caller can write. */
const peerKey = createContextKey('');

function connectErrorOf(error: unknown): ConnectError {
  const failure = failureOf(error);
  // The codes of Connect are those of gRPC.
  return new ConnectError(failure.message, failure.code as number as Code, undefined, errorDetailsOf(failure));
}

const asConnectError = (error: unknown): never => {
  throw connectErrorOf(error);
};

/** Listens. @returns the port. @throws CannotListen */
export function listenHttp(server: Server, listener: Listener): Promise<number> {
  const { host, port } = listener;
  return new Promise((resolve, reject) => {
    // Stays: a connection that cannot be accepted must not end the service.
    server.on('error', (error) => reject(new CannotListen(listener, error)));
    server.listen(port, host, () => {
      const address = server.address();
      resolve(typeof address === 'object' && address ? address.port : port);
    });
  });
}
