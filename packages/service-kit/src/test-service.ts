import { connect } from 'node:net';
import type { DescMethodUnary } from '@bufbuild/protobuf';
import { ValidatorService } from '@touchstone/contracts';
import { type Caller, CallerUnknown, type Shown } from '@touchstone/core';
import { pino } from 'pino';
import type { Refused, UnaryHandler } from './call/handler.ts';
import { endpoint } from './call/pipeline.ts';
import { commonSettings, readSettings } from './config/settings.ts';
import type { CallListener } from './grpc/ending-listener.ts';
import { openReadiness } from './lifecycle/readiness.ts';
import { startServers } from './lifecycle/servers.ts';
import { callEvents } from './telemetry/call-events.ts';
import { openMetrics } from './telemetry/metrics.ts';

const settings = commonSettings('VALIDATOR', 0, 0);

/** For tests: who may validate. */
export const caller: Caller = {
  kind: 'resource_server',
  name: 'orders',
  tenantIds: ['acme'],
  scopes: ['tokens:validate'],
  credentialId: 'tok_1',
  credentialExpiresAt: Number.POSITIVE_INFINITY,
};

export const credential = 'tks_credential';
export const validateToken = '/touchstone.v1.ValidatorService/ValidateToken';

/** For tests: a validator on real sockets, whose every RPC is one function. */
export async function startTestService(
  work: () => Promise<object> = async () => ({}),
  env: NodeJS.ProcessEnv = {},
  authenticating: () => Promise<void> = async () => {},
  refused: Refused = async () => {},
) {
  const config = readSettings(settings, { DATABASE_URL: 'postgres://none', MASTER_KEY_FILE: 'none', ...env });
  const lines: string[] = [];
  const logger = pino({ level: 'debug' }, { write: (line) => void lines.push(line) });
  const metrics = openMetrics('validator');
  const readiness = openReadiness();
  let handled = 0;
  const handler = (async () => {
    handled++;
    return work();
  }) as unknown as UnaryHandler<DescMethodUnary>;
  const honoured = new Set([credential]);
  const authenticate = async (shown: Shown) => {
    await authenticating();
    if (typeof shown !== 'string' || !honoured.has(shown)) throw new CallerUnknown();
    return caller;
  };
  const events = callEvents(logger, metrics);
  const pipeline = { authenticate: () => authenticate, events };
  const endpoints = ValidatorService.methods.map((method) => {
    const unary = method as DescMethodUnary;
    return [unary, endpoint(unary, () => ({ handle: handler, refused }), pipeline)] as const;
  });
  const service = { name: 'validator', services: [ValidatorService] };
  const servers = await startServers(service, [{ service: ValidatorService, endpoints }], config, {
    readiness,
    metrics,
    page: () => undefined,
  });
  return {
    ...servers,
    http: `http://127.0.0.1:${servers.httpPort}`,
    /** What has been logged. */
    get lines() {
      events.flush();
      return lines;
    },
    metrics,
    readiness,
    handled: () => handled,
    /** The credentials that are honoured. */
    honoured,
    [Symbol.asyncDispose]: () => servers.stop(0),
  };
}

/** Sends bytes as they are; what came back by the time that the other side, or time, ended it. */
export function exchange(port: number, bytes: string | Buffer, milliseconds = 1_000): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.setTimeout(milliseconds, () => socket.destroy());
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1');
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(answer));
  });
}

const nothing = () => {};

/** Hears all of a call, and does nothing. */
export const deafListener = {
  onReceiveMetadata: nothing,
  onReceiveMessage: nothing,
  onReceiveHalfClose: nothing,
  onCancel: nothing,
} as CallListener;
