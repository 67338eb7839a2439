import {
  drawRandom,
  type Located,
  type Secrets,
  type TokenDraft,
  type TokenMethod,
  type TokenRecord,
  tokenIdOf,
} from '@touchstone/core';
import { openedBy, payloadIn, payloadOf, signPayload } from '../jwt/access-token.ts';
import { decrypt, encrypt } from '../jwt/encryption.ts';
import type { KeyRing } from '../keys/key-ring.ts';
import type { Signers } from '../keys/signers.ts';
import { formatIdentity, type Identity, identify, newIdentity } from '../opaque/identity.ts';
import { hashOfString, openRecordOf, sealedRecord } from '../opaque/record.ts';

const letter = 'e';
const uniqueBytes = 32;

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
      if (!openRecordOf(token, 'encrypted', record, secrets.seal)) return null;
      const jws = decrypt(rest, keys.contentKey(identifying));
      return jws && openedBy(payloadIn(jws.toString()), record);
    },
  };
}
