import { TouchstoneError } from '@touchstone/core';

/**
 * What the log may hold of an error: its class, its code and where it was thrown. Messages of others can quote what they
 * were given - rows, tokens, passwords - so none is told but ours, and those of key encryptions: they say what to check.
 */
export function describeFault(error: unknown): object {
  if (!(error instanceof Error)) return { class: typeof error };
  const code = 'code' in error ? String(error.code) : '';
  return {
    class: error.constructor.name,
    code: /^[\w.-]{1,64}$/.test(code) ? code : undefined,
    message: error instanceof TouchstoneError || isOfKeyEncryption(error) ? error.message : undefined,
    stack: framesOf(error),
    // What callers are told of says that something failed; what lies behind it says what.
    cause: error.cause === undefined ? undefined : describeFault(error.cause),
  };
}

/** By the name that the class gives itself: keys are no part of what every service stands on. */
const isOfKeyEncryption = (error: Error): boolean =>
  Object.hasOwn(error, 'name') && error.name === 'KeyEncryptionFailed' && error.constructor.name === error.name;

/** The stack begins with the message, which can have lines that look like frames. */
function framesOf({ message, stack = '' }: Error): string[] {
  const end = stack.indexOf(`${message}\n    at `);
  if (end < 0 || stack.slice(0, end).includes('\n')) return [];
  return stack.slice(end + message.length + 1).split('\n');
}
