import { chmod, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openKeyRing } from './key-ring.ts';
import { createMasterKeyFile, MasterKeyUnusable, readMasterKeyFile } from './master-key-file.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'touchstone-key-'));
});
afterAll(() => rm(folder, { recursive: true }));

test('a new key can be read by its owner alone, and is never written over', async () => {
  const path = join(folder, 'new');
  await createMasterKeyFile(path);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await readMasterKeyFile(path)).toHaveLength(32);
  await expect(createMasterKeyFile(path)).rejects.toThrow('EEXIST');
});

test('a file that others may read, one that is absent and one that is no key are refused, loudly', async () => {
  const path = join(folder, 'open');
  await createMasterKeyFile(path);
  await chmod(path, 0o640);
  await expect(readMasterKeyFile(path)).rejects.toThrow(MasterKeyUnusable);
  await expect(readMasterKeyFile(join(folder, 'absent'))).rejects.toThrow('there is no such file');
  await writeFile(join(folder, 'other'), 'touchstone-master-key-v1 c2hvcnQ', { mode: 0o600 });
  await expect(readMasterKeyFile(join(folder, 'other'))).rejects.toThrow(MasterKeyUnusable);
});

test('a user has another handle in each tenant and installation, and the same one each time', () => {
  const [ours, theirs] = [openKeyRing(Buffer.alloc(32, 1)), openKeyRing(Buffer.alloc(32, 2))];
  const handle = ours.handles.handleOf('acme', 'ada');
  expect(ours.handles.handleOf('acme', 'ada')).toBe(handle);
  expect(ours.handles.handleOf('other', 'ada')).not.toBe(handle);
  expect(theirs.handles.handleOf('acme', 'ada')).not.toBe(handle);
  // Where one part ends and the next begins counts.
  expect(ours.handles.handleOf('ac', 'meada')).not.toBe(handle);
});
