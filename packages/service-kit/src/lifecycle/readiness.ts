/** Whether a service may be given work, and why not. */
export interface Readiness {
  /** @param why for people; null: this is no reason against it any more. */
  set(reason: string, why: string | null): void;
  /** What speaks against it; empty: ready. */
  readonly reasons: Readonly<Record<string, string>>;
  readonly isReady: boolean;
  /** Called at each change between ready and not. */
  onChange(listener: (isReady: boolean) => void): void;
}

export function openReadiness(): Readiness {
  const reasons = new Map<string, string>();
  const listeners: ((isReady: boolean) => void)[] = [];
  return {
    set(reason, why) {
      const before = reasons.size === 0;
      if (why === null) reasons.delete(reason);
      else reasons.set(reason, why);
      const after = reasons.size === 0;
      if (before !== after) for (const listener of listeners) listener(after);
    },
    get reasons() {
      return Object.fromEntries(reasons);
    },
    get isReady() {
      return reasons.size === 0;
    },
    onChange: (listener) => void listeners.push(listener),
  };
}
