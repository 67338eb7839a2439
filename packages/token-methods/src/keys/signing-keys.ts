import type {
  NewSigningKey,
  PublicSigningKey,
  SigningAlgorithm,
  SigningKey,
  SigningKeyMaker,
  SigningKeyStore,
} from '@touchstone/core';
import { calculateJwkThumbprint, exportJWK, exportPKCS8, generateKeyPair, importPKCS8 } from 'jose';
import { LRUCache } from 'lru-cache';
import type { DataKeys } from './data-keys.ts';
import type { Signer, Signers } from './signers.ts';

const rememberedMax = 20_000;
const attemptsMax = 5;
const defaultAlgorithm: SigningAlgorithm = 'EdDSA';

const contextOf = (keyId: string): string => `signing key ${keyId}`;

/** Makes key pairs, the private halves wrapped by the data key for that. */
export function signingKeyMaker(dataKeys: DataKeys): SigningKeyMaker {
  async function make(tenantId: string, algorithm: SigningAlgorithm): Promise<NewSigningKey> {
    const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
    const jwk = await exportJWK(publicKey);
    const keyId = await calculateJwkThumbprint(jwk);
    const dataKey = await dataKeys.current('signing');
    const wrapped = dataKey.wrap(Buffer.from(await exportPKCS8(privateKey)), contextOf(keyId));
    return { keyId, tenantId, algorithm, publicJwk: JSON.stringify(jwk), privateKey: wrapped };
  }
  return {
    makePair: async (tenantId, algorithm) => [await make(tenantId, algorithm), await make(tenantId, algorithm)],
  };
}

/** The keys that sign, made where a tenant has none that is alive. */
export function signers(
  store: SigningKeyStore,
  dataKeys: DataKeys,
  { isDead }: { isDead(key: PublicSigningKey): boolean },
): Signers {
  const known = new LRUCache<string, { readonly version: number; readonly signer: Promise<Signer> }>({
    max: rememberedMax,
  });
  const maker = signingKeyMaker(dataKeys);

  async function read(tenantId: string): Promise<Signer> {
    const stored = await store.active(tenantId);
    const active = stored && !isDead(stored) ? stored : await install(tenantId, stored?.keyId ?? null);
    const { keyId, algorithm, privateKey } = active;
    const dataKey = await dataKeys.find(privateKey.dataKeyId);
    const unwrapped = dataKey?.unwrap(privateKey.wrapped, contextOf(keyId));
    if (!unwrapped) throw new Error('a signing key does not unwrap');
    return { keyId, algorithm, key: await importPKCS8(unwrapped.toString(), algorithm) };
  }

  /** One that is revoked before it has been read is replaced in its turn. */
  async function install(tenantId: string, replaces: string | null): Promise<SigningKey> {
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const pair = await maker.makePair(tenantId, defaultAlgorithm);
      await store.rotate({ tenantId, replaces, pair }, (keyId) => activatedEvent(tenantId, keyId, 'there was none'));
      const active = await store.active(tenantId);
      if (active) return active;
    }
    throw new Error('a tenant has no signing key that was written under our key');
  }

  return {
    signer(tenantId, version) {
      const remembered = known.get(tenantId);
      if (remembered?.version === version) return remembered.signer;
      // Those who ask meanwhile wait for the same one.
      const signer = read(tenantId);
      known.set(tenantId, { version, signer });
      signer.catch(() => {
        if (known.get(tenantId)?.signer === signer) known.delete(tenantId);
      });
      return signer;
    },
  };
}

/**
 * Rotates what has signed for long enough, and is not dead, each by itself; what another issuer was quicker with is left.
 * Returns how many were rotated.
 * @throws the first failure, after all have had their turn: Disabled where the tenant of one has been disabled meanwhile; StoreUnavailable
 */
export async function rotateDue(
  store: Pick<SigningKeyStore, 'active' | 'listDue' | 'rotate'>,
  dataKeys: DataKeys,
  milliseconds: number,
  isDead: (key: PublicSigningKey) => boolean,
): Promise<number> {
  const maker = signingKeyMaker(dataKeys);
  const due = (await store.listDue(milliseconds)).filter((key) => !isDead(key));
  const failures: unknown[] = [];
  let rotated = 0;
  for (const { tenantId, keyId, algorithm } of due) {
    try {
      // Asked again for each: a pair takes long to make, and every issuer goes through the same list.
      if ((await store.active(tenantId))?.keyId !== keyId) continue;
      const pair = await maker.makePair(tenantId, algorithm);
      await store.rotate({ tenantId, replaces: keyId, pair }, (active) =>
        activatedEvent(tenantId, active, 'on schedule'),
      );
      rotated++;
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
  return rotated;
}

/** The public keys as a JWK Set (RFC 7517 section 5). */
export const jwkSet = (keys: readonly PublicSigningKey[]): { readonly keys: readonly object[] } => ({
  keys: keys.map(({ keyId, algorithm, publicJwk }) => ({
    ...JSON.parse(publicJwk),
    kid: keyId,
    alg: algorithm,
    use: 'sig',
  })),
});

const activatedEvent = (tenantId: string, keyId: string, reason: string) =>
  ({
    tenantId,
    actor: { kind: 'service', name: 'issuer', credentialId: '', peer: '', traceId: '' },
    act: { type: 'registry_changed', what: 'signing_key', id: keyId, change: 'activated', reason },
  }) as const;
