import { timingSafeEqual } from 'node:crypto';
import type { StoredDataKey } from '@touchstone/core';
import { contextOf } from './data-keys.ts';
import { type KeyEncryption, KeyEncryptionFailed } from './key-encryption.ts';

/** Exchanges what data keys are wrapped by. */
export interface DataKeyRewrapper {
  /** All data keys that another key encryption than this wrapped. @throws StoreUnavailable */
  listOthers(keyEncryptionId: string): Promise<readonly StoredDataKey[]>;
  /**
   * Keeps the data key as it is wrapped now. Once this resolves, that outlasts a crash.
   * @param key with its new `wrapped` and `keyEncryptionId`; the rest stays as it was.
   * @param previousWrapped how it must be wrapped until then.
   * @returns false where it is not, or the data key has been destroyed: nothing happens.
   * @throws StoreUnavailable
   */
  replace(key: StoredDataKey, previousWrapped: Buffer): Promise<boolean>;
}

/** How far the job is. */
export interface RewrapProgress {
  /** Data keys that have been seen to, by this job or by somebody else meanwhile. */
  readonly done: number;
  readonly total: number;
}

/** Some data keys came meanwhile that the new key encryption did not wrap: start the job again. */
export class RewrapIncomplete extends Error {
  override readonly name = 'RewrapIncomplete';
}

/**
 * Wraps every data key by `to`. It may be interrupted at any point and started again, and run beside services that know
 * both key encryptions. When it returns, nothing in the store needs any of `from`.
 * @returns how many it wrapped anew.
 * @throws KeyEncryptionFailed, before anything is changed, where none of `from` wrapped a data key; and where a data key
 * can't be unwrapped or wrapped.
 * @throws RewrapIncomplete
 * @throws StoreUnavailable
 */
export async function rewrapDataKeys(
  store: DataKeyRewrapper,
  from: readonly KeyEncryption[],
  to: KeyEncryption,
  onProgress: (progress: RewrapProgress) => void,
): Promise<number> {
  const keys = await store.listOthers(to.id);
  const jobs = keys.map((key) => ({ key, by: encryptionOf(key, from) }));
  let rewrapped = 0;
  for (const [index, { key, by }] of jobs.entries()) {
    const wrapped = await rewrap(key, by, to);
    if (await store.replace({ ...key, keyEncryptionId: to.id, wrapped }, key.wrapped)) rewrapped++;
    onProgress({ done: index + 1, total: keys.length });
  }
  const left = await store.listOthers(to.id);
  if (left.length > 0)
    throw new RewrapIncomplete(`${left.length} data keys came meanwhile that ${to.id} did not wrap: start it again`);
  return rewrapped;
}

function encryptionOf({ dataKeyId, keyEncryptionId }: StoredDataKey, from: readonly KeyEncryption[]): KeyEncryption {
  const by = from.find(({ id }) => id === keyEncryptionId);
  if (!by)
    throw new KeyEncryptionFailed(
      `the data key ${dataKeyId} was wrapped by ${keyEncryptionId}, which is not given: give it as a former one`,
    );
  return by;
}

/** What is returned has been unwrapped once, and was the same key. */
async function rewrap(key: StoredDataKey, by: KeyEncryption, to: KeyEncryption): Promise<Buffer> {
  const context = contextOf(key);
  const plain = await by.unwrap(key.wrapped, context);
  const wrapped = await to.wrap(plain, context);
  const again = await to.unwrap(wrapped, context);
  if (again.length !== plain.length || !timingSafeEqual(again, plain)) {
    throw new KeyEncryptionFailed(
      `${to.id}: what it wrapped of the data key ${key.dataKeyId} unwraps to something else`,
    );
  }
  return wrapped;
}
