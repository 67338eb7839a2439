const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const digitOf = new Int8Array(128).fill(-1);
for (let i = 0; i < 62; i++) digitOf[alphabet.charCodeAt(i)] = i;

/** Characters for a tail of 0 to 4 bytes; five bytes take seven. */
const tailCharacters = [0, 2, 3, 5, 6];
const tailBytes = [0, -1, 1, 2, -1, 3, 4];

const codes = Buffer.from(alphabet, 'latin1');

/** Five bytes at a time, big-endian, as seven digits: fast without big numbers, and the length tells the length. */
export function encodeBase62(bytes: Uint8Array): string {
  const text = Buffer.allocUnsafe(Math.floor(bytes.length / 5) * 7 + (tailCharacters[bytes.length % 5] as number));
  for (let from = 0, at = 0; from < bytes.length; from += 5, at += 7) {
    const end = Math.min(from + 5, bytes.length);
    let value = 0;
    for (let i = from; i < end; i++) value = value * 256 + (bytes[i] as number);
    for (let i = Math.min(at + 7, text.length) - 1; i >= at; i--) {
      const rest = Math.floor(value / 62);
      text[i] = codes[value - rest * 62] as number;
      value = rest;
    }
  }
  return text.toString('latin1');
}

/**
 * What `encodeBase62` made, or null: every byte string has exactly one text, and no other text is taken.
 *
 * @param room so many bytes are left free before it.
 */
export function decodeBase62(text: string, room = 0): Buffer | null {
  const tail = tailBytes[text.length % 7] as number;
  if (tail < 0) return null;
  const bytes = Buffer.alloc(room + Math.floor(text.length / 7) * 5 + tail);
  for (let at = room, from = 0; from < text.length; at += 5, from += 7) {
    const count = Math.min(5, bytes.length - at);
    const value = numberOf(text, from, Math.min(from + 7, text.length));
    if (value < 0 || value >= 256 ** count) return null;
    bytes.writeUIntBE(value, at, count);
  }
  return bytes;
}

function numberOf(text: string, from: number, to: number): number {
  let value = 0;
  for (let i = from; i < to; i++) {
    const digit = digitOf[text.charCodeAt(i)] ?? -1;
    if (digit < 0) return -1;
    value = value * 62 + digit;
  }
  return value;
}
