/** Decodes bytes to a value, and refuses bytes that are not exactly those that the value is encoded to. */
export function decodeExactly<Value>(
  bytes: Uint8Array,
  decode: (bytes: Uint8Array) => Value,
  encode: (value: Value) => Uint8Array,
): Value {
  const value = decode(bytes);
  // Whatever else the bytes say - unknown fields at any level, fields said twice, parts of a millisecond - shows here.
  if (Buffer.compare(bytes, encode(value)) !== 0) throw new Unreadable('it says more, or says it otherwise');
  return value;
}

/** The bytes are not what they should be, or of a version that says more than is understood here. */
export class Unreadable extends Error {
  override readonly name = 'Unreadable';
}

/** The number, if it is one that is counted up from the least without ever losing precision. */
export function wholeNumber(value: number | bigint, field: string, least = 0): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number) || number < least) throw new Unreadable(`${field} is ${value}`);
  return number;
}

/** The text, if it is one: half a character would be encoded as another. */
export function wholeText(text: string, field: string): string {
  if (!text.isWellFormed()) throw new Unreadable(`${field} ends within a character`);
  return text;
}
