import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { DescMethod, DescService } from '@bufbuild/protobuf';
import { type Authenticate, TouchstoneError } from '@touchstone/core';
import type { Logger } from 'pino';
import type { Route, Served } from '../call/handler.ts';
import { endpoint, type PipelineOptions } from '../call/pipeline.ts';
import type { CommonConfig } from '../config/settings.ts';
import type { MountedService } from '../grpc/server.ts';
import { encodeDocument, type Page, paced } from '../http/page.ts';
import { callEvents } from '../telemetry/call-events.ts';
import { type GatheringLogger, openLogger } from '../telemetry/logger.ts';
import { type Metrics, openMetrics } from '../telemetry/metrics.ts';
import { openReadiness, type Readiness } from './readiness.ts';
import { atMost, startServers } from './servers.ts';

// V8 makes objects in the old space where those that the same code made before have lived long. The first streams of a
// connection do, and from then on whatever a call leaves behind waits for a full collection.
setFlagsFromString('--no-allocation-site-pretenuring');

/** Anybody may ask for documents, as often as he likes, and what all tenants have may be in one. */
const documentRestMilliseconds = 1_000;
const restOfDocument = (): Promise<void> => sleep(documentRestMilliseconds, undefined, { ref: false });

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
  /** Documents of its HTTP port, by their paths. */
  readonly pages?: Readonly<Record<string, Page<Context>>>;
}

/** How long the last lines of the log may take to be read. */
const lastLinesMilliseconds = 2_000;

/** Runs a service until it is told to stop; the process's exit code says how that went. */
export async function runService<Config extends CommonConfig, Context extends ServedContext>(
  service: Service<Config, Context>,
): Promise<void> {
  let logger: GatheringLogger | undefined;
  try {
    const config = service.readConfig(process.env);
    logger = openLogger(service.name, config.LOG_LEVEL);
    await serveUntilStopped(service, config, logger);
  } catch (error) {
    // Before there is a log, and for a person who starts it by hand.
    console.error(`${service.name} ends: ${wordsOf(error)}`);
    logger?.fatal({ err: error }, 'the service ends');
    process.exitCode = 1;
  } finally {
    await atMost(lastLinesMilliseconds, logger?.end());
  }
  // A leaked handle must not keep a stopped service alive.
  process.exit();
}

/** Messages of others can quote settings; errors of ours name themselves by their class. */
function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return 'an error of no class';
  const className = error.constructor.name;
  const isOurs = error instanceof TouchstoneError || (Object.hasOwn(error, 'name') && error.name === className);
  return isOurs ? error.message : `${className}, of which the log tells more`;
}

async function serveUntilStopped<Config extends CommonConfig, Context extends ServedContext>(
  service: Service<Config, Context>,
  config: Config,
  logger: GatheringLogger,
): Promise<void> {
  const stopping = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stopping.abort());
  for (const event of ['unhandledRejection', 'uncaughtException'] as const) {
    process.on(event, (err: unknown) => {
      logger.fatal({ err }, `an error that nobody expected: the service stops (${event})`);
      process.exitCode = 1;
      stopping.abort();
    });
  }
  const readiness = openReadiness();
  readiness.set('starting', 'the service is starting');
  const metrics = openMetrics(service.name);
  const lost = metrics.counter(
    'touchstone_log_lost_bytes_total',
    'Log lines that were lost, as nobody read them: bytes.',
  );
  logger.onLoss((bytes) => lost.inc(bytes));
  const events = callEvents(logger, metrics);
  let context: Context | null = null;
  let served: ReadonlyMap<DescMethod, Served> = new Map();
  const endpoints = mountedServices(service, (method) => served.get(method) ?? null, {
    authenticate: () => context?.replica.authenticate ?? null,
    events,
    stopping: stopping.signal,
  });
  const documents = Object.entries(service.pages ?? {}).map(
    ([path, make]) =>
      [path, paced(async () => (context ? encodeDocument(await make(context)) : null), restOfDocument)] as const,
  );
  const pages = new Map(documents);
  const servers = await startServers(service, endpoints, config, {
    readiness,
    metrics,
    page: (path) => pages.get(path),
  });
  logger.info({ grpc: servers.grpcPort, http: servers.httpPort }, 'listening');
  const stopped = aborted(stopping.signal);
  const opening = service.openContext(config, {
    logger,
    metrics,
    readiness,
    grpcPort: servers.grpcPort,
    signal: stopping.signal,
  });
  try {
    // Opening can wait for what never comes: a service that is told to stop does not.
    const opened = await Promise.race([stopped, opening]);
    if (opened) {
      context = opened;
      served = servedBy(service.routes(opened));
      giveBackMemory();
      readiness.set('starting', null);
      logger.info('ready');
      await stopped;
    }
  } finally {
    await servers.stop(stopping.signal.aborted ? config.DRAIN_MILLISECONDS : 0);
    const closed = opening.then(
      (opened) => opened[Symbol.asyncDispose](),
      () => {}, // Told already, or due to the stop.
    );
    await atMost(config.STOP_MILLISECONDS, closed);
    events.flush();
    logger.info('stopped');
  }
}

/** What only the start needed, and the nursery that it made grow: an idle service would keep them for hours. */
function giveBackMemory(): void {
  setFlagsFromString('--expose-gc');
  const collect: (options: object) => void = runInNewContext('gc');
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) =>
    signal.aborted ? resolve() : signal.addEventListener('abort', () => resolve(), { once: true }),
  );

const servedBy = (routes: readonly Route[]): Map<DescMethod, Served> =>
  new Map(
    routes.flatMap(({ service, served }) =>
      service.methods.map((method) => [method, served[method.localName] as Served] as const),
    ),
  );

const mountedServices = (
  { services }: { readonly services: readonly DescService[] },
  servedOf: (method: DescMethod) => Served | null,
  pipeline: PipelineOptions,
): MountedService[] =>
  services.map((service) => ({
    service,
    endpoints: service.methods.map((method) => [method, endpoint(method, () => servedOf(method), pipeline)] as const),
  }));
