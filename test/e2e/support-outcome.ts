import { Code, ConnectError } from '@connectrpc/connect';
import { type ErrorReason, ErrorReasonSchema } from '@touchstone/contracts';
import { ErrorInfoSchema } from '@touchstone/contracts/google-rpc';
import { expect } from 'vitest';

/** An error as programs see it. */
export interface Failure {
  readonly code: string;
  readonly reason: string;
  readonly message: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** What the call failed with: every error carries a reason of ours. */
export async function failureOf(call: Promise<unknown>): Promise<Failure> {
  const error = await call.then(
    () => expect.unreachable('the call succeeded'),
    (failure: unknown) => ConnectError.from(failure),
  );
  const [info] = error.findDetails(ErrorInfoSchema);
  expect(info, `${Code[error.code]}: ${error.rawMessage}`).toMatchObject({ domain: 'touchstone' });
  const { reason = '', metadata = {} } = info ?? {};
  return { code: Code[error.code], reason, message: error.rawMessage, metadata };
}

/** `ok`, or the code and the reason of the error. */
export async function outcomeOf(call: Promise<unknown>): Promise<string> {
  const succeeded = await call.then(
    () => true,
    () => false,
  );
  if (succeeded) return 'ok';
  const { code, reason } = await failureOf(call);
  return `${code} ${reason}`;
}

type BatchResult = { readonly outcome: { readonly case: string | undefined; readonly value?: unknown } };

/** The outcome of the only result of a batch, as if it had been called for alone. */
export async function outcomeInBatch(call: Promise<{ readonly results: readonly BatchResult[] }>): Promise<void> {
  const { results } = await call;
  expect(results).toHaveLength(1);
  if (results[0]?.outcome.case !== 'error') return;
  const { code, reason, message, metadata } = results[0].outcome.value as {
    code: Code;
    reason: ErrorReason;
    message: string;
    metadata: Record<string, string>;
  };
  const info = { domain: 'touchstone', reason: ErrorReasonSchema.value[reason]?.localName ?? '', metadata };
  throw new ConnectError(message, code, undefined, [{ desc: ErrorInfoSchema, value: info }]);
}
