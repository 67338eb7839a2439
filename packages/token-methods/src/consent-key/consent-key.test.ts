import { randomBytes } from 'node:crypto';
import { StoreUnavailable, type TokenRecord, type WrappedKey } from '@touchstone/core';
import { expect, test } from 'vitest';
import { decrypt } from '../jwt/encryption.ts';
import { type ConsentKeys, consentKeys } from '../keys/consent-keys.ts';
import { openKeyRing } from '../keys/key-ring.ts';
import { type Identity, identify } from '../opaque/identity.ts';
import { decodePart } from '../test-jwt.ts';
import { testDataKeys } from '../test-keys.ts';
import { draft, secrets } from '../token-method.contract.ts';
import { consentKeyMethod } from './consent-key.ts';

const consentId = draft.consentId as string;
const ring = openKeyRing(randomBytes(32));

async function openConsent(keys: ConsentKeys = consentKeys(testDataKeys(randomBytes(32)))) {
  const consentKey = await keys.create(consentId);
  const method = consentKeyMethod(ring, keys);
  const { token, record } = await method.mint(draft, secrets, consentKey);
  const open = async (over: Partial<TokenRecord> = {}, by = method) => {
    const located = by.locate(token);
    return located && (await by.open(located, { ...record, consentKey, ...over }));
  };
  return { keys, method, token, consentKey, open };
}

/** Refused both by who never opened the string and by who remembers what it says. */
async function expectRefused(consent: Awaited<ReturnType<typeof openConsent>>, consentKey: WrappedKey | null) {
  const unaware = consentKeyMethod(ring, consent.keys);
  expect(await consent.open({ consentKey }, unaware), 'never opened').toBeNull();
  expect(await consent.open()).toMatchObject(secrets);
  expect(await consent.open({ consentKey }), 'opened before').toBeNull();
  expect(await consent.open(), 'with its own key, still').toMatchObject(secrets);
}

test('with the key of its consent gone it opens nothing, not even where it was opened before', async () => {
  await expectRefused(await openConsent(), null);
});

test("another consent's key refuses it, also where it was opened before", async () => {
  const consent = await openConsent();
  await expectRefused(consent, await consent.keys.create('con_2'));
});

test('so does a later key of the same consent', async () => {
  const consent = await openConsent();
  await expectRefused(consent, await consent.keys.create(consentId));
});

test('so does a key that is none of ours, or was changed', async () => {
  const consent = await openConsent();
  const { dataKeyId, wrapped } = consent.consentKey;
  const changed = Buffer.from(wrapped);
  changed[changed.length - 1] = (changed.at(-1) as number) ^ 1;
  for (const other of [changed, Buffer.alloc(0), randomBytes(wrapped.length)]) {
    await expectRefused(consent, { dataKeyId, wrapped: other });
  }
  await expectRefused(consent, { dataKeyId: 'another', wrapped });
});

test('what is remembered does not outlive the data key that wraps the key of the consent', async () => {
  const keys = consentKeys(testDataKeys(randomBytes(32)));
  let destroyed = false;
  const { open } = await openConsent({
    create: keys.create,
    unwrap: async (id, key) => (destroyed ? null : keys.unwrap(id, key)),
  });
  expect(await open()).toMatchObject(secrets);
  destroyed = true;
  expect(await open()).toBeNull();
});

test('the string tells nothing of its user without the key, and all with it', async () => {
  const { keys, token, consentKey } = await openConsent();
  const { rest } = identify(ring, 'c', token) as Identity & { rest: string };
  expect(decodePart(rest.split('.')[0])).toEqual({ alg: 'dir', enc: 'A256GCM', cty: 'json' });
  const key = (await keys.unwrap(consentId, consentKey)) as Buffer;
  expect(JSON.parse(String(await decrypt(rest, key)))).toEqual({ userId: secrets.userId, claims: secrets.claims });
  expect(await decrypt(rest, randomBytes(32))).toBeNull();
});

test('none is made without a consent, or under a key that is not that of its consent', async () => {
  const { keys, method, consentKey } = await openConsent();
  const { mint } = method;
  await expect(mint(draft, secrets, null)).rejects.toThrow('there is no consent');
  await expect(mint({ ...draft, consentId: null }, secrets, consentKey)).rejects.toThrow('there is no consent');
  await expect(mint(draft, secrets, await keys.create('con_2'))).rejects.toThrow(StoreUnavailable);
});
