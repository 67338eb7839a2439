import { hkdfSync } from 'node:crypto';
import { type KeyEncryption, KeyEncryptionFailed } from './key-encryption.ts';
import { unwrapKey, wrapKey } from './wrap.ts';

/** TEMPORARY */
export function fileKeyEncryption(master: Uint8Array): KeyEncryption {
  const derive = (label: string, length: number) => Buffer.from(hkdfSync('sha256', master, '', label, length));
  const key = derive('touchstone key encryption v1', 32);
  const id = `file:${derive('touchstone key encryption id v1', 8).toString('hex')}`;
  return {
    id,
    wrap: async (plain, context) => wrapKey(key, plain, context),
    async unwrap(wrapped, context) {
      const plain = unwrapKey(key, wrapped, context);
      if (!plain) throw new KeyEncryptionFailed('no');
      return plain;
    },
  };
}
