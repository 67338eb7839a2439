import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { configurationPage, exampleEnvironment } from '../../scripts/describe-configuration.ts';
import { takeThirdPartyProtos } from '../../scripts/third-party-protos.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const run = (command: string, ...args: string[]) => promisify(execFile)(command, args, { cwd: root, maxBuffer: 1e8 });
/** What a failing command said. */
const saying = (error: { stdout?: string; stderr?: string }) =>
  `${error.stdout ?? ''}${error.stderr ?? ''}` || String(error);

const commands: readonly (readonly [guarantee: string, command: readonly string[]])[] = [
  ['all types check', ['turbo', 'run', 'typecheck', '--output-logs=errors-only', '--no-update-notifier']],
  ['the types of the scripts check', ['tsc', '--noEmit', '-p', 'scripts']],
  ['Biome finds nothing to mend', ['biome', 'check', '--error-on-warnings', '.']],
  ['no value is exported, no package installed and no file kept that nobody uses', ['knip']],
];

test.each(commands)('%s', { timeout: 300_000 }, async (_, [command = '', ...args]) => {
  await expect(run(command, ...args).then(() => '', saying)).resolves.toBe('');
});

test('the protos pass buf lint', { timeout: 120_000 }, async () => {
  takeThirdPartyProtos(root);
  await expect(run('buf', 'lint').then(() => '', saying)).resolves.toBe('');
});

// The baseline is what callers have: `npm run baseline` makes it anew, when they are to be given something else.
test('the protos break no caller of the baseline', { timeout: 120_000 }, async () => {
  takeThirdPartyProtos(root);
  const breaking = run('buf', 'breaking', 'proto', '--against', 'proto/baseline.binpb');
  await expect(breaking.then(() => '', saying)).resolves.toBe('');
});

test('the generated code is what the protos give', { timeout: 120_000 }, async () => {
  takeThirdPartyProtos(root);
  const folder = await mkdtemp(join(tmpdir(), 'touchstone-gen-'));
  try {
    await run('buf', 'generate', '--output', folder);
    const kept = join(root, 'packages/contracts/src/gen');
    const made = join(folder, 'packages/contracts/src/gen');
    await run('buf', 'build', '--as-file-descriptor-set', '-o', join(made, 'descriptors.binpb'));
    expect(await contents(made)).toEqual(await contents(kept));
  } finally {
    await rm(folder, { recursive: true });
  }
});

async function contents(folder: string): Promise<Map<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  return new Map(
    await Promise.all(
      files.sort().map(async (file) => [relative(folder, file), await readFile(file, 'latin1')] as const),
    ),
  );
}

test('the pages on configuration are what the settings say', async () => {
  expect(await readFile(join(root, 'docs/configuration.md'), 'utf8')).toBe(configurationPage());
  expect(await readFile(join(root, 'example.env'), 'utf8')).toBe(exampleEnvironment());
});
