import { CompactEncrypt, compactDecrypt } from 'jose';

const algorithms = { alg: 'dir', enc: 'A256GCM' } as const;

/** A JWE in compact form (RFC 7516) whose content key both sides have. @param key 32 bytes. */
export const encrypt = (content: Uint8Array, key: Uint8Array, header: { readonly cty: string }): Promise<string> =>
  new CompactEncrypt(content).setProtectedHeader({ ...algorithms, ...header }).encrypt(key);

/** Null where it was not encrypted under this key, and in this way. */
export async function decrypt(jwe: string, key: Uint8Array): Promise<Buffer | null> {
  try {
    const { plaintext } = await compactDecrypt(jwe, key, {
      keyManagementAlgorithms: [algorithms.alg],
      contentEncryptionAlgorithms: [algorithms.enc],
      // Nothing of ours is compressed.
      maxDecompressedLength: 0,
    });
    return Buffer.from(plaintext);
  } catch {
    return null;
  }
}
