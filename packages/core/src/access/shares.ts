import type { Principal } from './act.ts';

/** What each principal has of something at once, however many of its calls have it. */
export class Shares {
  readonly #max: number;
  /** Who has nothing is not in it. */
  readonly #taken = new Map<string, number>();

  /** @param max the most that one principal has. */
  constructor(max: number) {
    this.#max = max;
  }

  /**
   * Takes so much more, or says that it would be too much. Who has nothing yet may take any amount.
   * @param own how much of what the principal has counts as nothing: what is taken bit by bit for one and the same.
   */
  take(principal: Principal, amount = 1, own = 0): boolean {
    const key = keyOfPrincipal(principal);
    const before = this.#taken.get(key) ?? 0;
    if (before > own && before + amount > this.#max) return false;
    this.#taken.set(key, before + amount);
    return true;
  }

  giveBack(principal: Principal, amount = 1): void {
    const key = keyOfPrincipal(principal);
    const left = (this.#taken.get(key) ?? 0) - amount;
    if (left > 0) this.#taken.set(key, left);
    else this.#taken.delete(key);
  }

  /** How many principals have something. */
  get size(): number {
    return this.#taken.size;
  }
}

/** One principal is told by many objects: one of each credential, and of an identity another one every second. */
export const keyOfPrincipal = ({ kind, name, tenantIds }: Principal): string =>
  JSON.stringify([kind, name, tenantIds.toSorted()]);
