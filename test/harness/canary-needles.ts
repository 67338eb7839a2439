import { base62Chunks, base62Number } from './canary-base62.ts';

/** A secret that must not be found. A string stands for its UTF-8 bytes. */
export interface Canary {
  readonly name: string;
  readonly value: string | Buffer;
}

/** One byte string that gives a canary away, and the encoding in which it does. */
export interface Needle {
  readonly canary: string;
  readonly encoding: string;
  readonly bytes: Buffer;
}

/**
 * Shortest canary, in bytes: at the least favourable alignment of chunked base62 a
 * shorter one holds no whole chunk, so it could stand there unseen.
 */
export const canaryBytesMin = 9;

type Encodings = Iterable<readonly [encoding: string, bytes: Buffer | string]>;

const alignedBase64 = [0, 1, 2].map((ahead) => [ahead, ceilDiv(8 * ahead, 6)] as const);
// What the usual writers of JSON escape as \uXXXX: all, all but harmless ones, what HTML minds, what is not ASCII.
const escapedCharacters = [/./gs, /[^0-9A-Za-z]/g, /[^\w.-]/g, /[<>&'"+]/g, /[^ -~]/g];
const uuidShape = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * Every byte string that gives the canary away. Of two equal ones the first name stays:
 * base64 and base64url differ only where the middle holds one of `+/`.
 * @throws RangeError when the canary is too short to be found in every encoding.
 */
export function needlesOf(canary: Canary): readonly Needle[] {
  const bytes = Buffer.from(canary.value as string);
  if (bytes.length < canaryBytesMin) {
    throw new RangeError(`canary ${canary.name} is shorter than ${canaryBytesMin} bytes`);
  }
  const needles = new Map<string, Needle>();
  for (const [encoding, form] of encodingsOf(canary.value, bytes)) {
    const needle = { canary: canary.name, encoding, bytes: Buffer.from(form as string) };
    const key = needle.bytes.toString('latin1');
    // Only a number with leading zero bytes gets this short; a few digits would match anything.
    if (needle.bytes.length >= 7 && !needles.has(key)) needles.set(key, needle);
  }
  return [...needles.values()];
}

function* encodingsOf(value: string | Buffer, bytes: Buffer): Encodings {
  yield* byteEncodings(bytes);
  if (typeof value !== 'string') return;
  yield* textEncodings(value);
  if (!uuidShape.test(value)) return;
  // A uuid column, or a careful codec, keeps the sixteen bytes and not the text.
  const packed = Buffer.from(value.replaceAll('-', ''), 'hex');
  for (const [encoding, form] of byteEncodings(packed)) yield [`uuid ${encoding}`, form];
}

function* byteEncodings(bytes: Buffer): Encodings {
  yield ['raw', bytes];
  yield ['hex', bytes.toString('hex')];
  yield ['hex-upper', bytes.toString('hex').toUpperCase()];
  yield* base64Middles(bytes, 'base64');
  yield* base64Middles(bytes, 'base64url');
  yield ['base62', base62Number(bytes)];
  yield* base62Middles(bytes);
  yield ['reversed', Buffer.from(bytes).reverse()];
  yield ['percent', percentEncoded(bytes)];
  // How console.log and JSON.stringify show a Buffer.
  yield ['hex-spaced', bytes.toString('hex').replaceAll(/(..)(?=.)/g, '$1 ')];
  yield ['decimal', bytes.join(',')];
  yield ['decimal-spaced', bytes.join(', ')];
}

function* textEncodings(text: string): Encodings {
  yield ['utf16le', Buffer.from(text, 'utf16le')];
  yield ['utf16be', Buffer.from(text, 'utf16le').swap16()];
  yield ['lower-case', text.toLowerCase()];
  yield ['upper-case', text.toUpperCase()];
  yield ['json', JSON.stringify(text).slice(1, -1)];
  for (const escaped of escapedCharacters) yield ['json-escaped', jsonEscaped(text, escaped)];
  yield ['uri', encodeURIComponent(text)];
  yield ['uri', encodeURIComponent(text).replaceAll(/%../g, (escaped) => escaped.toLowerCase())];
  yield ['uri', encodeURI(text)];
  yield ['uri', new URLSearchParams([['', text]]).toString().slice(1)];
}

/**
 * The characters that the bytes alone decide, wherever they stand in a longer stream:
 * with `ahead` bytes of the group before them, the first and last character may be shared.
 */
function* base64Middles(bytes: Buffer, alphabet: 'base64' | 'base64url'): Encodings {
  for (const [ahead, first] of alignedBase64) {
    const whole = Buffer.concat([Buffer.alloc(ahead), bytes]);
    yield [`${alphabet}@${ahead}`, whole.toString(alphabet).slice(first, Math.floor((8 * whole.length) / 6))];
  }
}

function* base62Middles(bytes: Buffer): Encodings {
  for (let ahead = 0; ahead < 5; ahead++) {
    const first = (5 - ahead) % 5;
    const length = bytes.length - first - ((bytes.length - first) % 5);
    yield [`base62-chunks@${ahead}`, base62Chunks(bytes.subarray(first, first + length))];
  }
}

function percentEncoded(bytes: Buffer): string {
  return bytes.toString('hex').toUpperCase().replaceAll(/../g, '%$&');
}

function jsonEscaped(text: string, which: RegExp): string {
  return text.replaceAll(which, (unit) =>
    [...Array(unit.length).keys()].map((at) => `\\u${unit.charCodeAt(at).toString(16).padStart(4, '0')}`).join(''),
  );
}

function ceilDiv(dividend: number, divisor: number): number {
  return Math.ceil(dividend / divisor);
}
