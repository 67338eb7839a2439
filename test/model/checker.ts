/** One step of a system. */
export interface Step<State, Invariant> {
  readonly name: string;
  readonly state: State;
  /** The invariant that it breaks; null: none. */
  readonly broken: Invariant | null;
}

/** What can be searched: states, the steps from each, and what tells one state from another. */
export interface System<State, Invariant> {
  readonly initial: State;
  /** Every step that is possible in the state, which is left as it is. */
  readonly steps: (state: State) => readonly Step<State, Invariant>[];
  /** The same for equal states and for no others, or for others as seldom as two texts have the same hash. */
  readonly key: (state: State) => string;
}

export interface Searched<Invariant> {
  /** False where an invariant was broken, or there were more states than allowed. */
  readonly isComplete: boolean;
  readonly states: number;
  readonly transitions: number;
  readonly seconds: number;
  /** The first that was found, with the names of the steps that lead to it: there is no shorter way to a broken one. */
  readonly violation: { readonly invariant: Invariant; readonly trace: readonly string[] } | null;
}

/** Searches every state that can be reached, those first that fewer steps lead to, until an invariant is broken. */
export function search<State, Invariant>(
  { initial, steps, key }: System<State, Invariant>,
  statesMax: number,
): Searched<Invariant> {
  const begun = performance.now();
  const seen = new Set([key(initial)]);
  const paths = new Paths();
  let transitions = 0;
  const end = (isComplete: boolean, violation: Searched<Invariant>['violation']): Searched<Invariant> => {
    const seconds = (performance.now() - begun) / 1_000;
    return { isComplete, states: seen.size, transitions, seconds, violation };
  };

  let level = [{ state: initial, path: paths.add(-1, '') }];
  while (level.length > 0) {
    const next: typeof level = [];
    for (const { state, path } of level) {
      for (const step of steps(state)) {
        transitions++;
        if (step.broken !== null) return end(false, { invariant: step.broken, trace: [...paths.to(path), step.name] });
        const known = key(step.state);
        if (seen.has(known)) continue;
        seen.add(known);
        next.push({ state: step.state, path: paths.add(path, step.name) });
      }
      if (seen.size > statesMax) return end(false, null);
    }
    level = next;
  }
  return end(true, null);
}

/** How each state was reached first. */
class Paths {
  readonly #before: number[] = [];
  readonly #names: string[] = [];

  add(before: number, name: string): number {
    this.#names.push(name);
    return this.#before.push(before) - 1;
  }

  to(path: number): string[] {
    const names: string[] = [];
    for (let at = path; at > 0; at = this.#before[at] as number) names.push(this.#names[at] as string);
    return names.reverse();
  }
}
