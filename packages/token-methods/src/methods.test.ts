import { randomBytes } from 'node:crypto';
import { type TokenMethodName, tokenMethods } from '@touchstone/core';
import { expect, test } from 'vitest';
import { attenuableMethod } from './attenuable/attenuable.ts';
import { encryptedMethod } from './encrypted/encrypted.ts';
import { openKeyRing } from './keys/key-ring.ts';
import { referenceMethod } from './reference/reference.ts';
import { signedMethod } from './signed/signed.ts';
import { splitMethod } from './split/split.ts';
import { testSigning } from './test-keys.ts';
import { issuer, openInstallation, withConsentKey } from './test-methods.ts';
import { describeTokenMethod, draft, secrets } from './token-method.contract.ts';

const algorithms = ['EdDSA', 'ES256', 'RS256'] as const;

describeTokenMethod('REFERENCE', async (key) => ({ method: referenceMethod(openKeyRing(key)) }));
describeTokenMethod('ATTENUABLE', async (key) => ({ method: attenuableMethod(openKeyRing(key)) }));
describeTokenMethod('CONSENT_KEY', withConsentKey);
for (const algorithm of algorithms) {
  describeTokenMethod(`ENCRYPTED, ${algorithm}`, async (key) => ({
    method: encryptedMethod(openKeyRing(key), await testSigning(algorithm), issuer),
  }));
  describeTokenMethod(`SIGNED, ${algorithm}`, async (key) => ({
    method: signedMethod(openKeyRing(key), await testSigning(algorithm), issuer),
  }));
  describeTokenMethod(`SPLIT, ${algorithm}`, async (key) => ({
    method: splitMethod(openKeyRing(key), await testSigning(algorithm), issuer),
  }));
}

test('six methods stand side by side: each string is its own, and no record opens under another', async () => {
  const { all, consentKey, methods } = await openInstallation(randomBytes(32));
  for (const own of all) {
    const minted = await methods.mint(own.name, draft, secrets, consentKey);
    const record = { ...minted.record, consentKey };
    const found = methods.locate(minted.token);
    expect(found?.method, own.name).toBe(own);
    expect(found && (await own.open(found.located, record)), own.name).toMatchObject(secrets);
    for (const other of all) {
      if (other === own) continue;
      expect(found && (await own.open(found.located, { ...record, method: other.name }))).toBeNull();
      const swapped = other.prefix + minted.token.slice(own.prefix.length);
      expect(methods.locate(swapped), `${own.name} as ${other.name}`).toBeNull();
    }
  }
});

test('a method that the installation does not know neither makes nor finds anything', async () => {
  const methods = tokenMethods([referenceMethod(openKeyRing(randomBytes(32)))]);
  await expect(methods.mint('toy' as TokenMethodName, draft, secrets)).rejects.toThrow('no token method is called toy');
  for (const text of ['', 'tks_', 'tks_x', 'tks_r0', 'TKS_r0', 'tks_toString', ' tks_r0', 'eyJ', 'eyJ.eyJ.']) {
    expect(methods.locate(text)).toBeNull();
  }
});
