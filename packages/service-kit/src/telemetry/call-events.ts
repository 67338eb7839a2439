import type { Caller, TouchstoneError } from '@touchstone/core';
import type { Logger } from 'pino';
import { failureOf, reasonName } from '../errors/status-table.ts';
import { describeFault } from './fault.ts';
import { atTime } from './logger.ts';
import type { Metrics } from './metrics.ts';

/** A call that is over. */
export interface CallRecord {
  /** `package.Service/Method`. */
  readonly method: string;
  readonly peer: string;
  readonly traceId: string;
  /** Null where it is not known. */
  readonly caller: Caller | null;
  /** When it was over, in milliseconds since 1970. */
  readonly endedAt: number;
  /** How long it took. */
  readonly milliseconds: number;
}

/** What is told of calls, to the log and to the metrics: never a token, a claim or a user. */
export interface CallEvents {
  answered(call: CallRecord): void;
  failed(call: CallRecord, error: TouchstoneError): void;
  /** An item of a batch was answered with a fault of ours; the call goes on. */
  itemFaulted(call: CallRecord, error: TouchstoneError): void;
}

/** Calls that were answered are told of so many at a time, and after so many milliseconds at the latest. */
const gatheredMax = 250;
const gatheredMilliseconds = 50;

/**
 * The access log and the call metrics. Of calls that were answered it tells some at a time: by itself, between two calls,
 * each takes four times as long.
 */
export function callEvents(logger: Logger, metrics: Metrics): CallEvents & { readonly flush: () => void } {
  let gathered: CallRecord[] = [];
  // A caller is the same object in all its calls: what is said of it is made into text once for each method.
  const loggers = new WeakMap<Caller | typeof nobody, Map<string, Logger>>();
  function loggerOf({ caller, method }: CallRecord): Logger {
    const ofCaller = loggers.get(caller ?? nobody) ?? new Map<string, Logger>();
    const known = ofCaller.get(method);
    if (known) return known;
    const named = caller ? `${caller.kind}:${caller.name}` : null;
    const made = logger.child({ method, caller: named, credential: caller?.credentialId ?? null });
    loggers.set(caller ?? nobody, ofCaller.set(method, made));
    return made;
  }
  const fieldsOf = ({ peer, traceId, milliseconds }: CallRecord, code: string) => ({
    peer,
    traceId,
    ms: Math.round(milliseconds * 100) / 100,
    code,
  });
  function flush(): void {
    const calls = gathered;
    gathered = [];
    for (const call of calls) {
      metrics.callEnded(call.method, 'OK', call.milliseconds / 1_000);
      if (logger.isLevelEnabled('info')) {
        atTime(call.endedAt, () => loggerOf(call).info(fieldsOf(call, 'OK'), 'call'));
      }
    }
  }
  metrics.beforeRead(flush);
  return {
    flush,
    answered(call) {
      const count = gathered.push(call);
      if (count === 1) setTimeout(flush, gatheredMilliseconds).unref();
      else if (count === gatheredMax) flush();
    },
    failed(call, error) {
      flush();
      const reason = reasonName(failureOf(error).reason);
      metrics.callEnded(call.method, reason, call.milliseconds / 1_000);
      // The cause stays here: the caller is told the trace id alone.
      const level = error.code === 'internal' ? 'error' : 'info';
      loggerOf(call)[level]({ ...fieldsOf(call, reason), ...faultIn(error) }, 'call');
    },
    itemFaulted(call, error) {
      const fields = { ...fieldsOf(call, 'INTERNAL'), ...faultIn(error) };
      loggerOf(call).error(fields, 'an item of the call failed');
    },
  };
}

/** The caller of a call whose caller is not known. */
const nobody = {};

/** What lies behind the errors of which callers are not told why. */
const faultIn = ({ code, cause }: TouchstoneError): object =>
  cause !== undefined && (code === 'internal' || code === 'store_unavailable') ? { fault: describeFault(cause) } : {};
