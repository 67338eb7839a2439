/** A value that may be there already. A promise costs a call more than what is decided in it. */
export type Awaitable<Value> = Value | Promise<Value>;

/** Goes on with a value: at once where it is there. What `next` throws is thrown, or what the promise fails with. */
export const andThen = <Value, Result>(
  value: Awaitable<Value>,
  next: (value: Value) => Awaitable<Result>,
): Awaitable<Result> => (value instanceof Promise ? value.then(next) : next(value));
