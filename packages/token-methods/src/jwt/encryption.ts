import { createCipheriv, createDecipheriv } from 'node:crypto';
import { drawRandom } from '@touchstone/core';

const algorithms = { alg: 'dir', enc: 'A256GCM' } as const;
const cipher = 'aes-256-gcm';
const nonceBytes = 12;
const tagBytes = 16;

/**
 * A JWE in compact form (RFC 7516) whose content key both sides have. Made here and not by a library: of all that there is
 * this is one way, and asynchronous calls cost more than ten times as much. @param key 32 bytes.
 */
export function encrypt(content: Uint8Array, key: Uint8Array, header: { readonly cty: string }): string {
  const head = textOf(Buffer.from(JSON.stringify({ ...algorithms, ...header })));
  const nonce = drawRandom(nonceBytes);
  const encrypting = createCipheriv(cipher, key, nonce, { authTagLength: tagBytes });
  encrypting.setAAD(Buffer.from(head));
  const encrypted = encrypting.update(content);
  encrypting.final();
  return [head, '', textOf(nonce), textOf(encrypted), textOf(encrypting.getAuthTag())].join('.');
}

/** Null where it was not encrypted under this key, and in this way. */
export function decrypt(jwe: string, key: Uint8Array): Buffer | null {
  const [head = '', wrapped, ...rest] = jwe.split('.');
  const [nonce, encrypted, tag, ...more] = rest.map(bytesOf);
  if (wrapped !== '' || nonce?.length !== nonceBytes || !encrypted || tag?.length !== tagBytes || more.length > 0)
    return null;
  if (!isOurs(head)) return null;
  const decrypting = createDecipheriv(cipher, key, nonce, { authTagLength: tagBytes });
  decrypting.setAuthTag(tag);
  decrypting.setAAD(Buffer.from(head));
  const content = decrypting.update(encrypted);
  try {
    // Throws where anything was changed; nothing has been looked at before.
    decrypting.final();
    return content;
  } catch {
    return null;
  }
}

/** Whatever else a header says - compression, extensions that are critical -, we never do. */
function isOurs(head: string): boolean {
  try {
    const { alg, enc, cty: _, ...others } = JSON.parse(bytesOf(head).toString());
    return alg === algorithms.alg && enc === algorithms.enc && Object.keys(others).length === 0;
  } catch {
    return false;
  }
}

const textOf = (bytes: Buffer): string => bytes.toString('base64url');
const bytesOf = (text: string): Buffer => Buffer.from(text, 'base64url');
