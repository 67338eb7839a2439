/** `npm run generate`: everything in the repository that is made from something else in it. */
import { execFileSync } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { takeThirdPartyProtos } from './third-party-protos.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

takeThirdPartyProtos(root);
execFileSync('buf', ['generate'], { cwd: root, stdio: 'inherit' });
