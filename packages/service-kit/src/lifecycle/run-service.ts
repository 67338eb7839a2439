import type { Server as HttpServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DescMethodUnary } from '@bufbuild/protobuf';
import type { Server as GrpcServer } from '@grpc/grpc-js';
import type { Authenticate } from '@touchstone/core';
import type { Logger } from 'pino';
import type { Route } from '../call/handler.ts';
import { endpoint, type PipelineOptions } from '../call/pipeline.ts';
import { addHealth } from '../grpc/health.ts';
import { addReflection } from '../grpc/reflection.ts';
import { createGrpcServer, listen, mount } from '../grpc/server.ts';
import { createHttpEdge, type HttpRoute, listenHttp } from '../http/edge.ts';
import { callEvents } from '../telemetry/call-events.ts';
import { openLogger } from '../telemetry/logger.ts';
import { type Metrics, openMetrics } from '../telemetry/metrics.ts';
import { openReadiness, type Readiness } from './readiness.ts';

/** Where and how a service listens. */
export interface ServiceSettings {
  readonly host: string;
  readonly grpcPort: number;
  readonly httpPort: number;
  readonly messageBytesMax: number;
  readonly drainMilliseconds: number;
  readonly stopMilliseconds: number;
  readonly logLevel: string;
}

/** What a service works with while it opens and runs. */
export interface ServiceRuntime {
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly readiness: Readiness;
  /** Aborts when the service is to stop. */
  readonly signal: AbortSignal;
}

/** What a service's context gives to its servers. */
export interface ServedContext extends AsyncDisposable {
  readonly authenticate: Authenticate;
}

export interface Service<Config, Context extends ServedContext> {
  readonly name: string;
  readConfig(env: NodeJS.ProcessEnv): Config;
  settings(config: Config): ServiceSettings;
  /** May wait long; the servers are up meanwhile, and say that they are not ready. */
  openContext(config: Config, runtime: ServiceRuntime): Promise<Context>;
  /** The context is asked for at each call: it comes after the routes have been mounted. */
  routes(context: () => Context): readonly Route[];
}

/** Runs a service until it is told to stop; the process's exit code says how that went. */
export async function runService<Config, Context extends ServedContext>(
  service: Service<Config, Context>,
): Promise<void> {
  let logger: ReturnType<typeof openLogger> | undefined;
  try {
    const config = service.readConfig(process.env);
    const settings = service.settings(config);
    logger = openLogger(service.name, settings.logLevel);
    await serveUntilStopped(service, config, settings, logger);
  } catch (error) {
    // Before there is a log, and for a person who starts it by hand.
    console.error(`${service.name} ends: ${error instanceof Error ? error.message : error}`);
    process.exitCode = 1;
  } finally {
    logger?.end();
  }
  // A leaked handle must not keep a stopped service alive.
  process.exit();
}

async function serveUntilStopped<Config, Context extends ServedContext>(
  service: Service<Config, Context>,
  config: Config,
  settings: ServiceSettings,
  logger: Logger,
): Promise<void> {
  const stopping = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stopping.abort());
  process.on('unhandledRejection', (error) => {
    logger.fatal({ err: error }, 'a promise was left alone');
    process.exitCode = 1;
    stopping.abort();
  });
  const readiness = openReadiness();
  readiness.set('starting', 'the service is starting');
  const metrics = openMetrics(service.name);
  let context: Context | null = null;
  const servers = await startServers(
    service.routes(() => context as Context),
    settings,
    { authenticate: () => context?.authenticate ?? null, events: callEvents(logger, metrics) },
    readiness,
    metrics,
    service.name,
  );
  logger.info({ grpc: servers.grpcPort, http: servers.httpPort }, 'listening');
  try {
    context = await service.openContext(config, { logger, metrics, readiness, signal: stopping.signal });
    readiness.set('starting', null);
    logger.info('ready');
    await aborted(stopping.signal);
  } catch (error) {
    if (!stopping.signal.aborted) throw error;
  } finally {
    await stop(servers, settings, readiness);
    await (context as Context | null)?.[Symbol.asyncDispose]();
    logger.info('stopped');
  }
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) =>
    signal.aborted ? resolve() : signal.addEventListener('abort', () => resolve(), { once: true }),
  );

interface Servers {
  readonly grpc: GrpcServer;
  readonly http: HttpServer;
  readonly grpcPort: number;
  readonly httpPort: number;
}

async function startServers(
  routes: readonly Route[],
  settings: ServiceSettings,
  pipeline: PipelineOptions,
  readiness: Readiness,
  metrics: Metrics,
  name: string,
): Promise<Servers> {
  const { host, messageBytesMax } = settings;
  const mounted: HttpRoute[] = routes.map(({ service, handlers }) => ({
    service,
    typeName: service.typeName,
    endpoints: service.methods.map((method) => {
      const unary = method as DescMethodUnary;
      const handler = handlers[method.localName];
      if (!handler) throw new Error(`${service.typeName}.${method.name} has no handler`);
      return [unary, endpoint(unary, handler, pipeline)] as const;
    }),
  }));
  const grpc = createGrpcServer({ messageBytesMax });
  for (const one of mounted) mount(grpc, one);
  addHealth(
    grpc,
    mounted.map((one) => one.typeName),
    readiness,
  );
  addReflection(
    grpc,
    routes.map((one) => one.service),
  );
  const http = createHttpEdge({ routes: mounted, readiness, metrics, messageBytesMax });
  const prefix = name.toUpperCase();
  const grpcPort = await listen(grpc, {
    host,
    port: settings.grpcPort,
    portSetting: `${prefix}_GRPC_PORT`,
    messageBytesMax,
  });
  const httpPort = await listenHttp(http, host, settings.httpPort, `${prefix}_HTTP_PORT`);
  return { grpc, http, grpcPort, httpPort };
}

/** Readiness goes first; then nothing new is taken, and what is in flight ends. */
async function stop({ grpc, http }: Servers, settings: ServiceSettings, readiness: Readiness): Promise<void> {
  readiness.set('stopping', 'the service is stopping');
  await sleep(settings.drainMilliseconds);
  const ended = Promise.all([
    new Promise<void>((resolve) => grpc.tryShutdown(() => resolve())),
    new Promise<void>((resolve) => http.close(() => resolve())),
  ]);
  http.closeIdleConnections();
  await Promise.race([ended, sleep(settings.stopMilliseconds)]);
  grpc.forceShutdown();
  http.closeAllConnections();
}
