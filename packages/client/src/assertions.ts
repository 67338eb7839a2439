import { randomUUID } from 'node:crypto';
import { type CryptoKey, importJWK, type JWK, SignJWT } from 'jose';

/** A private key whose public half is registered for a client, at one installation alone: a JWK (RFC 7517) with `alg` and `kid`. */
export type ClientKey = JWK & { readonly alg: string; readonly kid: string };

/** Seconds: for the call, and for clocks that differ. */
const lifeSeconds = 60;

/**
 * Signs an assertion for each call (`private_key_jwt`, RFC 7523), in place of a credential: each is good once.
 *
 * @param client `app:<id>`, `resource_server:<audience>` or `identity_service:<tenant>/<name>`.
 * @returns what `clientOf` takes.
 */
export function assertions(client: string, key: ClientKey): () => Promise<string> {
  let imported: Promise<CryptoKey | Uint8Array> | null = null;
  return async () => {
    imported ??= importJWK(key, key.alg);
    const now = Math.floor(Date.now() / 1_000);
    return new SignJWT({ jti: randomUUID() })
      .setProtectedHeader({ alg: key.alg, kid: key.kid })
      .setIssuer(client)
      .setSubject(client)
      .setAudience('touchstone')
      .setIssuedAt(now)
      .setExpirationTime(now + lifeSeconds)
      .sign(await imported);
  };
}
