/** Why a decoder stopped: at its end, at an error, for want of input, or at the limit of its output. */
export type Outcome = 'ended' | 'broken' | 'hungry' | 'full';

/** Whatever was decoded until then counts: half a stream may hold a secret. */
export interface Decoded {
  readonly output: Buffer;
  readonly outcome: Outcome;
}

/** Reads from the input and writes to the output until the end, or throws a Stop. */
export type Decoder = (input: Input, output: Output) => void;

class Stop extends Error {
  override readonly name = 'Stop';
  readonly outcome: Outcome;
  constructor(outcome: Outcome) {
    super(`decoding stopped: ${outcome}`);
    this.outcome = outcome;
  }
}

// Made once: nearly every candidate is a false one, and a stack trace costs more than the attempt.
const broken = new Stop('broken');
const hungry = new Stop('hungry');
const full = new Stop('full');

/** Runs a decoder and keeps what it wrote, however it stopped. */
export function decode(decoder: Decoder, bytes: Buffer, outputMax: number): Decoded {
  const output = new Output(outputMax);
  try {
    decoder(new Input(bytes, false), output);
    return { output: output.bytes(), outcome: 'ended' };
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    return { output: output.bytes(), outcome: error.outcome };
  }
}

/** Stops the decoder: this is not what it takes it for. */
export function fail(): never {
  throw broken;
}

/** The compressed bytes; running out of them stops the decoder. */
export class Input {
  readonly bytes: Buffer;
  at = 0;
  /** Nothing can follow, so running out is an error and not a wish for more. */
  readonly #whole: boolean;

  constructor(bytes: Buffer, whole: boolean) {
    this.bytes = bytes;
    this.#whole = whole;
  }

  get left(): number {
    return this.bytes.length - this.at;
  }

  starve(): never {
    throw this.#whole ? broken : hungry;
  }

  /** The decoder has met the end of its input: fine if nothing can follow. */
  finish(): void {
    if (!this.#whole) throw hungry;
  }

  byte(): number {
    return this.bytes[this.at++] ?? this.starve();
  }

  /** An unsigned little-endian number of up to 6 bytes. */
  little(bytes: number): number {
    return this.bytes.readUIntLE(this.#step(bytes), bytes);
  }

  /** An unsigned big-endian number of up to 6 bytes. */
  big(bytes: number): number {
    return this.bytes.readUIntBE(this.#step(bytes), bytes);
  }

  skip(bytes: number): void {
    this.#step(bytes);
  }

  /** The next bytes as an input of their own, short if they are not all there. */
  part(bytes: number): Input {
    const whole = this.#whole || bytes <= this.left;
    const part = new Input(this.bytes.subarray(this.at, this.at + bytes), whole);
    this.at += part.bytes.length;
    return part;
  }

  /** Copies literally; what there is of it, if it is not all there. */
  copyTo(output: Output, bytes: number): void {
    const part = this.bytes.subarray(this.at, this.at + bytes);
    this.at += part.length;
    output.append(part);
    if (part.length < bytes) this.starve();
  }

  #step(bytes: number): number {
    if (bytes > this.left) this.starve();
    this.at += bytes;
    return this.at - bytes;
  }
}

/** What was decompressed so far, up to a limit. */
export class Output {
  length = 0;
  readonly max: number;
  #buffer = Buffer.allocUnsafe(512);

  constructor(max: number) {
    this.max = max;
  }

  push(byte: number): void {
    if (this.length === this.#buffer.length) this.#reserve(1);
    this.#buffer[this.length++] = byte;
  }

  append(bytes: Buffer): void {
    const fits = Math.min(bytes.length, this.max - this.length);
    this.#reserve(fits);
    this.length += bytes.copy(this.#buffer, this.length, 0, fits);
    if (fits < bytes.length) throw full;
  }

  /** Repeats `count` bytes from `distance` back; the two may overlap. */
  repeat(distance: number, count: number): void {
    if (distance <= 0 || distance > this.length) throw broken;
    const end = Math.min(this.length + count, this.max);
    this.#reserve(end - this.length);
    const buffer = this.#buffer;
    for (let to = this.length; to < end; to++) buffer[to] = buffer[to - distance] as number;
    const cut = end < this.length + count;
    this.length = end;
    if (cut) throw full;
  }

  bytes(): Buffer {
    return this.#buffer.subarray(0, this.length);
  }

  #reserve(more: number): void {
    const wanted = this.length + more;
    if (wanted <= this.#buffer.length) return;
    if (this.length >= this.max) throw full;
    const grown = Buffer.allocUnsafe(Math.min(this.max, Math.max(wanted, 4 * this.#buffer.length)));
    this.#buffer.copy(grown, 0, 0, this.length);
    this.#buffer = grown;
  }
}
