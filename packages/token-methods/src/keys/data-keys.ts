import { randomBytes, randomUUID } from 'node:crypto';
import {
  type DataKeyPurpose,
  type DataKeyStore,
  type StoredDataKey,
  StoreUnavailable,
  type WrappedKey,
} from '@touchstone/core';
import { LRUCache } from 'lru-cache';
import { type KeyEncryption, KeyEncryptionFailed } from './key-encryption.ts';
import { unwrapKey, wrapKey } from './wrap.ts';

/** A key that wraps others. */
export interface DataKey {
  readonly id: string;
  /** Its own 32 bytes: what is derived from it is derived from these. */
  readonly bytes: Buffer;
  wrap(key: Uint8Array, context: string): WrappedKey;
  /** Null where it was not wrapped under this key and in this context. */
  unwrap(wrapped: Uint8Array, context: string): Buffer | null;
}

/** How long one data key of a purpose wraps what is new, in milliseconds; where nothing is said, for ever. */
const periods: Partial<Record<DataKeyPurpose, number>> = { consent: 30 * 86_400_000 };
const rememberedMax = 1_000;

/** The data keys of the installation, each unwrapped by the key encryption when it is first needed. */
export class DataKeys {
  readonly #store: DataKeyStore;
  readonly #encryptions: readonly KeyEncryption[];
  readonly #known = new LRUCache<string, DataKey>({ max: rememberedMax });

  /** @param encryptions the first wraps the first data key; whichever wraps the installation's wraps all that come. */
  constructor(store: DataKeyStore, encryptions: readonly KeyEncryption[]) {
    this.#store = store;
    this.#encryptions = encryptions;
  }

  /** The one that wraps what is new. Made, where there is none or its time is over. @throws StoreUnavailable */
  async current(purpose: DataKeyPurpose): Promise<DataKey> {
    const stored = await this.#store.current(purpose);
    if (stored && !isOver(stored)) return this.#open(stored);
    await this.#store.add(await this.#make(purpose), stored?.dataKeyId ?? null);
    // Somebody else's, where that came first.
    const made = await this.#store.current(purpose);
    if (!made) throw new StoreUnavailable(new Error('the database did not keep a data key'));
    return this.#open(made);
  }

  /** The one that all else of the installation is derived from. Null: it has not been set up. @throws StoreUnavailable */
  async installation(): Promise<DataKey | null> {
    const stored = await this.#store.current('installation');
    return stored && this.#open(stored);
  }

  /** Null where there is none by this id: it has been destroyed. @throws StoreUnavailable */
  async find(dataKeyId: string): Promise<DataKey | null> {
    const known = this.#known.get(dataKeyId);
    if (known) return known;
    const stored = await this.#store.find(dataKeyId);
    return stored && this.#open(stored);
  }

  async #make(purpose: DataKeyPurpose): Promise<Omit<StoredDataKey, 'createdAt'>> {
    const encryption = await this.#wrapping();
    const dataKeyId = randomUUID();
    try {
      const wrapped = await encryption.wrap(randomBytes(32), contextOf({ purpose, dataKeyId }));
      return { dataKeyId, purpose, keyEncryptionId: encryption.id, wrapped };
    } catch (error) {
      throw new StoreUnavailable(error);
    }
  }

  /**
   * The same in every replica: where some have been given another key encryption already, and others not yet, all know the
   * one that wraps the installation's data key.
   */
  async #wrapping(): Promise<KeyEncryption> {
    const installation = await this.#store.current('installation');
    if (installation) return encryptionOf(installation, this.#encryptions);
    const [first] = this.#encryptions;
    if (!first) throw new Error('there is no key encryption');
    return first;
  }

  async #open(stored: StoredDataKey): Promise<DataKey> {
    const known = this.#known.get(stored.dataKeyId);
    if (known) return known;
    const opened = dataKeyOf(stored.dataKeyId, await unwrapDataKey(stored, this.#encryptions));
    this.#known.set(opened.id, opened);
    return opened;
  }
}

/** @throws StoreUnavailable where none of the key encryptions wrapped it, or the one that did can't be asked. */
export async function unwrapDataKey(stored: StoredDataKey, encryptions: readonly KeyEncryption[]): Promise<Buffer> {
  const encryption = encryptionOf(stored, encryptions);
  try {
    return await encryption.unwrap(stored.wrapped, contextOf(stored));
  } catch (error) {
    throw new StoreUnavailable(error);
  }
}

/** The one that wrapped it. @throws StoreUnavailable */
function encryptionOf(stored: StoredDataKey, encryptions: readonly KeyEncryption[]): KeyEncryption {
  const encryption = encryptions.find(({ id }) => id === stored.keyEncryptionId);
  if (encryption) return encryption;
  const given = encryptions.map(({ id }) => id).join(' and ');
  throw new StoreUnavailable(
    new KeyEncryptionFailed(
      `the data key ${stored.dataKeyId} was wrapped by ${stored.keyEncryptionId}, and only ${given} is given: ` +
        'check that this is the right master key, or the right key of KMS',
    ),
  );
}

/** A data key serves its purpose alone. */
export const contextOf = ({ purpose, dataKeyId }: Pick<StoredDataKey, 'purpose' | 'dataKeyId'>): string =>
  `touchstone data key ${purpose} ${dataKeyId}`;

const isOver = ({ purpose, createdAt }: StoredDataKey): boolean =>
  Date.now() - createdAt > (periods[purpose] ?? Number.POSITIVE_INFINITY);

const dataKeyOf = (id: string, bytes: Buffer): DataKey => ({
  id,
  bytes,
  wrap: (key, context) => ({ dataKeyId: id, wrapped: wrapKey(bytes, key, context) }),
  unwrap: (wrapped, context) => unwrapKey(bytes, wrapped, context),
});
