/** Loaded before a service (`node --import`): its clocks say what `setClocks` writes into CLOCKS_FOLDER. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clocks } from './machine-clocks.ts';

const grpcPort = Object.entries(process.env).find(([name]) => name.endsWith('_GRPC_PORT'))?.[1];
const file = join(process.env.CLOCKS_FOLDER ?? '', String(grpcPort));
const TrueDate = Date;
const trueMonotonic = performance.now.bind(performance);

let clocks: Clocks = {};
let readAt = Number.NEGATIVE_INFINITY;
let [monotonic, seenAt] = [trueMonotonic(), trueMonotonic()];

function look(): void {
  const now = trueMonotonic();
  if (now - readAt >= 1) [clocks, readAt] = [read(), now];
  monotonic += (now - seenAt) * (clocks.monotonicRate ?? 1);
  seenAt = now;
}

function read(): Clocks {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return {};
  }
}

const wall = (): number => {
  look();
  return TrueDate.now() + (clocks.wallAhead ?? 0);
};

performance.now = () => {
  look();
  return monotonic;
};

globalThis.Date = class extends TrueDate {
  constructor(...given: []) {
    super(...(given.length === 0 ? ([wall()] as unknown as []) : given));
  }

  static override now = wall;
} as DateConstructor;
