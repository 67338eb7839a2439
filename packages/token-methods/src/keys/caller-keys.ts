import type { CallerKeys } from '@touchstone/core';
import { importJWK, type JWK } from 'jose';
import { isPublic } from './public-jwk.ts';
import { algorithmOf } from './signature-keys.ts';

const keyIdForm = /^[\x21-\x7e]{1,128}$/;
const modulusBitsMin = 2_048;

/** Public keys by which callers show who they are. */
export const callerKeys: CallerKeys = {
  async keyIdOf(text) {
    try {
      const jwk: JWK = JSON.parse(text);
      const alg = algorithmOf(jwk);
      if (!alg || (jwk.alg !== undefined && jwk.alg !== alg) || (jwk.use !== undefined && jwk.use !== 'sig'))
        return null;
      if (!isPublic(jwk) || typeof jwk.kid !== 'string' || !keyIdForm.test(jwk.kid)) return null;
      const key = await importJWK(jwk, alg);
      const { modulusLength = modulusBitsMin } = (key as CryptoKey).algorithm as { readonly modulusLength?: number };
      return modulusLength >= modulusBitsMin ? jwk.kid : null;
    } catch {
      return null;
    }
  },
};
