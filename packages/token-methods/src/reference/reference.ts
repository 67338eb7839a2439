import {
  drawRandom,
  type Located,
  type Secrets,
  type TokenDraft,
  type TokenMethod,
  type TokenRecord,
} from '@touchstone/core';
import type { KeyRing } from '../keys/key-ring.ts';
import { formatIdentity, identify, newIdentity } from '../opaque/identity.ts';
import { openRecord, sealedRecord } from '../opaque/record.ts';

const letter = 'r';
const uniqueBytes = 32;

type Hidden = [Secrets['userId'], Secrets['claims'], Secrets['principal'], ...string[]];

/**
 * REFERENCE: a random string that points to a record. It tells its holder nothing but the day on which it expires, and
 * costs one row. The record's key, the tag and the key that its claims are sealed under are each derived from the random
 * part and a key of the service: the database alone opens nothing, nor does the token alone. It dies by its record and by
 * watermarks.
 */
export function referenceMethod(keys: KeyRing) {
  return {
    name: 'reference',
    prefix: `tks_${letter}`,

    mint(draft: TokenDraft, { userId, claims, principal, actors = [] }: Secrets) {
      const identity = newIdentity(keys, letter, draft.expiresAt, drawRandom(uniqueBytes));
      const token = formatIdentity(identity);
      const authorisation = { ...draft, key: identity.key, method: 'reference', signingKeyId: null } as const;
      return {
        token,
        record: sealedRecord(authorisation, token, identity.secrets.seal, [userId, claims, principal, ...actors]),
      };
    },

    locate(token: string) {
      const identity = identify(keys, letter, token);
      return identity?.rest === '' ? { key: identity.key, material: identity.secrets.seal } : null;
    },

    open({ material }: Located, record: TokenRecord) {
      const hidden = openRecord('reference', record, material as Buffer);
      if (!hidden) return null;
      const [userId, claims, principal, ...actors] = hidden as Hidden;
      return { userId, claims, principal, actors, scopes: record.scopes, expiresAt: record.expiresAt, requests: [] };
    },
  } satisfies TokenMethod;
}
