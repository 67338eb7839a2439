import type { TokenRecord } from '../tokens/token-record.ts';

/** What was used: a token; of what was granted, a scope by an app, or a user's consent. */
export type Use =
  | { readonly kind: 'scope'; readonly appId: string; readonly audience: string; readonly scope: string }
  | { readonly kind: 'consent'; readonly consentId: string }
  /** By the key of its record. @param expiresAt milliseconds since 1970. */
  | { readonly kind: 'token'; readonly key: string; readonly expiresAt: number };

export interface UseWriter {
  /** Keeps that they were used now. @throws StoreUnavailable */
  write(uses: readonly Use[]): Promise<void>;
}

/** More than that many are not told apart: they are noted more often. */
const notedMax = 200_000;

/** How many are written at once. */
const writtenAtOnce = 5_000;

/** How many tokens are noted between two writes: of those that are used beyond that, others the next time. */
const tokensMax = 2_000;

/** Notes what is used, once a period each: what was granted by the day, tokens by the minute and not all. */
export class Uses {
  #noted = new Set<string>();
  #notedTokens = new Set<string>();
  #pending = new Map<string, Use>();
  #tokensLeft = tokensMax;

  /** What a token was honoured for. */
  note(record: TokenRecord, scopes: readonly string[]): void {
    const { appId, consentId, audience } = record;
    for (const scope of scopes) {
      const key = `${appId} ${audience} ${scope}`;
      if (appId !== null && !this.#noted.has(key)) {
        this.#add(this.#noted, key, { kind: 'scope', appId, audience, scope });
      }
    }
    if (consentId !== null && !this.#noted.has(consentId)) {
      this.#add(this.#noted, consentId, { kind: 'consent', consentId });
    }
    this.#noteToken(record);
  }

  #noteToken({ key: { key }, expiresAt }: TokenRecord): void {
    if (this.#tokensLeft === 0 || this.#notedTokens.has(key)) return;
    this.#tokensLeft -= 1;
    this.#add(this.#notedTokens, key, { kind: 'token', key, expiresAt });
  }

  #add(noted: Set<string>, key: string, use: Use): void {
    if (noted.size >= notedMax) noted.clear();
    noted.add(key);
    this.#pending.set(key, use);
  }

  /** Writes what has been noted. What can't be written is noted anew when it is used again. */
  async flush(writer: UseWriter): Promise<void> {
    const pending = [...this.#pending];
    this.#pending = new Map();
    this.#tokensLeft = tokensMax;
    for (let first = 0; first < pending.length; first += writtenAtOnce) {
      const some = pending.slice(first, first + writtenAtOnce);
      try {
        await writer.write(some.map(([, use]) => use));
      } catch (error) {
        for (const [key] of pending.slice(first)) {
          this.#noted.delete(key);
          this.#notedTokens.delete(key);
        }
        throw error;
      }
    }
  }

  /** Begins another period, for what was granted. */
  startOver(): void {
    this.#noted.clear();
  }

  /** Begins another period, for tokens. */
  startTokensOver(): void {
    this.#notedTokens.clear();
  }
}
