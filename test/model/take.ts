import type { Invariant, State } from './state.ts';

/** What a step does to a copy of the state. It returns the promise that it breaks, where it answers anybody. */
export type Change = ((next: State) => void) | ((next: State) => Invariant | null);

export type Take = (name: string, change: Change) => void;
