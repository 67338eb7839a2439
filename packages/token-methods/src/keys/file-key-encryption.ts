import { hkdfSync } from 'node:crypto';
import { type KeyEncryption, KeyEncryptionFailed } from './key-encryption.ts';
import { unwrapKey, wrapKey } from './wrap.ts';

/**
 * Wraps data keys under a master key that the service itself holds. Its id tells one master key from another, and nothing
 * of either.
 * @param master 32 bytes, as readMasterKeyFile reads them.
 */
export function fileKeyEncryption(master: Uint8Array): KeyEncryption {
  const wrapping = derive(master, 'touchstone key encryption v1', 32);
  const id = `file:${derive(wrapping, 'touchstone key encryption id v1', 8).toString('hex')}`;
  return {
    id,
    wrap: async (key, context) => wrapKey(wrapping, key, context),
    async unwrap(wrapped, context) {
      const key = unwrapKey(wrapping, wrapped, context);
      if (!key) throw new KeyEncryptionFailed(refusalBy(id));
      return key;
    },
  };
}

const derive = (key: Uint8Array, purpose: string, bytes: number): Buffer =>
  Buffer.from(hkdfSync('sha256', key, '', purpose, bytes));

const refusalBy = (id: string): string =>
  `${id}: this master key did not wrap the data key, or not as this one, or it was changed since: ` +
  'check which key encryption is named beside the data key, and that the master key file is that one';
