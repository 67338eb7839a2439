// Runs a script of this repository under the Node that package-lock.json pins, whatever Node calls it: `node run.mjs
// FILE [ARG ...]`. Installs the dependencies first where they are not those of package-lock.json, so that a fresh clone
// needs one command.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = join(root, 'node_modules', '.bin');
const cache = join(root, 'node_modules', '.cache', 'touchstone');
const stamp = join(cache, 'installed');

const pinned = join(bin, process.platform === 'win32' ? 'node.exe' : 'node');
const env = {
  ...process.env,
  PATH: `${bin}${delimiter}${process.env.PATH}`,
  // What has been compiled, and stripped of its types, once need not be again: quicker starts, and less memory.
  NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(root, 'node_modules', '.cache', 'compiled'),
};

const wanted = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .digest('hex');
const installed = existsSync(stamp) ? readFileSync(stamp, 'utf8') : '';

if (installed !== wanted) {
  console.error('Installing dependencies ...');
  // Not `npm ci`: that refuses a lock file that leaves out other platforms' binaries, which not every registry has.
  // Node and Postgres are optional packages, of which npm takes those of the platform: whatever settings leave out.
  const wholly = ['--include=dev', '--include=optional', '--ignore-scripts=false'];
  const install = spawnSync('npm', ['install', '--no-save', ...wholly, '--loglevel=error', '--no-progress'], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: process.platform === 'win32',
  });
  if (install.status !== 0) {
    console.error('npm install failed: the lines above say why.');
    process.exit(1);
  }
  requirePinned();
  // A process that compiles keeps the compiler in its memory: the services' first one need not be it.
  const services = ['issuer', 'validator', 'revocation'].map(
    (name) => `await import('./services/${name}/src/service.ts');`,
  );
  spawnSync(pinned, ['--input-type=module', '--eval', services.join('')], { cwd: root, env });
  mkdirSync(cache, { recursive: true });
  writeFileSync(stamp, wanted);
}

requirePinned();

const [file, ...args] = process.argv.slice(2);
const child = spawn(realpathSync(pinned), [join(root, file), ...args], {
  // The channel tells the child when this process is gone, however it ended.
  stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  env,
});
// The terminal sends Ctrl-C to the whole group; what is sent to this process alone is passed on.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => (signal === 'SIGINT' && process.stdin.isTTY ? undefined : child.kill(signal)));
}
// An npm that is killed tells nobody.
const parent = process.ppid;
if (process.env.npm_lifecycle_event) setInterval(() => process.ppid === parent || child.kill('SIGTERM'), 1_000).unref();
child.on('exit', (code, signal) => (signal ? process.kill(process.pid, signal) : process.exit(code ?? 1)));

/** npm leaves out, without an error, an optional package that it could not fetch. */
function requirePinned() {
  if (existsSync(pinned)) return;
  console.error(
    `Node 26 was not installed: run this again; where it stays so there is none for ${process.platform} on ${process.arch}.`,
  );
  process.exit(1);
}
