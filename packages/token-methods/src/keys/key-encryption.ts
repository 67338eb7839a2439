/**
 * Encrypts data keys. Whoever has it can open everything; where it is lost, everything is.
 *
 * The context is bound to what is wrapped (as KMS's encryption context is): it unwraps under the same one only. It is no
 * secret.
 */
export interface KeyEncryption {
  /** Names the key-encryption key, beside what it wrapped. */
  readonly id: string;
  /** @throws KeyEncryptionFailed */
  wrap(key: Uint8Array, context: string): Promise<Buffer>;
  /** @throws KeyEncryptionFailed where it can't be asked, or did not wrap this, or not in this context. */
  unwrap(wrapped: Uint8Array, context: string): Promise<Buffer>;
}

/** A data key can't be wrapped or unwrapped. The message holds nothing of it. */
export class KeyEncryptionFailed extends Error {
  override readonly name = 'KeyEncryptionFailed';
}
