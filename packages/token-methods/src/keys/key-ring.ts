import { hkdfSync } from 'node:crypto';
import { encodeBase62, type Mac, StoreUnavailable, type TenantHandles } from '@touchstone/core';
import type { DataKeys } from './data-keys.ts';
import { hmac } from './hmac.ts';

/** Names the keys that a token was made under, in the token and in its record. One for now. */
export const currentKeyId = 1;

/** The keys of the installation, each for one purpose, all derived from its data key (RFC 5869). */
export interface KeyRing {
  /** For the chain of revisions, the watermarks and the registry's entries. */
  readonly mac: Mac;
  /** @param tenantKey 32 bytes; none for the installation's own tenant. */
  handlesOf(tenantId: string, tenantKey: Uint8Array): TenantHandles;
  /** The secrets of one token, from what identifies it, its random part included. */
  tokenKeys(identifying: Uint8Array): TokenKeys;
  /** 32 bytes: the key that the content of an ENCRYPTED token is encrypted under. */
  contentKey(identifying: Uint8Array): Buffer;
  /** 32 bytes: the root key of an ATTENUABLE token. */
  macaroonKey(identifying: Uint8Array): Buffer;
}

/** None tells anything of the others, nor of the random part. */
export interface TokenKeys {
  /** 16 bytes in hexadecimal digits: the key of the token's record. */
  readonly lookup: string;
  /** 10 bytes, which the string ends with: tells made-up strings without a look into the database. */
  readonly tag: Buffer;
  /** 32 bytes: the key that the record is sealed under. */
  readonly seal: Buffer;
}

/** @param installation the installation's data key, 32 bytes. */
export function openKeyRing(installation: Uint8Array): KeyRing {
  const derive = (purpose: string, algorithm: 'sha256' | 'sha512' = 'sha256') =>
    hmac(algorithm, new Uint8Array(hkdfSync('sha256', installation, '', `touchstone ${purpose}`, 32)));
  const integrity = derive('integrity v1');
  const userHandle = derive('user handle v2');
  const pseudonym = derive('pseudonym v2');
  const tokenKeys = derive('token keys v2', 'sha512');
  const contentKey = derive('content key v1');
  const macaroonKey = derive('macaroon key v1');
  return {
    mac: (...parts) => integrity(delimited(parts)).toString('hex'),
    handlesOf(tenantId, tenantKey) {
      // Neither key is enough without the other.
      const ofTenant = (derived: (data: Uint8Array) => Buffer) =>
        hmac('sha256', derived(delimited([tenantId, tenantKey])));
      const [own, told] = [ofTenant(userHandle), ofTenant(pseudonym)];
      return {
        handleOf: (userId) => encodeBase62(own(Buffer.from(userId)).subarray(0, 16)),
        pseudonymOf: (sector, userId) => encodeBase62(told(delimited([sector, userId])).subarray(0, 20)),
      };
    },
    tokenKeys(identifying) {
      // One pseudo-random function's output, cut into parts that are independent of one another.
      const bytes = tokenKeys(identifying);
      return { lookup: bytes.toString('hex', 0, 16), tag: bytes.subarray(16, 26), seal: bytes.subarray(32) };
    },
    contentKey,
    macaroonKey,
  };
}

/** The keys of an installation that has been set up. @throws StoreUnavailable where it has not, or its key can't be unwrapped. */
export async function openInstallationKeys(dataKeys: DataKeys): Promise<KeyRing> {
  const installation = await dataKeys.installation();
  if (!installation)
    throw new StoreUnavailable(new Error('the installation has no data key: run the bootstrap command'));
  return openKeyRing(installation.bytes);
}

/** The keys of an installation that is being set up. @throws StoreUnavailable */
export const createInstallationKeys = async (dataKeys: DataKeys): Promise<KeyRing> =>
  openKeyRing((await dataKeys.current('installation')).bytes);

/** Each part with its length before it: no two lists of parts give the same bytes. */
function delimited(parts: readonly (string | Uint8Array)[]): Buffer {
  const lengths = parts.map((part) => (typeof part === 'string' ? Buffer.byteLength(part) : part.length));
  const bytes = Buffer.allocUnsafe(lengths.reduce((sum, length) => sum + 4 + length, 0));
  let at = 0;
  for (const [i, part] of parts.entries()) {
    const length = lengths[i] as number;
    at = bytes.writeUInt32BE(length, at);
    if (typeof part === 'string') bytes.write(part, at);
    else bytes.set(part, at);
    at += length;
  }
  return bytes;
}
