import type { DescMethod, MessageShape } from '@bufbuild/protobuf';
import type { GenEnum } from '@bufbuild/protobuf/codegenv2';
import type { WireType } from '@bufbuild/protobuf/wire';

/**
 * Reads a request that is plain: made up as most are, and sure to keep the rules of its fields. Null for all others, which
 * are then decoded and judged as any message is. To read a plain one costs a tenth of that.
 */
export type ReadPlain<Method extends DescMethod> = (bytes: Uint8Array) => MessageShape<Method['input']> | null;

/** Makes it of what takes the fields of a message one by one. */
export const readPlain =
  <Shape>(read: (from: PlainReader) => Shape) =>
  (bytes: Uint8Array): Shape | null => {
    const from = new PlainReader(bytes);
    const message = read(from);
    return from.isPlain ? message : null;
  };

/** What stands before a field; such a tag has one byte, up to field 15. */
export const tagOf = ({ number }: { readonly number: number }, wireType: WireType): number => (number << 3) | wireType;

/** There are no more fields in the message. */
const ended = -1;

const textMax = 64;
const depthMax = 16;
const batchMax = 1_000;
const printable = /^[\x20-\x7e]+$/;

/** Knows few forms. Once it has met another nothing that it reads means anything, and it says so. */
export class PlainReader {
  readonly #bytes: Buffer;
  #at = 0;
  #end: number;
  #depth = 0;
  #isPlain = true;

  constructor({ buffer, byteOffset, byteLength }: Uint8Array) {
    this.#bytes = Buffer.from(buffer, byteOffset, byteLength);
    this.#end = byteLength;
  }

  get isPlain(): boolean {
    return this.#isPlain;
  }

  /** What is not so makes a message one that is not plain. */
  require(condition: boolean): void {
    if (!condition) this.#isPlain = false;
  }

  /** Takes the fields of this message one after the other, each by its tag. */
  fields(take: (tag: number) => void): void {
    for (let tag = this.tag(); tag !== ended; tag = this.tag()) take(tag);
  }

  tag(): number {
    return this.#isPlain && this.#at < this.#end ? (this.#bytes[this.#at++] as number) : ended;
  }

  /** A whole number from 0 to 2^31 - 1. */
  number(): number {
    let value = 0;
    for (let factor = 1; factor < 2 ** 31 && this.#at < this.#end; factor *= 128) {
      const byte = this.#bytes[this.#at++] as number;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) {
        this.require(value < 2 ** 31);
        return value;
      }
    }
    return this.#none(0);
  }

  bool(): boolean {
    const value = this.number();
    this.require(value <= 1);
    return value === 1;
  }

  double(): number {
    if (this.#end - this.#at < 8) return this.#none(0);
    const value = this.#bytes.readDoubleLE(this.#at);
    this.#at += 8;
    this.require(Number.isFinite(value));
    return value;
  }

  /** Printable ASCII, of a character at least. */
  text(max = textMax): string {
    const size = this.number();
    if (size > max || size > this.#end - this.#at) return this.#none('');
    const text = this.#bytes.toString('latin1', this.#at, this.#at + size);
    this.#at += size;
    this.require(printable.test(text));
    return text;
  }

  /** As text, of a form. */
  textLike(form: RegExp): string {
    const text = this.text();
    this.require(form.test(text));
    return text;
  }

  /** A value of an enum that has a name. */
  valueOf<Value extends number>({ value: values }: GenEnum<Value>): Value {
    const value = this.number();
    this.require(Object.hasOwn(values, value));
    return value as Value;
  }

  /** What is in this message, where that is nothing but messages of one field: as many as a batch takes. */
  messages<Shape>(fieldTag: number, read: (from: PlainReader) => Shape): Shape[] {
    const messages: Shape[] = [];
    this.fields((tag) => {
      this.require(tag === fieldTag);
      const message = this.message(read);
      if (message !== undefined) messages.push(message);
    });
    this.require(messages.length >= 1 && messages.length <= batchMax);
    return messages;
  }

  /** A message inside this one; `read` has to take all of it. */
  message<Shape>(read: (from: PlainReader) => Shape): Shape | undefined {
    const size = this.number();
    const [end, outerEnd] = [this.#at + size, this.#end];
    if (end > outerEnd || this.#depth === depthMax) return this.#none(undefined);
    this.#end = end;
    this.#depth++;
    const message = read(this);
    this.require(this.#at === end);
    this.#depth--;
    this.#end = outerEnd;
    return message;
  }

  #none<Nothing>(nothing: Nothing): Nothing {
    this.#isPlain = false;
    return nothing;
  }
}
