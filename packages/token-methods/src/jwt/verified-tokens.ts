import type { Opened, Secrets, TokenRecord } from '@touchstone/core';
import { LRUCache } from 'lru-cache';

/** What a string turned out to say of its user. */
export type Said = Pick<Secrets, 'userId' | 'claims' | 'actors'>;

const bytesMax = 32 * 1_048_576;
const bytesOfEntry = 500;
const bytesOfCharacter = 2;

/**
 * Remembers, by the hash of a string, what it was found to say: the cryptography is done once, the decision each time.
 * Bounded in bytes; those used last.
 */
export class VerifiedTokens {
  readonly #known = new LRUCache<string, Said>({
    maxSize: bytesMax,
    sizeCalculation: (said) => bytesOfEntry + bytesOfCharacter * JSON.stringify(said).length,
  });

  /**
   * What the string says, and what its record allows.
   * @param hashed `hashOfString` of it.
   * @param verify null where the string does not say what it should: that is not remembered.
   */
  open(hashed: string, record: TokenRecord, verify: () => Promise<Said | null>): Opened | Promise<Opened | null> {
    const known = this.#known.get(hashed);
    return known ? openedAs(known, record) : this.#learn(hashed, record, verify);
  }

  async #learn(hashed: string, record: TokenRecord, verify: () => Promise<Said | null>): Promise<Opened | null> {
    const said = await verify();
    if (!said) return null;
    this.#known.set(hashed, said);
    return openedAs(said, record);
  }
}

export const openedAs = (said: Said, { scopes, expiresAt }: TokenRecord): Opened => ({
  ...said,
  principal: null,
  scopes,
  expiresAt,
  requests: [],
});
