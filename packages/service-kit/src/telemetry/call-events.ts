import type { Caller, TouchstoneError } from '@touchstone/core';
import type { Logger } from 'pino';
import { failureOf, reasonName } from '../errors/status-table.ts';
import { describeFault } from './fault.ts';
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
  /** An item of a batch was answered with a fault of ours; the call goes on. */
  itemFaulted(call: CallRecord, error: TouchstoneError): void;
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
      logger[level]({ ...fieldsOf(call), code: reason, ...faultIn(error) }, 'call');
    },
    itemFaulted: (call, error) => logger.error({ ...fieldsOf(call), ...faultIn(error) }, 'an item of the call failed'),
  };
}

/** What lies behind the errors of which callers are not told why. */
const faultIn = ({ code, cause }: TouchstoneError): object =>
  cause !== undefined && (code === 'internal' || code === 'store_unavailable') ? { fault: describeFault(cause) } : {};
