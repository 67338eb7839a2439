import { Internal } from '@touchstone/core';

/** A field that the rules of its message have made sure of already. */
export function required<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Internal(new Error('a required field got past the field rules'));
  return value;
}
