import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, symlink, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { openTemporaryFolder } from '@touchstone/local-stack';
import { expect, test } from 'vitest';

const launcher = fileURLToPath(new URL('../../scripts/run.mjs', import.meta.url));
const installs = 'Installing dependencies ...\n';

test('dependencies are installed when they are not those of the lock file, and only then', async () => {
  await using folder = await openTemporaryFolder();
  const at = (...path: string[]) => join(folder.path, ...path);
  for (const name of ['scripts', 'node_modules/.bin', 'bin']) await mkdir(at(name), { recursive: true });
  await copyFile(launcher, at('scripts/run.mjs'));
  await symlink(process.execPath, at('node_modules/.bin/node'));
  await writeFile(at('hello.mjs'), 'console.log(process.argv[2])');
  const installEndsWith = async (code: number) => {
    await writeFile(at('bin/npm'), `#!/bin/sh\nexit ${code}\n`);
    await chmod(at('bin/npm'), 0o755);
  };
  const env = { ...process.env, PATH: `${at('bin')}${delimiter}${process.env.PATH}` };
  const run = () => promisify(execFile)(process.execPath, [at('scripts/run.mjs'), 'hello.mjs', 'hello'], { env });

  await writeFile(at('package-lock.json'), '{}');
  await installEndsWith(1);
  await expect(run()).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('npm install failed') });
  await installEndsWith(0);
  expect(await run()).toEqual({ stdout: 'hello\n', stderr: installs });
  expect(await run()).toEqual({ stdout: 'hello\n', stderr: '' });
  await writeFile(at('package-lock.json'), '{ "changed": true }');
  expect(await run()).toEqual({ stdout: 'hello\n', stderr: installs });
  expect(await run()).toEqual({ stdout: 'hello\n', stderr: '' });
});
