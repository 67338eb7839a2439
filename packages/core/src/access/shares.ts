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

  /** Takes so much more, or says that it would be too much. Who has nothing yet may take any amount. */
  take(principal: Principal, amount = 1): boolean {
    const key = keyOf(principal);
    const before = this.#taken.get(key) ?? 0;
    if (before > 0 && before + amount > this.#max) return false;
    this.#taken.set(key, before + amount);
    return true;
  }

  giveBack(principal: Principal, amount = 1): void {
    const key = keyOf(principal);
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
const keyOf = ({ kind, name, tenantIds }: Principal): string => JSON.stringify([kind, name, tenantIds.toSorted()]);
