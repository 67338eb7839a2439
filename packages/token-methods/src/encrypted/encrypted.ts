import {
  bytesOfValues,
  drawRandom,
  type Located,
  type Secrets,
  type TokenDraft,
  type TokenMethod,
  type TokenRecord,
  tokenIdOf,
} from '@touchstone/core';
import { LRUCache } from 'lru-cache';
import { type AccessTokenPayload, openedBy, payloadIn, payloadOf, signPayload } from '../jwt/access-token.ts';
import { decrypt, encrypt } from '../jwt/encryption.ts';
import type { KeyRing } from '../keys/key-ring.ts';
import type { Signers } from '../keys/signers.ts';
import { formatIdentity, type Identity, identify, newIdentity } from '../opaque/identity.ts';
import { hashOfString, openRecordOf, sealedRecord } from '../opaque/record.ts';

const letter = 'e';
const uniqueBytes = 32;
/** What is remembered of strings that have been decrypted, about. */
const decryptedBytesMax = 32 * 1_048_576;
const entryBytes = 500;
const bytesOfCharacter = 2;

type Material = Identity & { readonly token: string; readonly rest: string };

/**
 * ENCRYPTED: a JWT encrypted to ourselves (RFC 7516 around RFC 9068), behind what identifies it. The content key is fresh
 * for each token: derived from its random part and a key of the service, kept and sent nowhere. Its holder sees its length
 * and the day on which it expires, and no more. It costs a row, a signature and up to 8 KB to carry around. It dies by its
 * record, by watermarks and with its signing key.
 *
 * @param issuer the `iss` of its tokens.
 */
export function encryptedMethod(keys: KeyRing, signing: Signers, issuer: string): TokenMethod {
  // The cryptography is done once; whether the token is honoured is decided each time.
  const decrypted = new LRUCache<string, AccessTokenPayload>({ maxSize: decryptedBytesMax });

  return {
    name: 'encrypted',
    prefix: `tks_${letter}`,

    async mint(draft: TokenDraft, secrets: Secrets) {
      const identity = newIdentity(keys, letter, draft.expiresAt, drawRandom(uniqueBytes));
      const { key } = identity;
      const signer = await signing.signer(draft.tenantId, draft.policyVersion);
      const jws = await signPayload(payloadOf(draft, secrets, issuer, tokenIdOf(key)), signer);
      const jwe = encrypt(Buffer.from(jws), keys.contentKey(identity.identifying), { cty: 'JWT' });
      const token = formatIdentity(identity, jwe);
      const authorisation = { ...draft, key, method: 'encrypted', signingKeyId: signer.keyId } as const;
      return { token, record: sealedRecord(authorisation, token, identity.secrets.seal, [hashOfString(token)]) };
    },

    locate(token) {
      const identity = identify(keys, letter, token);
      return identity && { key: identity.key, material: { ...identity, token } satisfies Material };
    },

    open({ material }: Located, record: TokenRecord) {
      const { token, rest, secrets, identifying } = material as Material;
      const hashed = hashOfString(token);
      if (!openRecordOf(hashed, 'encrypted', record, secrets.seal)) return null;
      const known = decrypted.get(hashed);
      if (known) return openedBy(known, record);
      const jws = decrypt(rest, keys.contentKey(identifying));
      if (!jws) return null;
      const payload = payloadIn(jws.toString());
      const size = entryBytes + bytesOfCharacter * rest.length + bytesOfValues(payload.claims);
      decrypted.set(hashed, payload, { size });
      return openedBy(payload, record);
    },
  };
}
