import pino, { type Logger } from 'pino';
import { describeFault } from './fault.ts';

/** Lines of JSON on standard output, written behind the calls; `flush` before the process ends. */
export function openLogger(service: string, level: string): Logger & { readonly end: () => void } {
  const destination = pino.destination({ fd: 1, sync: false, minLength: 8_192 });
  // What little there is must not wait for more.
  const flushing = setInterval(() => destination.flush(), 250).unref();
  const logger = pino(
    {
      name: service,
      level,
      base: { service },
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { err: describeFault },
    },
    destination,
  );
  return Object.assign(logger, {
    end() {
      clearInterval(flushing);
      destination.flushSync();
    },
  });
}
