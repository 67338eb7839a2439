import {
  drawRandom,
  type Located,
  type Secrets,
  StoreUnavailable,
  type TokenDraft,
  type TokenMethod,
  type TokenRecord,
  type WrappedKey,
} from '@touchstone/core';
import { decrypt, encrypt } from '../jwt/encryption.ts';
import type { ConsentKeys } from '../keys/consent-keys.ts';
import type { KeyRing } from '../keys/key-ring.ts';
import { formatIdentity, type Identity, identify, newIdentity } from '../opaque/identity.ts';
import { hashOfString, openedAs, openRecordOf, sealedRecord } from '../opaque/record.ts';

const letter = 'c';
const uniqueBytes = 32;

type Material = Identity & { readonly token: string; readonly rest: string };

/**
 * CONSENT_KEY: what the token says of its user is encrypted under the key of the consent that it stands on (RFC 7516), which
 * the database keeps wrapped and gives out with the record. Its holder sees its length and the day on which it expires, and
 * no more. It costs a row, and its claims to carry around. It dies by its record and by watermarks; and with the key of its
 * consent, which takes what it says with it, whoever has kept the string. Refresh tokens, and what it is exchanged for, are
 * made by other methods: they say the same without that key.
 */
export function consentKeyMethod(keys: KeyRing, consentKeys: ConsentKeys): TokenMethod {
  return {
    name: 'consent_key',
    prefix: `tks_${letter}`,

    async mint(draft: TokenDraft, { userId, claims }: Secrets, consentKey: WrappedKey | null) {
      if (draft.consentId === null || !consentKey)
        throw new Error('there is no consent whose key it could be made under');
      const key = await consentKeys.unwrap(draft.consentId, consentKey);
      // It may have been moved under another data key since it was read.
      if (!key) throw new StoreUnavailable(new Error("the consent's key does not unwrap"));
      const identity = newIdentity(keys, letter, draft.expiresAt, drawRandom(uniqueBytes));
      const jwe = encrypt(Buffer.from(JSON.stringify({ userId, claims })), key, { cty: 'json' });
      const token = formatIdentity(identity, jwe);
      const authorisation = { ...draft, key: identity.key, method: 'consent_key', signingKeyId: null } as const;
      return { token, record: sealedRecord(authorisation, token, identity.secrets.seal, [hashOfString(token)]) };
    },

    locate(token) {
      const identity = identify(keys, letter, token);
      return identity && { key: identity.key, material: { ...identity, token } satisfies Material };
    },

    async open({ material }: Located, record: TokenRecord) {
      const { token, rest, secrets } = material as Material;
      const { consentId, consentKey } = record;
      if (consentId === null || !consentKey) return null;
      if (!openRecordOf(hashOfString(token), 'consent_key', record, secrets.seal)) return null;
      const key = await consentKeys.unwrap(consentId, consentKey);
      const content = key && decrypt(rest, key);
      return content && openedAs(JSON.parse(content.toString()), record);
    },
  };
}
