import type { TokenRecord } from '../tokens/token-record.ts';

/** What was used of what was granted: a scope by an app, or a user's consent. */
export type Use =
  | { readonly kind: 'scope'; readonly appId: string; readonly audience: string; readonly scope: string }
  | { readonly kind: 'consent'; readonly consentId: string };

export interface UseWriter {
  /** Keeps that they were used now. @throws StoreUnavailable */
  write(uses: readonly Use[]): Promise<void>;
}

/** More than that many are not told apart: they are noted more often. */
const notedMax = 200_000;

/** How many are written at once. */
const writtenAtOnce = 5_000;

/** Notes what is used, once a period each: it is about days that anybody asks. */
export class Uses {
  #noted = new Set<string>();
  #pending = new Map<string, Use>();

  /** What a token was honoured for. */
  note({ appId, consentId, audience }: TokenRecord, scopes: readonly string[]): void {
    for (const scope of scopes) {
      const key = `${appId} ${audience} ${scope}`;
      if (appId !== null && !this.#noted.has(key)) this.#add(key, { kind: 'scope', appId, audience, scope });
    }
    if (consentId !== null && !this.#noted.has(consentId)) this.#add(consentId, { kind: 'consent', consentId });
  }

  #add(key: string, use: Use): void {
    if (this.#noted.size >= notedMax) this.#noted.clear();
    this.#noted.add(key);
    this.#pending.set(key, use);
  }

  /** Writes what has been noted. What can't be written is noted anew when it is used again. */
  async flush(writer: UseWriter): Promise<void> {
    const pending = [...this.#pending];
    this.#pending = new Map();
    for (let first = 0; first < pending.length; first += writtenAtOnce) {
      const some = pending.slice(first, first + writtenAtOnce);
      try {
        await writer.write(some.map(([, use]) => use));
      } catch (error) {
        for (const [key] of pending.slice(first)) this.#noted.delete(key);
        throw error;
      }
    }
  }

  /** Begins another period. */
  startOver(): void {
    this.#noted.clear();
  }
}
