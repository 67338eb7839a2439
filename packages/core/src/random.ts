import { randomFillSync } from 'node:crypto';

const pool = Buffer.allocUnsafeSlow(4_096);
let used = pool.length;

/** Random bytes for secrets and names, drawn from the system many at a time: each draw costs more than the bytes do. */
export function drawRandom(count: number): Buffer {
  if (used + count > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const bytes = Buffer.from(pool.subarray(used, used + count));
  // Nothing that has been handed out stays behind.
  pool.fill(0, used, used + count);
  used += count;
  return bytes;
}
