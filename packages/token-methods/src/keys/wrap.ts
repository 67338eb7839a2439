import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

const algorithm = 'aes-256-gcm';
const nonceBytes = 12;
const tagBytes = 16;

/** AES-256-GCM (NIST SP 800-38D) with a random nonce: nonce, tag, ciphertext. @param context bound to it, and no secret. */
export function wrapKey(wrapping: Uint8Array, key: Uint8Array, context: string): Buffer {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv(algorithm, wrapping, nonce);
  cipher.setAAD(Buffer.from(context));
  const encrypted = Buffer.concat([cipher.update(key), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), encrypted]);
}

/** Null where it was not wrapped under this key and in this context. */
export function unwrapKey(wrapping: Uint8Array, wrapped: Uint8Array, context: string): Buffer | null {
  if (wrapped.length < nonceBytes + tagBytes) return null;
  const decipher = createDecipheriv(algorithm, wrapping, wrapped.subarray(0, nonceBytes));
  decipher.setAuthTag(wrapped.subarray(nonceBytes, nonceBytes + tagBytes));
  decipher.setAAD(Buffer.from(context));
  const key = decipher.update(wrapped.subarray(nonceBytes + tagBytes));
  try {
    decipher.final();
    return key;
  } catch {
    return null;
  }
}
