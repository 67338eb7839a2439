import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
  ['Biome finds nothing to mend', ['biome', 'check', '--error-on-warnings', '.']],
  ['nothing is exported, installed or kept that nobody uses', ['knip']],
];

test.each(commands)('%s', { timeout: 300_000 }, async (_, [command = '', ...args]) => {
  await expect(run(command, ...args).then(() => '', saying)).resolves.toBe('');
});

test('the protos pass buf lint', { timeout: 120_000 }, async () => {
  takeThirdPartyProtos(root);
  await expect(run('buf', 'lint').then(() => '', saying)).resolves.toBe('');
});

test('the protos break no caller of what they were before they were last changed', { timeout: 120_000 }, async () => {
  takeThirdPartyProtos(root);
  const { stdout } = await run('git', 'log', '-2', '--format=%H', '--', 'proto');
  const before = stdout.trim().split('\n').at(-1) ?? 'HEAD';
  const folder = await mkdtemp(join(tmpdir(), 'touchstone-proto-'));
  try {
    await run('git', 'archive', '--output', join(folder, 'proto.tar'), before, 'proto', 'buf.yaml');
    await run('tar', '-xf', join(folder, 'proto.tar'), '-C', folder);
    await cp(join(root, '.cache/proto'), join(folder, '.cache/proto'), { recursive: true });
    await expect(run('buf', 'breaking', '--against', folder).then(() => '', saying)).resolves.toBe('');
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('the generated code is what the protos give', { timeout: 120_000 }, async () => {
  takeThirdPartyProtos(root);
  const folder = await mkdtemp(join(tmpdir(), 'touchstone-gen-'));
  try {
    await run('buf', 'generate', '--output', folder);
    const kept = join(root, 'packages/contracts/src/gen');
    const made = join(folder, 'packages/contracts/src/gen');
    expect(await contents(made)).toEqual(await contents(kept));
  } finally {
    await rm(folder, { recursive: true });
  }
});

async function contents(folder: string): Promise<Map<string, string>> {
  const files = (await readdir(folder, { recursive: true })).filter((file) => file.endsWith('.ts')).sort();
  return new Map(
    await Promise.all(files.map(async (file) => [file, await readFile(join(folder, file), 'utf8')] as const)),
  );
}

test('the pages on configuration are what the settings say', async () => {
  expect(await readFile(join(root, 'docs/configuration.md'), 'utf8')).toBe(configurationPage());
  expect(await readFile(join(root, 'example.env'), 'utf8')).toBe(exampleEnvironment());
});
