import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { DescMethodUnary, Message } from '@bufbuild/protobuf';
import {
  type Code,
  ConnectError,
  createContextKey,
  createContextValues,
  type HandlerContext,
} from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { ErrorInfoSchema } from '@touchstone/contracts/google-rpc';
import type { Endpoint } from '../call/pipeline.ts';
import { errorInfoOf } from '../errors/error-details.ts';
import { failureOf } from '../errors/status-table.ts';
import type { Listener, MountedService } from '../grpc/server.ts';
import { PortTaken } from '../lifecycle/port-taken.ts';
import type { Readiness } from '../lifecycle/readiness.ts';
import type { Metrics } from '../telemetry/metrics.ts';

export interface HttpEdgeOptions {
  readonly mounted: readonly MountedService[];
  readonly readiness: Readiness;
  readonly metrics: Metrics;
  readonly messageBytesMax: number;
}

/** Serves the endpoints, `/healthz`, `/readyz` and `/metrics`; nothing listens yet. */
export function createHttpEdge({ mounted, readiness, metrics, messageBytesMax }: HttpEdgeOptions): Server {
  const rpc = connectNodeAdapter({
    routes: (router) => {
      for (const { service, endpoints } of mounted) router.service(service, implementationOf(endpoints));
    },
    readMaxBytes: messageBytesMax,
    contextValues: ({ socket }) => createContextValues().set(peerKey, `${socket.remoteAddress}:${socket.remotePort}`),
    grpc: false,
  });
  const pages: Readonly<Record<string, (response: ServerResponse) => void | Promise<void>>> = {
    '/healthz': (response) => sendJson(response, 200, { alive: true }),
    '/readyz': (response) =>
      sendJson(response, readiness.isReady ? 200 : 503, { ready: readiness.isReady, reasons: readiness.reasons }),
    '/metrics': async (response) => {
      response.writeHead(200, { 'content-type': metrics.contentType }).end(await metrics.text());
    },
  };
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    const page = request.method === 'GET' ? pages[request.url?.split('?')[0] ?? ''] : undefined;
    if (page) void page(response);
    else rpc(request, response);
  });
  // Slow senders must not hold connections for ever.
  server.headersTimeout = 10_000;
  server.requestTimeout = 30_000;
  return server;
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
}

function implementationOf(endpoints: readonly (readonly [DescMethodUnary, Endpoint])[]): object {
  return Object.fromEntries(endpoints.map(([method, serve]) => [method.localName, answering(serve)]));
}

const answering =
  (serve: Endpoint) =>
  async (request: Message, context: HandlerContext): Promise<Message> => {
    try {
      const timeout = context.timeoutMs();
      return await serve(request, {
        peer: context.values.get(peerKey),
        deadline: timeout === undefined ? Number.POSITIVE_INFINITY : Date.now() + timeout,
        header: (name) => context.requestHeader.get(name) ?? undefined,
        onCancel: (listener) => context.signal.addEventListener('abort', listener, { once: true }),
      });
    } catch (error) {
      throw asConnectError(error);
    }
  };

/** The address that the call came from; what a header says of it, any caller can write. */
const peerKey = createContextKey('');

function asConnectError(error: unknown): ConnectError {
  const failure = failureOf(error);
  const details = [{ desc: ErrorInfoSchema, value: errorInfoOf(failure) }];
  // The codes of Connect are those of gRPC.
  return new ConnectError(failure.message, failure.code as number as Code, undefined, details);
}

/** Listens. @returns the port. @throws PortTaken */
export function listenHttp(server: Server, { host, port, portSetting }: Listener): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(new PortTaken(port, portSetting, error)));
    server.listen(port, host, () => {
      const address = server.address();
      resolve(typeof address === 'object' && address ? address.port : port);
    });
  });
}
