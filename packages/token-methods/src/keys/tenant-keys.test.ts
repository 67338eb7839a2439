import { expect, test } from 'vitest';
import { TestDataKeyStore } from '../test-keys.ts';
import { DataKeys } from './data-keys.ts';
import { fileKeyEncryption } from './file-key-encryption.ts';
import { openKeyRing } from './key-ring.ts';
import { tenantKeyMaker, userHandles } from './tenant-keys.ts';

test("a tenant's key is remembered within one history, and read anew in another", async () => {
  const dataKeys = new DataKeys(new TestDataKeyStore(), [fileKeyEncryption(Buffer.alloc(32, 1))]);
  const { create } = tenantKeyMaker(dataKeys);
  const [lost, kept] = [await create('acme'), await create('acme')];
  let stored = lost;
  let generation = 1;
  const handles = userHandles(
    openKeyRing(Buffer.alloc(32, 2)),
    dataKeys,
    { find: async () => stored },
    () => generation,
  );
  const handle = async () => (await handles.of('acme')).handleOf('ada');
  const before = await handle();
  stored = kept;
  expect(await handle()).toBe(before);
  generation++;
  const after = await handle();
  expect(after).not.toBe(before);
  stored = lost;
  expect(await handle()).toBe(after);
});
