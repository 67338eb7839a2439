import { timingSafeEqual } from 'node:crypto';
import {
  type Caveat,
  drawRandom,
  formatMacaroon,
  type Located,
  macaroonLetter as letter,
  macaroonSignature,
  parseCaveat,
  parseMacaroon,
  type Secrets,
  type TokenDraft,
  type TokenMethod,
  type TokenRecord,
} from '@touchstone/core';
import type { KeyRing } from '../keys/key-ring.ts';
import { identify, newIdentity } from '../opaque/identity.ts';
import { openRecord, sealedRecord } from '../opaque/record.ts';

const uniqueBytes = 32;

interface Material {
  readonly seal: Buffer;
  readonly caveats: readonly Caveat[];
}

/**
 * ATTENUABLE: a macaroon. Its holder can narrow a copy without asking anybody - to some of its scopes, to less time, to one
 * request - and nobody can widen one. The root key is derived from the random part and a key of the service, and kept
 * nowhere; claims lie in the record, as with REFERENCE. A holder learns the day on which it expires, and the caveats. It
 * costs a row. It dies, with all its copies, by its record and by watermarks.
 */
export function attenuableMethod(keys: KeyRing): TokenMethod {
  return {
    name: 'attenuable',
    prefix: `tks_${letter}`,

    mint(draft: TokenDraft, { userId, claims }: Secrets) {
      const { key, identifying, secrets } = newIdentity(keys, letter, draft.expiresAt, drawRandom(uniqueBytes));
      const signature = macaroonSignature(keys.macaroonKey(identifying), identifying, []);
      const token = formatMacaroon({ identifying, tag: secrets.tag, caveats: [], signature });
      const authorisation = { ...draft, key, method: 'attenuable', signingKeyId: null } as const;
      return { token, record: sealedRecord(authorisation, token, secrets.seal, [userId, claims]) };
    },

    locate(token) {
      const identity = identify(keys, letter, token);
      const macaroon = identity && parseMacaroon(token);
      if (!macaroon) return null;
      const { key, identifying, secrets } = identity;
      const signature = macaroonSignature(keys.macaroonKey(identifying), identifying, macaroon.caveats);
      if (!timingSafeEqual(signature, macaroon.signature)) return null;
      const caveats = macaroon.caveats.map(parseCaveat);
      if (!caveats.every((caveat) => caveat !== null)) return null;
      return { key, material: { seal: secrets.seal, caveats } satisfies Material };
    },

    open({ material }: Located, record: TokenRecord) {
      const { seal, caveats } = material as Material;
      const hidden = openRecord('attenuable', record, seal);
      if (!hidden) return null;
      const [userId, claims] = hidden as [Secrets['userId'], Secrets['claims']];
      return { userId, claims, principal: null, ...allowedUnder(caveats, record) };
    },
  };
}

/** What is left of what the record allows. */
function allowedUnder(caveats: readonly Caveat[], { scopes, expiresAt }: TokenRecord) {
  let left = { scopes, expiresAt, requests: [] as readonly string[] };
  for (const caveat of caveats) {
    switch (caveat.kind) {
      case 'scopes':
        left = { ...left, scopes: left.scopes.filter((one) => caveat.scopes.includes(one)) };
        break;
      case 'expiry':
        left = { ...left, expiresAt: Math.min(left.expiresAt, caveat.expiresAt * 1_000) };
        break;
      case 'request':
        left = { ...left, requests: [...left.requests, caveat.binding] };
        break;
    }
  }
  return left;
}
