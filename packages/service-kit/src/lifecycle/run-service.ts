import type { Server as HttpServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DescMethodUnary, DescService } from '@bufbuild/protobuf';
import type { Server as GrpcServer } from '@grpc/grpc-js';
import type { Authenticate } from '@touchstone/core';
import type { Logger } from 'pino';
import type { Route, UnaryHandler } from '../call/handler.ts';
import { endpoint, type PipelineOptions } from '../call/pipeline.ts';
import type { CommonConfig } from '../config/settings.ts';
import { addHealth } from '../grpc/health.ts';
import { addReflection } from '../grpc/reflection.ts';
import { createGrpcServer, listen, type MountedService, mount } from '../grpc/server.ts';
import { createHttpEdge, listenHttp } from '../http/edge.ts';
import { callEvents } from '../telemetry/call-events.ts';
import { openLogger } from '../telemetry/logger.ts';
import { type Metrics, openMetrics } from '../telemetry/metrics.ts';
import { openReadiness, type Readiness } from './readiness.ts';

/** What a service works with while it opens and runs. */
export interface ServiceRuntime {
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly readiness: Readiness;
  /** The port that was listened on. */
  readonly grpcPort: number;
  /** Aborts when the service is to stop. */
  readonly signal: AbortSignal;
}

/** What a service's context gives to its servers. */
export interface ServedContext extends AsyncDisposable {
  readonly replica: { readonly authenticate: Authenticate };
}

/** A service: the same parts in each. */
export interface Service<Config extends CommonConfig, Context extends ServedContext> {
  readonly name: string;
  /** What its ports serve. */
  readonly services: readonly DescService[];
  readConfig(env: NodeJS.ProcessEnv): Config;
  /** May wait long; the servers are up meanwhile, and say that they are not ready. */
  openContext(config: Config, runtime: ServiceRuntime): Promise<Context>;
  /** A route for each of `services`. */
  routes(context: Context): readonly Route[];
}

/** Runs a service until it is told to stop; the process's exit code says how that went. */
export async function runService<Config extends CommonConfig, Context extends ServedContext>(
  service: Service<Config, Context>,
): Promise<void> {
  let logger: ReturnType<typeof openLogger> | undefined;
  try {
    const config = service.readConfig(process.env);
    logger = openLogger(service.name, config.LOG_LEVEL);
    await serveUntilStopped(service, config, logger);
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

async function serveUntilStopped<Config extends CommonConfig, Context extends ServedContext>(
  service: Service<Config, Context>,
  config: Config,
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
  const events = callEvents(logger, metrics);
  let context: Context | null = null;
  let routes: readonly Route[] = [];
  const handlerOf: HandlerOf = ({ parent, localName }) =>
    routes.find((one) => one.service.typeName === parent.typeName)?.handlers[localName] ?? null;
  const endpoints = mountedServices(service, handlerOf, {
    authenticate: () => context?.replica.authenticate ?? null,
    events,
  });
  const servers = await startServers(service, endpoints, config, { readiness, metrics });
  logger.info({ grpc: servers.grpcPort, http: servers.httpPort }, 'listening');
  try {
    const opened = await service.openContext(config, {
      logger,
      metrics,
      readiness,
      grpcPort: servers.grpcPort,
      signal: stopping.signal,
    });
    routes = service.routes(opened);
    context = opened;
    readiness.set('starting', null);
    logger.info('ready');
    await aborted(stopping.signal);
  } catch (error) {
    if (!stopping.signal.aborted) throw error;
  } finally {
    await stop(servers, config, readiness);
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

/** Null until the service is ready, and for what it does not serve. */
type HandlerOf = (method: DescMethodUnary) => UnaryHandler<DescMethodUnary> | null;

const mountedServices = (
  { services }: { readonly services: readonly DescService[] },
  handlerOf: HandlerOf,
  pipeline: PipelineOptions,
): MountedService[] =>
  services.map((service) => ({
    service,
    endpoints: service.methods.map((method) => {
      const unary = method as DescMethodUnary;
      return [unary, endpoint(unary, () => handlerOf(unary), pipeline)] as const;
    }),
  }));

async function startServers(
  { name, services }: { readonly name: string; readonly services: readonly DescService[] },
  mounted: readonly MountedService[],
  config: CommonConfig,
  { readiness, metrics }: Pick<ServiceRuntime, 'readiness' | 'metrics'>,
): Promise<Servers> {
  const prefix = name.toUpperCase();
  const port = (kind: 'GRPC' | 'HTTP') => ({
    portSetting: `${prefix}_${kind}_PORT`,
    port: config[`${prefix}_${kind}_PORT`] as number,
  });
  const messageBytesMax = config.MESSAGE_BYTES_MAX;
  const grpc = createGrpcServer(messageBytesMax);
  for (const one of mounted) mount(grpc, one);
  addHealth(grpc, services, readiness);
  addReflection(grpc, services);
  const http = createHttpEdge({ mounted, readiness, metrics, messageBytesMax });
  const grpcPort = await listen(grpc, { host: config.HOST, ...port('GRPC') });
  const httpPort = await listenHttp(http, { host: config.HOST, ...port('HTTP') });
  return { grpc, http, grpcPort, httpPort };
}

/** Readiness goes first; then nothing new is taken, and what is in flight ends. */
async function stop({ grpc, http }: Servers, config: CommonConfig, readiness: Readiness): Promise<void> {
  readiness.set('stopping', 'the service is stopping');
  await sleep(config.DRAIN_MILLISECONDS);
  const ended = Promise.all([
    new Promise<void>((resolve) => grpc.tryShutdown(() => resolve())),
    new Promise<void>((resolve) => http.close(() => resolve())),
  ]);
  http.closeIdleConnections();
  await Promise.race([ended, sleep(config.STOP_MILLISECONDS)]);
  grpc.forceShutdown();
  http.closeAllConnections();
}
