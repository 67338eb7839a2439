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

/** Characters, and milliseconds: whichever comes first. */
const gatheredMax = 16_384;
const gatheredMilliseconds = 100;

/** Lines go out many at a time: each write wakes another thread, and sonic-boom measures all that it holds at each. */
function gatheredLines(): DestinationStream & { readonly flushSync: () => void } {
  const output = pino.destination({ fd: 1, sync: false });
  let lines = '';
  function pass(): void {
    if (lines !== '') output.write(lines);
    lines = '';
  }
  setInterval(pass, gatheredMilliseconds).unref();
  return {
    write(line) {
      lines += line;
      if (lines.length >= gatheredMax) pass();
    },
    flushSync() {
      pass();
      output.flushSync();
    },
  };
}
