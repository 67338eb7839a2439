import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { RevocationEventSchema } from '@touchstone/contracts/events';
import type { SealedRevision } from '@touchstone/core';
import { decodeExactly, Unreadable, wholeNumber } from './exact.ts';

/** The revision as touchstone.events.v1.RevocationEvent. */
export function encodeRevisionEvent({ revision, previousHash, content, hash }: SealedRevision): Uint8Array {
  const event = create(RevocationEventSchema, {
    revision: BigInt(revision),
    previousHash: Buffer.from(previousHash, 'hex'),
    content: new Uint8Array(content),
    hash: Buffer.from(hash, 'hex'),
  });
  return toBinary(RevocationEventSchema, event);
}

/** What `encodeRevisionEvent` made, or null. Whether it is a true revision, only the chain can tell. */
export function decodeRevisionEvent(bytes: Uint8Array): SealedRevision | null {
  try {
    return decodeExactly(bytes, revisionOf, encodeRevisionEvent);
  } catch {
    return null;
  }
}

function revisionOf(bytes: Uint8Array): SealedRevision {
  const { revision, previousHash, content, hash } = fromBinary(RevocationEventSchema, bytes);
  return {
    revision: wholeNumber(revision, 'revision', 1),
    previousHash: hexOf(previousHash),
    content,
    hash: hexOf(hash),
  };
}

function hexOf(hash: Uint8Array): string {
  if (hash.length !== 32) throw new Unreadable(`a hash has ${hash.length} bytes`);
  return Buffer.from(hash).toString('hex');
}
