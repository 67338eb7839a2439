import { spinner } from '@clack/prompts';

/** Shows a person what is being done. */
export interface Progress {
  step(line: string): void;
  /** Ends the step under way. */
  done(line: string): void;
  failed(line: string): void;
}

/** A spinner on a terminal, plain lines elsewhere. */
export function openProgress(): Progress {
  if (!process.stdout.isTTY) return { step: console.log, done: console.log, failed: console.error };
  const wheel = spinner();
  let turning = false;
  return {
    step(line) {
      if (turning) wheel.message(line);
      else wheel.start(line);
      turning = true;
    },
    done(line) {
      wheel.stop(line);
      turning = false;
    },
    failed(line) {
      if (turning) wheel.error(line);
      else console.error(line);
      turning = false;
    },
  };
}
