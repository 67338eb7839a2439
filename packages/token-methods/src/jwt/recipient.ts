import type { EncryptionKeys } from '@touchstone/core';
import { CompactEncrypt, importJWK, type JWK } from 'jose';
import { isPublic } from '../keys/public-jwk.ts';

const curves = ['P-256', 'P-384', 'P-521', 'X25519'];

/** How the content key is agreed on (RFC 7518 section 4), by the kind of the key. @throws where there is no way */
function algorithmOf({ kty, crv = '' }: JWK): 'ECDH-ES' | 'RSA-OAEP-256' {
  if (kty === 'RSA') return 'RSA-OAEP-256';
  if ((kty === 'EC' || kty === 'OKP') && curves.includes(crv)) return 'ECDH-ES';
  throw new Error('there is no encrypting to a key of this kind');
}

/**
 * A signed token, encrypted to its audience's own key (RFC 7519 section 11.2): nobody on the way reads it.
 * @param recipient a public key as a JWK, as JSON.
 * @param named what can be read of it all the same (RFC 7519 section 5.3), so that it can be taken back.
 * @throws where it is not one that can be encrypted to.
 */
export async function encryptTo(
  recipient: string,
  jws: string,
  named: { readonly jti: string; readonly tag: string } | null,
): Promise<string> {
  const jwk: JWK = JSON.parse(recipient);
  const alg = algorithmOf(jwk);
  if (!isPublic(jwk)) throw new Error('the key is not public');
  return new CompactEncrypt(Buffer.from(jws))
    .setProtectedHeader({
      alg,
      enc: 'A256GCM',
      cty: 'JWT',
      ...(jwk.kid === undefined ? {} : { kid: jwk.kid }),
      ...named,
    })
    .encrypt(await importJWK(jwk, alg));
}

/** Public keys of others. */
export const encryptionKeys: EncryptionKeys = {
  async isUsable(recipient) {
    try {
      await encryptTo(recipient, '', null);
      const jwk: JWK = JSON.parse(recipient);
      // Who keeps to RFC 7517 sections 4.2 and 4.4 would not decrypt by it.
      return (jwk.use ?? 'enc') === 'enc' && (jwk.alg ?? algorithmOf(jwk)) === algorithmOf(jwk);
    } catch {
      return false;
    }
  },
};
