import { randomUUID } from 'node:crypto';
import type { Located, Secrets, TokenDraft, TokenMethod, TokenRecord } from '@touchstone/core';
import { openedBy, payloadIn, payloadOf, signPayload } from '../jwt/access-token.ts';
import type { KeyRing } from '../keys/key-ring.ts';
import type { Signers } from '../keys/signers.ts';
import { formatIdentity, identify, newIdentity } from '../opaque/identity.ts';
import { openRecord, sealedRecord } from '../opaque/record.ts';

const letter = 's';

/**
 * SPLIT: of a JWT access token the holder gets the signature alone. Head and claims stay in the record, sealed under a key
 * that the signature is needed for; a random `jti` makes the signature one that nobody can guess. The holder learns the
 * day on which it expires, and from the length which algorithm signed it. It costs a row and a signature. It dies by its
 * record, by watermarks and with its signing key.
 *
 * @param issuer the `iss` of its tokens.
 */
export function splitMethod(keys: KeyRing, signing: Signers, issuer: string): TokenMethod {
  return {
    name: 'split',
    prefix: `tks_${letter}`,

    async mint(draft: TokenDraft, secrets: Secrets) {
      const signer = await signing.signer(draft.tenantId, draft.policyVersion);
      const jws = await signPayload(payloadOf(draft, secrets, issuer, randomUUID()), signer);
      const signatureAt = jws.lastIndexOf('.') + 1;
      const signature = Buffer.from(jws.slice(signatureAt), 'base64url');
      const identity = newIdentity(keys, letter, draft.expiresAt, signature);
      const token = formatIdentity(identity);
      const authorisation = { ...draft, key: identity.key, method: 'split', signingKeyId: signer.keyId } as const;
      const kept = jws.slice(0, signatureAt);
      return { token, record: sealedRecord(authorisation, token, identity.secrets.seal, [kept]) };
    },

    locate(token) {
      const identity = identify(keys, letter, token);
      return identity?.rest === '' ? { key: identity.key, material: identity.secrets.seal } : null;
    },

    open({ material }: Located, record: TokenRecord) {
      const hidden = openRecord('split', record, material as Buffer);
      return hidden && openedBy(payloadIn(hidden[0] as string), record);
    },
  };
}
