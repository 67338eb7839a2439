import type { Signal } from './access/act.ts';

/** A request whose turn has not come, and whoever waits for its result. */
export interface Waiting<Request, Result> {
  readonly request: Request;
  readonly signal: Signal | undefined;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}
