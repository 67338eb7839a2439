import { createCipheriv, createDecipheriv } from 'node:crypto';

/** Each key seals once, so all can have the same nonce. */
const nonce = Buffer.alloc(12);
const authenticationTagBytes = 16;

/**
 * AES-256-GCM (NIST SP 800-38D) over values as JSON. The associated data are the record's deciding columns: whoever
 * changes one makes the seal unopenable.
 *
 * @param key 32 bytes, used for one token only.
 */
export function seal(key: Uint8Array, values: readonly unknown[], associated: Uint8Array): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(associated);
  const sealed = cipher.update(JSON.stringify(values));
  cipher.final();
  return Buffer.concat([cipher.getAuthTag(), sealed]);
}

/** Null where the key, the sealed bytes or the associated data are not those of `seal`. */
export function unseal(key: Uint8Array, sealed: Uint8Array, associated: Uint8Array): unknown[] | null {
  if (sealed.length < authenticationTagBytes) return null;
  const decipher = createDecipheriv('aes-256-gcm', key, nonce);
  decipher.setAuthTag(sealed.subarray(0, authenticationTagBytes));
  decipher.setAAD(associated);
  try {
    const text = decipher.update(sealed.subarray(authenticationTagBytes));
    // Throws where anything was changed; nothing has been looked at before.
    decipher.final();
    return JSON.parse(text.toString());
  } catch {
    return null;
  }
}
