import { Code, ConnectError } from '@connectrpc/connect';
import { ErrorInfoSchema } from '@touchstone/contracts/google-rpc';

/** What came of a call, and how long it took. */
export type Outcome<Answer> = { readonly milliseconds: number } & (
  | { readonly ok: true; readonly answer: Answer }
  | { readonly ok: false; readonly code: string; readonly reason: string; readonly message: string }
);

export type Failure = Extract<Outcome<unknown>, { ok: false }>;

/** Waits for a call; its failure is an outcome too. */
export async function outcomeOf<Answer>(call: Promise<Answer>): Promise<Outcome<Answer>> {
  const started = performance.now();
  const milliseconds = () => Math.round(performance.now() - started);
  try {
    const answer = await call;
    return { ok: true, answer, milliseconds: milliseconds() };
  } catch (error) {
    return { ok: false, ...failureOf(error), milliseconds: milliseconds() };
  }
}

function failureOf(error: unknown): { code: string; reason: string; message: string } {
  const failure = ConnectError.from(error);
  const [info] = failure.findDetails(ErrorInfoSchema);
  return { code: Code[failure.code], reason: info?.reason ?? '', message: failure.rawMessage };
}
