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

/** Notes what is used, once a period each: it is about days that anybody asks. */
export class Uses {
  #noted = new Set<string>();
  #pending: Use[] = [];

  /** What a token was honoured for. */
  note({ appId, consentId, audience }: TokenRecord, scopes: readonly string[]): void {
    for (const scope of scopes) {
      if (appId !== null && this.#isNew(`${appId} ${audience} ${scope}`)) {
        this.#pending.push({ kind: 'scope', appId, audience, scope });
      }
    }
    if (consentId !== null && this.#isNew(consentId)) this.#pending.push({ kind: 'consent', consentId });
  }

  #isNew(key: string): boolean {
    if (this.#noted.has(key)) return false;
    if (this.#noted.size >= notedMax) this.#noted.clear();
    this.#noted.add(key);
    return true;
  }

  /** Writes what has been noted. What can't be written is noted anew when it is used again. */
  async flush(writer: UseWriter): Promise<void> {
    const uses = this.#pending;
    if (uses.length === 0) return;
    this.#pending = [];
    try {
      await writer.write(uses);
    } catch (error) {
      this.#noted.clear();
      throw error;
    }
  }

  /** Begins another period. */
  startOver(): void {
    this.#noted.clear();
  }
}
