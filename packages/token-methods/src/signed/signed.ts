import { timingSafeEqual } from 'node:crypto';
import {
  confirmationKind,
  confirmationOf,
  drawRandom,
  InvalidField,
  identifyingOf,
  type Located,
  parseTokenId,
  partitionOf,
  type Secrets,
  type TokenDraft,
  type TokenKey,
  type TokenMethod,
  type TokenRecord,
  tokenIdOf,
} from '@touchstone/core';
import { type AccessTokenPayload, openedBy, payloadOf, signPayload } from '../jwt/access-token.ts';
import { encryptTo } from '../jwt/recipient.ts';
import { currentKeyId, type KeyRing } from '../keys/key-ring.ts';
import type { Signers } from '../keys/signers.ts';
import { hashOfString, openRecordOf, sealedRecord } from '../opaque/record.ts';

/** Stands in for the letter that opaque strings have. */
const letter = 'j';
/** Of a JWE in compact form (RFC 7516 section 7.1). */
const jweParts = 5;
/** What every JWT begins with: `{"` in base64url. */
const prefix = 'eyJ';

interface Material {
  readonly token: string;
  readonly payload: object;
  readonly seal: Buffer;
}

/**
 * SIGNED: a JWT access token (RFC 9068) that anybody can read, its holder included, and that anybody can verify who has
 * our public keys - as of when it was issued: only ValidateToken knows of its end, and it honours the very string that was
 * handed out, whose hash the record seals. Its `jti` is the token id; in its header `tag` tells strings that we did not make,
 * without a row read. Where its audience has registered a key, it is encrypted to that: then nobody else reads it, and what is
 * honoured is the JWT inside. It costs a row and a signature. It dies by its record, by watermarks and with its signing key.
 *
 * @param issuer the `iss` of its tokens.
 */
export function signedMethod(keys: KeyRing, signing: Signers, issuer: string): TokenMethod {
  const secretsOf = ({ partition, key }: TokenKey) =>
    keys.tokenKeys(identifyingOf(letter, partition, currentKeyId, Buffer.from(key, 'hex')));

  return {
    name: 'signed',
    prefix,

    async mint(draft: TokenDraft, secrets: Secrets) {
      if (secrets.recipient) requireProvable(draft);
      const key = { partition: partitionOf(draft.expiresAt), key: drawRandom(16).toString('hex') };
      const { tag, seal } = secretsOf(key);
      const signer = await signing.signer(draft.tenantId, draft.policyVersion);
      const payload = payloadOf(draft, secrets, issuer, tokenIdOf(key));
      const header = { tag: tag.toString('base64url') };
      const jws = await signPayload(payload, signer, header);
      const named = { jti: payload.jti, ...header };
      const token = secrets.recipient ? await encryptTo(secrets.recipient, jws, named) : jws;
      const authorisation = { ...draft, key, method: 'signed', signingKeyId: signer.keyId } as const;
      // What it calls its user may be a pseudonym.
      const hidden = [hashOfString(jws), secrets.userId];
      return { token, record: sealedRecord(authorisation, token, seal, hidden) };
    },

    locate(token) {
      const [first = '', second = '', ...others] = token.split('.', jweParts + 1);
      const header = parsePart(first);
      // One that is encrypted to its audience is named in its header: it can't be opened here, but taken back.
      const payload = others.length + 2 === jweParts ? header : parsePart(second);
      if (typeof payload?.jti !== 'string' || typeof header?.tag !== 'string') return null;
      const key = parseTokenId(payload.jti);
      if (!key) return null;
      const { tag, seal } = secretsOf(key);
      const given = Buffer.from(header.tag, 'base64url');
      if (given.length !== tag.length || !timingSafeEqual(given, tag)) return null;
      return { key, material: { token, payload, seal } satisfies Material };
    },

    open({ material }: Located, record: TokenRecord) {
      const { token, payload, seal } = material as Material;
      const hidden = openRecordOf(hashOfString(token), 'signed', record, seal);
      return hidden && { ...openedBy(payload as AccessTokenPayload, record), userId: hidden[0] as string | null };
    },
  };
}

/**
 * A DPoP proof names the string that the holder has (RFC 9449 section 4.3), and what comes to be validated is what was inside:
 * bound to a key, such a token would never be honoured.
 */
function requireProvable({ confirmation }: TokenDraft): void {
  if (confirmation === null || confirmationKind(confirmationOf(confirmation)) !== 'key') return;
  throw new InvalidField(
    'method',
    'must not be SIGNED where the token is bound to a key and encrypted to its audience',
  );
}

function parsePart(text: string): Record<string, unknown> | null {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString());
  } catch {
    return null;
  }
}
