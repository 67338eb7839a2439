import { drawRandom } from '@touchstone/core';

/** Of the caller's trace (W3C Trace Context), or a new one. */
export function traceIdOf(traceparent: string | undefined): string {
  const given = traceparent && /^[0-9a-f]{2}-((?!0{32})[0-9a-f]{32})-/.exec(traceparent)?.[1];
  return given || drawRandom(16).toString('hex');
}
