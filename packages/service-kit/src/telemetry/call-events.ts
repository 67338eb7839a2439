import type { Caller, TouchstoneError } from '@touchstone/core';
import type { Logger } from 'pino';
import { failureOf, reasonName } from '../errors/status-table.ts';
import type { Metrics } from './metrics.ts';

/** A call that is over. */
export interface CallRecord {
  /** `package.Service/Method`. */
  readonly method: string;
  readonly peer: string;
  readonly traceId: string;
  /** Null where it is not known. */
  readonly caller: Caller | null;
  readonly milliseconds: number;
}

/** What is told of calls, to the log and to the metrics: never a token, a claim or a user. */
export interface CallEvents {
  answered(call: CallRecord): void;
  failed(call: CallRecord, error: TouchstoneError): void;
}

/** The access log and the call metrics. */
export function callEvents(logger: Logger, metrics: Metrics): CallEvents {
  const fieldsOf = ({ method, peer, traceId, caller, milliseconds }: CallRecord) => ({
    method,
    peer,
    traceId,
    caller: caller ? `${caller.kind}:${caller.name}` : null,
    credential: caller?.credentialId ?? null,
    ms: Math.round(milliseconds * 100) / 100,
  });
  return {
    answered(call) {
      metrics.callEnded(call.method, 'OK', call.milliseconds / 1_000);
      if (logger.isLevelEnabled('info')) logger.info({ ...fieldsOf(call), code: 'OK' }, 'call');
    },
    failed(call, error) {
      const reason = reasonName(failureOf(error).reason);
      metrics.callEnded(call.method, reason, call.milliseconds / 1_000);
      // The cause stays here: the caller is told the trace id alone.
      const level = error.code === 'internal' ? 'error' : 'info';
      logger[level]({ ...fieldsOf(call), code: reason, ...causeOf(error) }, 'call');
    },
  };
}

/** Where the fault is ours, what it was; a driver's message can quote what it was given, so its text is left out. */
function causeOf(error: TouchstoneError): object {
  if (error.code !== 'internal' && error.code !== 'store_unavailable') return {};
  const { cause } = error;
  if (!(cause instanceof Error)) return {};
  return {
    cause: cause.name,
    causeCode: 'code' in cause ? cause.code : undefined,
    stack: cause.stack?.split('\n').slice(1),
  };
}
