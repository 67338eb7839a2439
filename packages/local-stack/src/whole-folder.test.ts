import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openTemporaryFolder } from './folders.ts';
import { makeWholeFolder } from './whole-folder.ts';

test('a folder that fails while it is filled does not come to be', async () => {
  await using parent = await openTemporaryFolder();
  const made = makeWholeFolder(join(parent.path, 'jars'), async (folder) => {
    await writeFile(join(folder, 'half'), '');
    throw new Error('interrupted');
  });
  await expect(made).rejects.toThrow('interrupted');
  expect(await readdir(parent.path)).toEqual([]);
});

test('of two that are made at once, the first one stays and is used by both', async () => {
  await using parent = await openTemporaryFolder();
  const folder = join(parent.path, 'jars');
  const make = (name: string) => makeWholeFolder(folder, (unfinished) => writeFile(join(unfinished, name), ''));
  await Promise.all([make('a'), make('b')]);
  expect(await readdir(parent.path)).toEqual(['jars']);
  expect(await readdir(folder)).toHaveLength(1);
});

test('what a dead process left half-made is removed, and what a living one makes is not', async () => {
  await using parent = await openTemporaryFolder();
  const folder = join(parent.path, 'jars');
  const highestPid = 2 ** 22; // Linux numbers below it.
  await mkdir(`${folder}.unfinished-${highestPid}-dead`);
  await mkdir(`${folder}.unfinished-${process.pid}-live`);
  await makeWholeFolder(folder, (unfinished) => writeFile(join(unfinished, 'a'), ''));
  expect((await readdir(parent.path)).sort()).toEqual(['jars', `jars.unfinished-${process.pid}-live`]);
});

test('a folder that holds something is left alone', async () => {
  await using parent = await openTemporaryFolder();
  await writeFile(join(parent.path, 'mine'), '');
  await makeWholeFolder(parent.path, () => expect.unreachable());
  expect(await readdir(parent.path)).toEqual(['mine']);
});
