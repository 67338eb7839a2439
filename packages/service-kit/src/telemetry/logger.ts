import { type EventEmitter, once } from 'node:events';
import pino, { type DestinationStream, type Logger } from 'pino';
import { describeFault } from './fault.ts';

/** Writes lines behind the calls. */
export interface GatheringLogger extends Logger {
  /** Nothing is logged any more. Resolves once all of it has been taken: never, maybe, where nobody reads. */
  end(): Promise<void>;
  /** Calls the listener with how many bytes of lines have been lost, because nobody takes what is written. */
  onLoss(listener: (bytes: number) => void): void;
}

/** Lines of JSON on standard output. */
export function openLogger(service: string, level: string): GatheringLogger {
  const destination = gatheredLines();
  const logger = pino(
    {
      name: service,
      level,
      base: { service },
      timestamp: isoTime,
      serializers: { err: describeFault },
    },
    destination,
  );
  return Object.assign(logger, { end: destination.end, onLoss: destination.onLoss });
}

let lineTime: number | null = null;

/** Lines that are written of something earlier are of its time: milliseconds since 1970. */
export function atTime(milliseconds: number, write: () => void): void {
  lineTime = milliseconds;
  try {
    write();
  } finally {
    lineTime = null;
  }
}

let lastMillisecond = 0;
let lastTime = '';

/** As pino writes times; those of one millisecond are the same text. */
function isoTime(): string {
  const now = lineTime ?? Date.now();
  if (now !== lastMillisecond) {
    lastMillisecond = now;
    lastTime = `,"time":"${new Date(now).toISOString()}"`;
  }
  return lastTime;
}

/** Bytes, and milliseconds: whichever comes first. */
const gatheredMax = 65_536;
const gatheredMilliseconds = 100;

/** Bytes. Where standard output is not read lines pile up, and who may not call at all makes some. */
const waitingMax = 64 * 1_024 * 1_024;

/** Lines go out many at a time, for each write wakes another thread; as bytes, for the texts that lines are joined of are many. */
function gatheredLines(): DestinationStream & Pick<GatheringLogger, 'end' | 'onLoss'> {
  const settings = { fd: 1, sync: false, contentMode: 'buffer', maxLength: waitingMax } as const;
  const output = pino.destination(settings) as unknown as Destination;
  // By itself it would end the process where a disk is full, and write no more once its reader has gone. What can't be written
  // waits for the next write.
  output.removeAllListeners('error');
  output.on('error', () => {});
  let gathered = Buffer.allocUnsafeSlow(gatheredMax);
  let used = 0;
  function pass(): void {
    if (used === 0) return;
    output.write(gathered.subarray(0, used));
    gathered = Buffer.allocUnsafeSlow(gatheredMax);
    used = 0;
  }
  setInterval(pass, gatheredMilliseconds).unref();
  return {
    write(line) {
      const bytesMax = line.length * 3;
      if (used + bytesMax > gatheredMax) pass();
      if (bytesMax > gatheredMax) output.write(Buffer.from(line));
      else used += gathered.write(line, used);
    },
    async end() {
      pass();
      // Not at once: what is being written would come after it.
      const taken = once(output, 'finish').catch(() => {});
      // At its exit the process would go on trying for as long as nobody takes it.
      output.flushSync = () => {};
      output.end();
      await taken;
    },
    onLoss(listener) {
      output.on('drop', ({ length }: Uint8Array) => listener(length));
    },
  };
}

/** Pino's types know destinations of text only. */
interface Destination extends EventEmitter {
  write(bytes: Uint8Array): boolean;
  flushSync(): void;
  end(): void;
}
