import { type TokenMethod, tokenMethods } from '@touchstone/core';
import { attenuableMethod } from './attenuable/attenuable.ts';
import { consentKeyMethod } from './consent-key/consent-key.ts';
import { encryptedMethod } from './encrypted/encrypted.ts';
import { consentKeys } from './keys/consent-keys.ts';
import { openKeyRing } from './keys/key-ring.ts';
import { referenceMethod } from './reference/reference.ts';
import { signedMethod } from './signed/signed.ts';
import { splitMethod } from './split/split.ts';
import { testDataKeys, testSigning } from './test-keys.ts';
import { draft, type MethodUnderTest } from './token-method.contract.ts';

export const issuer = 'https://tokens.example.com';

/** CONSENT_KEY, and the key of the draft's consent. */
export async function withConsentKey(key: Uint8Array): Promise<MethodUnderTest> {
  const keys = consentKeys(testDataKeys(key));
  const consentKey = await keys.create(draft.consentId as string);
  return { method: consentKeyMethod(openKeyRing(key), keys), consentKey };
}

/** All methods of one installation, side by side, and the key of the draft's consent. */
export async function openInstallation(key: Uint8Array) {
  const [keys, signing] = [openKeyRing(key), await testSigning()];
  const { method: byConsent, consentKey = null } = await withConsentKey(key);
  const all: readonly TokenMethod[] = [
    referenceMethod(keys),
    encryptedMethod(keys, signing, issuer),
    byConsent,
    signedMethod(keys, signing, issuer),
    splitMethod(keys, signing, issuer),
    attenuableMethod(keys),
  ];
  return { all, consentKey, methods: tokenMethods(all) };
}
