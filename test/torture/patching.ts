/**
 * Loaded before a service (`node --import`): patches its sources as they are loaded. TORTURE_GUARD names the guard to take
 * out, TORTURE_PAUSES says how often and for how long it pauses, `share:milliseconds`. TORTURE_SEED decides when, for each
 * of the services that listen at TORTURE_PORTS by its place there.
 */
import { registerHooks } from 'node:module';
import { relative, sep } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { lossFile, withLosses } from './losses.ts';
import { controls, guards, losses, patched, pauses } from './patches.ts';
import { seeded } from './random.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const guard = process.env.TORTURE_GUARD ?? '';
const patches = [...pauses, ...losses, ...({ ...guards, ...controls }[guard] ?? [])];
const [share = 0, longest = 0] = (process.env.TORTURE_PAUSES ?? '').split(':').map(Number);
const { TORTURE_SEED: seed, TORTURE_PORTS: ports = '', CLOCKS_FOLDER: folder = '' } = process.env;
const [, grpcPort = ''] = Object.entries(process.env).find(([name]) => name.endsWith('_GRPC_PORT')) ?? [];
/** Beside those of the races, which count from the seed on. */
const random = seeded(Number(seed) + 1_000 + ports.split(',').indexOf(grpcPort));

Object.assign(globalThis, {
  tortureAt: async () => {
    if (random.next() < share) await sleep(random.next() * longest);
  },
  tortureLosses: (batch: readonly unknown[]) => withLosses(batch, lossFile(folder), random),
});

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    const file = url.startsWith('file:') ? relative(root, fileURLToPath(url)).split(sep).join('/') : '';
    if (!patches.some((patch) => patch.file === file)) return loaded;
    return { ...loaded, source: patched(file, String(loaded.source), patches) };
  },
});
