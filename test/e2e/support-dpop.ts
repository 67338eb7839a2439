import { createHash, randomUUID } from 'node:crypto';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from 'jose';

/** A client with a DPoP key. */
export interface DpopClient {
  /** The key's thumbprint. */
  readonly key: string;
  /** What it puts into the DPoP header of a request with the token. */
  proofFor(token: string, method: string, uri: string, over?: Record<string, unknown>): Promise<string>;
}

export async function openDpopClient(alg: 'EdDSA' | 'ES256' | 'RS256' = 'ES256'): Promise<DpopClient> {
  const { privateKey, publicKey } = await generateKeyPair(alg);
  const jwk = await exportJWK(publicKey);
  return {
    key: await calculateJwkThumbprint(jwk),
    proofFor: (token, htm, htu, over = {}) =>
      new SignJWT({ htm, htu, ath: createHash('sha256').update(token).digest('base64url'), jti: randomUUID(), ...over })
        .setIssuedAt(over.iat as number | undefined)
        .setProtectedHeader({ typ: 'dpop+jwt', alg, jwk })
        .sign(privateKey),
  };
}
