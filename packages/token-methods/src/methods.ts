import { type TokenMethods, tokenMethods } from '@touchstone/core';
import { attenuableMethod } from './attenuable/attenuable.ts';
import { consentKeyMethod } from './consent-key/consent-key.ts';
import { encryptedMethod } from './encrypted/encrypted.ts';
import type { ConsentKeys } from './keys/consent-keys.ts';
import type { KeyRing } from './keys/key-ring.ts';
import type { Signers } from './keys/signers.ts';
import { referenceMethod } from './reference/reference.ts';
import { signedMethod } from './signed/signed.ts';
import { splitMethod } from './split/split.ts';

/** What the methods of an installation are made with. */
export interface MethodKeys {
  readonly keys: KeyRing;
  readonly signing: Signers;
  readonly consentKeys: ConsentKeys;
  /** The `iss` of what is signed. */
  readonly issuer: string;
}

/** All token methods. */
export const openMethods = ({ keys, signing, consentKeys, issuer }: MethodKeys): TokenMethods =>
  tokenMethods([
    referenceMethod(keys),
    encryptedMethod(keys, signing, issuer),
    consentKeyMethod(keys, consentKeys),
    signedMethod(keys, signing, issuer),
    splitMethod(keys, signing, issuer),
    attenuableMethod(keys),
  ]);

/** For a service that only opens tokens. */
export const noSigner: Signers = {
  signer: () => Promise.reject(new Error('this service signs nothing')),
};
