import { randomBytes } from 'node:crypto';

/** Of the caller's trace (W3C Trace Context), or a new one. */
export function traceIdOf(traceparent: string | undefined): string {
  const given = traceparent && /^[0-9a-f]{2}-((?!0{32})[0-9a-f]{32})-/.exec(traceparent)?.[1];
  return given || randomHex();
}

let pool = Buffer.alloc(0);
let used = 0;

/** Random bytes are drawn many at a time: each draw costs more than the bytes do. */
function randomHex(): string {
  if (used >= pool.length) {
    pool = randomBytes(4_096);
    used = 0;
  }
  used += 16;
  return pool.toString('hex', used - 16, used);
}
