import type { DataKeyStore, SigningAlgorithm, StoredDataKey } from '@touchstone/core';
import { type CryptoKey, generateKeyPair } from 'jose';
import { DataKeys } from './keys/data-keys.ts';
import type { KeyEncryption } from './keys/key-encryption.ts';
import type { DataKeyRewrapper } from './keys/rewrap.ts';
import type { Signers } from './keys/signers.ts';
import { unwrapKey, wrapKey } from './keys/wrap.ts';

/** The keys of one tenant, for tests: one that signs. */
export async function testSigning(
  algorithm: SigningAlgorithm = 'EdDSA',
): Promise<Signers & { readonly publicKey: CryptoKey }> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm);
  return { signer: async () => ({ keyId: 'key-1', algorithm, key: privateKey }), publicKey };
}

export const testEncryption = (key: Uint8Array, id = 'test'): KeyEncryption => ({
  id,
  wrap: async (plain, context) => wrapKey(key, plain, context),
  async unwrap(wrapped, context) {
    const plain = unwrapKey(key, wrapped, context);
    if (!plain) throw new Error('it was not wrapped by this key');
    return plain;
  },
});

/** A store of data keys in memory. */
export class TestDataKeyStore implements DataKeyStore, DataKeyRewrapper {
  readonly keys: StoredDataKey[] = [];
  now = Date.now();

  async find(dataKeyId: string) {
    return this.keys.find((key) => key.dataKeyId === dataKeyId) ?? null;
  }

  async current(purpose: string) {
    return this.keys.findLast((key) => key.purpose === purpose) ?? null;
  }

  async add(key: Omit<StoredDataKey, 'createdAt'>, replaces: string | null) {
    const current = await this.current(key.purpose);
    if ((current?.dataKeyId ?? null) === replaces) this.keys.push({ ...key, createdAt: this.now });
  }

  async listOthers(keyEncryptionId: string) {
    return this.keys.filter((key) => key.keyEncryptionId !== keyEncryptionId);
  }

  async replace(key: StoredDataKey, previousWrapped: Buffer) {
    const at = this.keys.findIndex(({ dataKeyId }) => dataKeyId === key.dataKeyId);
    if (!this.keys[at]?.wrapped.equals(previousWrapped)) return false;
    this.keys[at] = key;
    return true;
  }
}

export const testDataKeys = (key: Uint8Array, store = new TestDataKeyStore()): DataKeys =>
  new DataKeys(store, [testEncryption(key)]);
