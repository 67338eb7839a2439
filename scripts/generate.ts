/** `npm run generate`: everything in the repository that is made from something else in it. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { takeThirdPartyProtos } from './third-party-protos.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

takeThirdPartyProtos(root);
execFileSync('buf', ['generate'], { cwd: root, stdio: 'inherit' });
// With comments, for reflection: the generated code has none at run time.
const descriptors = join(root, 'packages/contracts/src/gen/descriptors.binpb');
execFileSync('buf', ['build', '--as-file-descriptor-set', '-o', descriptors], { cwd: root, stdio: 'inherit' });

// After the generated code is there: the services are made with it.
const { configurationPage, exampleEnvironment } = await import('./describe-configuration.ts');
writeFileSync(join(root, 'docs/configuration.md'), configurationPage());
writeFileSync(join(root, 'example.env'), exampleEnvironment());
