import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
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

test('what is there and can not be read is refused, and not told as absent', async () => {
  await createMasterKeyFile(join(folder, 'file'));
  // Whoever owns the tests may read every file: these two nobody can.
  const below = readMasterKeyFile(join(folder, 'file', 'below'));
  await expect(below).rejects.toThrow(MasterKeyUnusable);
  await expect(below).rejects.toThrow("can't be read (ENOTDIR): it must be a file, and belong to the user");
  await mkdir(join(folder, 'inner'), { mode: 0o700 });
  const inner = readMasterKeyFile(join(folder, 'inner'));
  await expect(inner).rejects.toThrow(MasterKeyUnusable);
  await expect(inner).rejects.toThrow("can't be read (EISDIR)");
});

test('a user has another handle in each tenant and installation, and the same one each time', () => {
  const [ours, theirs] = [openKeyRing(Buffer.alloc(32, 1)), openKeyRing(Buffer.alloc(32, 2))];
  const [key, otherKey] = [Buffer.alloc(32, 3), Buffer.alloc(32, 4)];
  const handle = ours.handlesOf('acme', key).handleOf('ada');
  expect(ours.handlesOf('acme', key).handleOf('ada')).toBe(handle);
  expect(ours.handlesOf('other', key).handleOf('ada')).not.toBe(handle);
  expect(theirs.handlesOf('acme', key).handleOf('ada')).not.toBe(handle);
  // Neither key is enough without the other.
  expect(ours.handlesOf('acme', otherKey).handleOf('ada')).not.toBe(handle);
  expect(ours.handlesOf('acme', Buffer.alloc(0)).handleOf('ada')).not.toBe(handle);
  const { pseudonymOf } = ours.handlesOf('acme', key);
  // Where one part ends and the next begins counts.
  expect(pseudonymOf('shop', 'ada')).not.toBe(pseudonymOf('shopa', 'da'));
});
