import pino, { type DestinationStream, type Logger } from 'pino';
import { describeFault } from './fault.ts';

/** Lines of JSON on standard output, written behind the calls; `end` before the process does. */
export function openLogger(service: string, level: string): Logger & { readonly end: () => void } {
  const destination = gatheredLines();
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
  return Object.assign(logger, { end: destination.flushSync });
}

/** The lines of one turn of the event loop go together: sonic-boom measures all that it holds at each write. */
function gatheredLines(): DestinationStream & { readonly flushSync: () => void } {
  const output = pino.destination({ fd: 1, sync: false });
  let lines = '';
  function pass(): void {
    if (lines !== '') output.write(lines);
    lines = '';
  }
  return {
    write(line) {
      if (lines === '') setImmediate(pass);
      lines += line;
    },
    flushSync() {
      pass();
      output.flushSync();
    },
  };
}
