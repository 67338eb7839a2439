import type { DataKeyPurpose } from '@touchstone/core';
import { expect, test } from 'vitest';
import { TestDataKeyStore } from '../test-keys.ts';
import { contextOf, DataKeys, unwrapDataKey } from './data-keys.ts';
import { fileKeyEncryption } from './file-key-encryption.ts';
import { type KeyEncryption, KeyEncryptionFailed } from './key-encryption.ts';
import { type DataKeyRewrapper, RewrapIncomplete, rewrapDataKeys } from './rewrap.ts';

const purposes: readonly DataKeyPurpose[] = ['installation', 'signing', 'consent'];
const [older, old, to] = [1, 2, 3].map((key) => fileKeyEncryption(Buffer.alloc(32, key))) as [
  KeyEncryption,
  KeyEncryption,
  KeyEncryption,
];
const quietly = () => {};

/** A store with a data key of each purpose by each of two key encryptions, and the bytes of each by its id. */
async function filledStore() {
  const store = new TestDataKeyStore();
  for (const encryption of [older, old]) {
    for (const purpose of purposes) await addKey(store, encryption, purpose);
  }
  return { store, plain: await unwrapAll(store, [older, old]) };
}

async function addKey(store: TestDataKeyStore, encryption: KeyEncryption, purpose: DataKeyPurpose): Promise<void> {
  const dataKeyId = `${purpose}-${store.keys.length}`;
  const wrapped = await encryption.wrap(Buffer.alloc(32, dataKeyId), contextOf({ purpose, dataKeyId }));
  store.keys.push({ dataKeyId, purpose, keyEncryptionId: encryption.id, wrapped, createdAt: store.now });
}

const unwrapAll = async (store: TestDataKeyStore, encryptions: readonly KeyEncryption[]) =>
  new Map(
    await Promise.all(store.keys.map(async (key) => [key.dataKeyId, await unwrapDataKey(key, encryptions)] as const)),
  );

class Crash extends Error {}

/** Ends the job before or after one of the calls that it makes; `steps` counts those. */
class Crashing {
  steps = 0;
  readonly #at: number;
  constructor(at: number) {
    this.#at = at;
  }

  wrap<T extends object>(target: T): T {
    return new Proxy(target, {
      get: (_, name) => {
        const member: unknown = Reflect.get(target, name);
        if (typeof member !== 'function') return member;
        return async (...args: unknown[]) => {
          this.#step();
          const result: unknown = await member.apply(target, args);
          this.#step();
          return result;
        };
      },
    });
  }

  #step(): void {
    if (this.steps++ === this.#at) throw new Crash();
  }
}

test('every data key is wrapped by the new key encryption alone, and is the same key', async () => {
  const { store, plain } = await filledStore();
  const before = [...store.keys];
  const progress: string[] = [];
  const count = await rewrapDataKeys(store, [older, old], to, ({ done, total }) => progress.push(`${done}/${total}`));
  expect(count).toBe(6);
  expect(progress).toEqual(['1/6', '2/6', '3/6', '4/6', '5/6', '6/6']);
  expect(await unwrapAll(store, [to])).toEqual(plain);
  expect(store.keys.map(({ wrapped: _, ...key }) => key)).toEqual(
    before.map(({ wrapped: _, ...key }) => ({ ...key, keyEncryptionId: to.id })),
  );
  const untouched = [...store.keys];
  expect(await rewrapDataKeys(store, [], to, quietly), 'and again').toBe(0);
  expect(store.keys).toEqual(untouched);
});

test('services that know both find every data key, before and after', async () => {
  const store = new TestDataKeyStore();
  const made = await new DataKeys(store, [old]).current('signing');
  await rewrapDataKeys(store, [old], to, quietly);
  for (const encryptions of [[to, old], [old, to], [to]]) {
    expect((await new DataKeys(store, encryptions).find(made.id))?.bytes).toEqual(made.bytes);
  }
});

test('interrupted at any point no key is lost, and started again it finishes', async () => {
  for (let at = 0, crashed = true; crashed; at++) {
    const { store, plain } = await filledStore();
    const crashing = new Crashing(at);
    const [from, onto] = [[older, old].map((encryption) => crashing.wrap(encryption)), crashing.wrap(to)];
    const first = await rewrapDataKeys(crashing.wrap<DataKeyRewrapper>(store), from, onto, quietly).catch(
      (error) => error,
    );
    crashed = first instanceof Crash;
    if (!crashed) expect([first, crashing.steps]).toEqual([6, at]);
    expect(await unwrapAll(store, [older, old, to]), `after step ${at}`).toEqual(plain);
    const left = (await store.listOthers(to.id)).length;
    expect(await rewrapDataKeys(store, [older, old], to, quietly)).toBe(left);
    expect(await unwrapAll(store, [to])).toEqual(plain);
  }
});

test('of two jobs at once, each key is wrapped anew by one', async () => {
  const { store, plain } = await filledStore();
  const counts = await Promise.all([1, 2].map(() => rewrapDataKeys(store, [older, old], to, quietly)));
  expect(counts.reduce((a, b) => a + b)).toBe(6);
  expect(await unwrapAll(store, [to])).toEqual(plain);
});

test('a data key that is destroyed meanwhile stays so', async () => {
  const { store } = await filledStore();
  const count = await rewrapDataKeys(store, [older, old], to, ({ done }) => done === 1 && store.keys.pop());
  expect(count).toBe(5);
  expect(store.keys).toHaveLength(5);
});

test('one that comes meanwhile, wrapped by the old one, is told of', async () => {
  const { store } = await filledStore();
  const job = rewrapDataKeys(store, [older, old], to, ({ done }) => done === 1 && addKey(store, old, 'consent'));
  await expect(job).rejects.toThrow(RewrapIncomplete);
  expect(await rewrapDataKeys(store, [old], to, quietly)).toBe(1);
});

test('where a key encryption is not given nothing is changed, and the message names it', async () => {
  const { store } = await filledStore();
  const before = [...store.keys];
  const job = rewrapDataKeys(store, [older], to, quietly);
  await expect(job).rejects.toThrow(KeyEncryptionFailed);
  await expect(job).rejects.toThrow(old.id);
  expect(store.keys).toEqual(before);
});

test('a key encryption that does not give back what it wrapped gets nothing', async () => {
  const { store } = await filledStore();
  const before = [...store.keys];
  for (const other of [Buffer.alloc(32), Buffer.alloc(31)]) {
    const broken: KeyEncryption = { ...to, unwrap: async () => other };
    await expect(rewrapDataKeys(store, [older, old], broken, quietly)).rejects.toThrow(KeyEncryptionFailed);
  }
  expect(store.keys).toEqual(before);
});
