import type { JsonValue } from './token-method.ts';

/** As it is kept, and as it goes over the wire. */
const bytesOfValue = 64;
/** Objects with names that no other has take a description of their own. */
const bytesOfName = 144;

/** The memory that claims take beside the characters of their texts, at most. */
export function bytesOfValues(value: JsonValue): number {
  if (typeof value !== 'object' || value === null) return bytesOfValue;
  const items = Object.values(value);
  const own = bytesOfValue + (Array.isArray(value) ? 0 : bytesOfName * items.length);
  return items.reduce<number>((bytes, item) => bytes + bytesOfValues(item), own);
}
