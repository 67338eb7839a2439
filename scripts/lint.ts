/** `npm run lint`: everything that is checked without being run, but for the types. */
import { spawnSync } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { takeThirdPartyProtos } from './third-party-protos.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const commands = [['biome', 'check', '.'], ['knip'], ['buf', 'lint']];

takeThirdPartyProtos(root);
const results = commands.map(([command = '', ...args]) => spawnSync(command, args, { cwd: root, stdio: 'inherit' }));
process.exitCode = results.every(({ status }) => status === 0) ? 0 : 1;
