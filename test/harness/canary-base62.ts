const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** Characters that a chunk of 0 to 5 bytes becomes in chunked base62. */
const charactersOf = [0, 2, 3, 5, 6, 7] as const;

/** All bytes as one big-endian number in base62 (0-9A-Za-z), without leading zeros. */
export function base62Number(bytes: Buffer): string {
  let rest = BigInt(`0x0${bytes.toString('hex')}`);
  let digits = '';
  for (; rest > 0n; rest /= 62n) digits = alphabet[Number(rest % 62n)] + digits;
  return digits || '0';
}

/** The project's chunked base62: 5 bytes become 7 characters, a tail of 1-4 bytes becomes 2, 3, 5 or 6. */
export function base62Chunks(bytes: Buffer): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 5) {
    const chunk = bytes.subarray(at, at + 5);
    text += base62Number(chunk).padStart(charactersOf[chunk.length] ?? 7, '0');
  }
  return text;
}
