import { setTimeout as sleep } from 'node:timers/promises';
import type { DescService } from '@bufbuild/protobuf';
import type { CommonConfig } from '../config/settings.ts';
import type { InFlight } from '../grpc/admission.ts';
import { addHealth } from '../grpc/health.ts';
import { openStreams } from '../grpc/open-streams.ts';
import { addReflection } from '../grpc/reflection.ts';
import { addressOf, createGrpcServer, listen, type MountedService } from '../grpc/server.ts';
import { createHttpEdge, listenHttp } from '../http/edge.ts';
import type { PageOf } from '../http/page.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Readiness } from './readiness.ts';
import { readTls } from './tls.ts';

/** The servers of a service, both listening. */
export interface Servers {
  readonly grpcPort: number;
  readonly httpPort: number;
  /** Readiness goes first; after `drainMilliseconds` nothing new is taken, and what is in flight ends. */
  stop(drainMilliseconds: number): Promise<void>;
}

/** Both servers listen, or neither does. @throws CannotListen, SettingsWrong */
export async function startServers(
  { name, services }: { readonly name: string; readonly services: readonly DescService[] },
  mounted: readonly MountedService[],
  config: CommonConfig,
  { readiness, metrics, page }: { readonly readiness: Readiness; readonly metrics: Metrics; readonly page: PageOf },
): Promise<Servers> {
  const prefix = name.toUpperCase();
  const listener = (kind: 'GRPC' | 'HTTP') => ({
    host: config.HOST,
    portSetting: `${prefix}_${kind}_PORT`,
    port: config[`${prefix}_${kind}_PORT`] as number,
  });
  const messageBytesMax = config.MESSAGE_BYTES_MAX;
  const tls = readTls(config);
  const streams = openStreams();
  const inFlight = { count: 0 };
  const grpc = createGrpcServer(mounted, inFlight, messageBytesMax);
  addHealth(grpc, services, readiness, streams);
  addReflection(grpc, services, streams);
  const http = createHttpEdge({ mounted, readiness, metrics, messageBytesMax, page, tls });

  async function stop(grpcPort: number, drainMilliseconds: number): Promise<void> {
    readiness.set('stopping', 'the service is stopping');
    await sleep(drainMilliseconds);
    // What outlasts its time is cut by it: nothing else in grpc-js ends a connection, and it does only from before the shutdown.
    grpc.drain(addressOf(config.HOST, grpcPort), config.STOP_MILLISECONDS);
    const grpcEnded = Promise.race([
      new Promise<void>((resolve) => grpc.tryShutdown(() => resolve())),
      quiet(inFlight),
    ]);
    streams.endAll();
    await atMost(config.STOP_MILLISECONDS, Promise.all([grpcEnded, http.close()]));
    grpc.forceShutdown();
    http.server.closeAllConnections();
  }

  try {
    const grpcPort = await listen(grpc, listener('GRPC'), tls);
    const httpPort = await listenHttp(http.server, listener('HTTP'));
    return { grpcPort, httpPort, stop: (drainMilliseconds) => stop(grpcPort, drainMilliseconds) };
  } catch (error) {
    grpc.forceShutdown();
    throw error;
  }
}

/** grpc-js waits also for connections that have never sent anything: what is on its way gets this long. */
const onTheirWayMilliseconds = 200;

async function quiet(inFlight: InFlight): Promise<void> {
  do await sleep(onTheirWayMilliseconds);
  while (inFlight.count > 0);
  await sleep(onTheirWayMilliseconds);
}

/** Waits for the work, but no longer than this. */
export const atMost = (milliseconds: number, work: PromiseLike<unknown> | undefined): Promise<unknown> =>
  Promise.race([work, sleep(milliseconds)]);
