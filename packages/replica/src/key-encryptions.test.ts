import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMasterKeyFile, MasterKeyUnusable } from '@touchstone/token-methods';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openKeyEncryptions } from './key-encryptions.ts';

let folder: string;
let files: readonly [string, string];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'touchstone-keys-'));
  files = [join(folder, 'one'), join(folder, 'other')];
  for (const file of files) await createMasterKeyFile(file);
});
afterAll(() => rm(folder, { recursive: true }));

const idsOf = async (config: Parameters<typeof openKeyEncryptions>[0]) =>
  (await openKeyEncryptions(config)).map(({ id }) => id);

test('the current key encryption comes first, whatever the former ones are', async () => {
  const [one, other] = files;
  const [idOfOne] = await idsOf({ MASTER_KEY_FILE: one });
  const [idOfOther] = await idsOf({ MASTER_KEY_FILE: other });
  expect(await idsOf({ MASTER_KEY_FILE: one, FORMER_MASTER_KEY_FILE: other })).toEqual([idOfOne, idOfOther]);
  const all = { AWS_KMS_KEY_ID: 'new', FORMER_AWS_KMS_KEY_ID: 'old', FORMER_MASTER_KEY_FILE: one, MASTER_KEY_FILE: '' };
  expect(await idsOf(all)).toEqual(['aws-kms:new', idOfOne, 'aws-kms:old']);
});

test('a former master key file that is not there is told, too', async () => {
  const config = { MASTER_KEY_FILE: files[0], FORMER_MASTER_KEY_FILE: join(folder, 'absent') };
  await expect(openKeyEncryptions(config)).rejects.toThrow(MasterKeyUnusable);
});
