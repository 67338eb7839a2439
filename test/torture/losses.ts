import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Random } from './random.ts';

/** While it is there, the relay is to lose some of the revisions that it sends next; then it takes the file away. */
export const lossFile = (clocksFolder: string): string => join(clocksFolder, 'loss');

/** What is sent of a batch: all of it, or less where some is to be lost. */
export function withLosses<Event>(batch: readonly Event[], file: string, random: Random): readonly Event[] {
  if (!existsSync(file)) return batch;
  rmSync(file, { force: true });
  const lost = random.below(batch.length);
  return batch.filter((_, i) => i !== lost && random.next() < 0.5);
}
