import { hash, timingSafeEqual } from 'node:crypto';
import {
  authorisationBytes,
  drawRandom,
  type Located,
  type NewTokenRecord,
  partitionOf,
  type TokenDraft,
  type TokenKey,
  type TokenMethod,
  type TokenRecord,
} from '@touchstone/core';
import { currentKeyId, type KeyRing, type TokenKeys } from '../keys/key-ring.ts';
import { formatReference, identifyingOf, parseReference } from './reference-string.ts';
import { seal, unseal } from './seal.ts';

const letter = 'r';

/**
 * REFERENCE: a random string that points to a record. It tells its holder nothing but the day on which it expires, and
 * costs one row. The record's key, the tag and the key that its claims are sealed under are each derived from the random
 * part and a key of the service: the database alone opens nothing, nor does the token alone.
 */
export function referenceMethod(keys: KeyRing): TokenMethod {
  const keyOf = (partition: number, { lookup }: TokenKeys): TokenKey => ({ partition, key: lookup });

  return {
    name: 'reference',
    letter,

    mint(draft: TokenDraft, secrets) {
      const partition = partitionOf(draft.expiresAt);
      const identifying = identifyingOf(letter, partition, currentKeyId, drawRandom(32));
      const tokenKeys = keys.tokenKeys(identifying);
      const token = formatReference(identifying, tokenKeys.tag);
      const authorisation = {
        ...draft,
        key: keyOf(partition, tokenKeys),
        method: 'reference',
        signingKeyId: null,
      } as const;
      const record: NewTokenRecord = {
        ...authorisation,
        tokenHash: hash('sha256', token),
        tagKeyId: currentKeyId,
        sealKeyId: currentKeyId,
        sealed: seal(tokenKeys.seal, secrets, authorisationBytes(authorisation)),
      };
      return { token, record };
    },

    locate(token) {
      const parts = parseReference(letter, token);
      if (parts?.keyId !== currentKeyId) return null;
      const tokenKeys = keys.tokenKeys(parts.identifying);
      if (!timingSafeEqual(tokenKeys.tag, parts.tag)) return null;
      return { key: keyOf(parts.partition, tokenKeys), material: tokenKeys.seal };
    },

    open({ material }: Located, record: TokenRecord) {
      if (record.method !== 'reference' || record.sealKeyId !== currentKeyId) return null;
      const secrets = unseal(material as Buffer, record.sealed, authorisationBytes(record));
      return secrets && { ...secrets, scopes: record.scopes, expiresAt: record.expiresAt };
    },
  };
}
