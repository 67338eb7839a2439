import { create, type DescMessage, equals, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { expect } from 'vitest';
import { validateMessage } from './field-rules.ts';

/** What becomes of bytes on their way from somebody who means harm. */
const harm: fc.Arbitrary<(bytes: Uint8Array) => Uint8Array> = fc.oneof(
  { weight: 4, arbitrary: fc.constant((bytes: Uint8Array) => bytes) },
  fc.nat().map((at) => (bytes: Uint8Array) => bytes.subarray(0, at % (bytes.length + 1))),
  fc.tuple(fc.nat(), fc.nat(255)).map(([at, byte]) => (bytes: Uint8Array) => {
    const changed = Uint8Array.from(bytes);
    if (bytes.length > 0) changed[at % bytes.length] = byte;
    return changed;
  }),
  fc.constant((bytes: Uint8Array) => Buffer.concat([bytes, bytes])),
  fc.uint8Array({ maxLength: 4 }).map((more) => (bytes: Uint8Array) => Buffer.concat([bytes, more])),
);

/** For tests: what is read as a plain request is what any message is read as, and keeps the rules. */
export function requireReadAlike<Schema extends DescMessage>(
  schema: Schema,
  read: (bytes: Uint8Array) => object | null,
  requests: fc.Arbitrary<MessageInitShape<Schema>>,
): void {
  const property = fc.property(requests, harm, (request, harmed) => {
    const bytes = harmed(toBinary(schema, create(schema, request)));
    const plain = read(bytes);
    if (!plain) return;
    const message = fromBinary(schema, bytes);
    expect(message.$unknown).toBeUndefined();
    expect(equals(schema, plain as typeof message, message)).toBe(true);
    expect(validateMessage(schema, message)).toBeNull();
  });
  fc.assert(property, { numRuns: 3_000 });
}

/** For tests: whether a request is read as a plain one. */
export const isPlain = <Schema extends DescMessage>(
  schema: Schema,
  read: (bytes: Uint8Array) => object | null,
  request: MessageInitShape<Schema>,
): boolean => read(toBinary(schema, create(schema, request))) !== null;
