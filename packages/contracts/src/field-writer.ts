import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { DurationSchema, TimestampSchema } from '@bufbuild/protobuf/wkt';

/** A field, by its descriptor. */
export type Field = { readonly number: number };

/**
 * Writes a message field by field, which costs a third of making the message first. What a field has when it is absent is
 * not written.
 */
export class FieldWriter extends BinaryWriter {
  /** The bytes of what `write` writes. It may be used again and again: then it need not grow. */
  written(write: () => void): Uint8Array {
    // Nobody gets what a message that could not be written has left.
    this.finish();
    write();
    return this.finish();
  }

  text({ number }: Field, text: string): void {
    if (text !== '') this.tag(number, WireType.LengthDelimited).string(text);
  }

  texts({ number }: Field, texts: readonly string[]): void {
    for (const text of texts) this.tag(number, WireType.LengthDelimited).string(text);
  }

  flag({ number }: Field, flag: boolean): void {
    if (flag) this.tag(number, WireType.Varint).bool(true);
  }

  /** A whole number, or a value of an enum. */
  number(field: Field, value: number): void {
    if (value !== 0) this.optionalNumber(field, value);
  }

  /** Of a field that tells 0 from nothing. */
  optionalNumber({ number }: Field, value: number): void {
    this.tag(number, WireType.Varint).uint64(value);
  }

  message({ number }: Field, write: () => void): void {
    this.tag(number, WireType.LengthDelimited).fork();
    write();
    this.join();
  }

  /** A Timestamp. @param milliseconds since 1970. */
  instant(field: Field, milliseconds: number): void {
    const seconds = Math.floor(milliseconds / 1_000);
    const nanos = (milliseconds - seconds * 1_000) * 1_000_000;
    this.message(field, () => {
      if (seconds !== 0) this.tag(TimestampSchema.field.seconds.number, WireType.Varint).int64(seconds);
      if (nanos !== 0) this.tag(TimestampSchema.field.nanos.number, WireType.Varint).int32(nanos);
    });
  }

  /** A Duration. */
  duration(field: Field, seconds: number): void {
    this.message(field, () => {
      if (seconds !== 0) this.tag(DurationSchema.field.seconds.number, WireType.Varint).int64(seconds);
    });
  }
}
