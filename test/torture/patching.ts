/**
 * Loaded before a service (`node --import`): patches its sources as they are loaded. TORTURE_GUARD names the guard to take
 * out, TORTURE_PAUSES says how often and for how long it pauses, `share:milliseconds`.
 */
import { registerHooks } from 'node:module';
import { relative, sep } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { guards, patched, pauses } from './patches.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const guard = process.env.TORTURE_GUARD ?? '';
const patches = [...pauses, ...(guards[guard] ?? [])];
const [share = 0, longest = 0] = (process.env.TORTURE_PAUSES ?? '').split(':').map(Number);

Object.assign(globalThis, {
  tortureAt: async () => {
    if (Math.random() < share) await sleep(Math.random() * longest);
  },
});

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    const file = url.startsWith('file:') ? relative(root, fileURLToPath(url)).split(sep).join('/') : '';
    if (!patches.some((patch) => patch.file === file)) return loaded;
    return { ...loaded, source: patched(file, String(loaded.source), patches) };
  },
});
