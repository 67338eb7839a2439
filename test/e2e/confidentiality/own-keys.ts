import { generateKeyPairSync, hash, type KeyObject, sign } from 'node:crypto';
import type { Attacker } from './attacker.ts';

/** A signing key that the attacker has made, private half and all. */
export interface OwnKey {
  /** Its thumbprint (RFC 7638), as with ours. */
  readonly keyId: string;
  readonly publicJwk: string;
  readonly privateKey: KeyObject;
}

export function ownKey(): OwnKey {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const { crv, kty, x } = publicKey.export({ format: 'jwk' });
  const publicJwk = JSON.stringify({ crv, kty, x });
  return { keyId: hash('sha256', publicJwk, 'base64url'), publicJwk, privateKey };
}

/** Puts it among the tenant's keys, as a copy of the row of another, mac included, with these changes. */
export const insertKey = (
  attacker: Attacker,
  { keyId, publicJwk }: OwnKey,
  tenantId: string,
  changes: object = {},
): Promise<number> =>
  attacker.write(
    `insert into signing_key select (jsonb_populate_record(k, $2)).* from signing_key k
      where tenant_id = $1 or not exists (select from signing_key where tenant_id = $1) limit 1`,
    [
      tenantId,
      JSON.stringify({
        signing_key_id: keyId,
        tenant_id: tenantId,
        public_jwk: publicJwk,
        state: 'retired',
        retired_at: new Date(),
        disabled_revision: null,
        ...changes,
      }),
    ],
  );

export const base64url = (value: object | string): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** A part of a JWT, as an object. */
export const partOf = (jwt: string, at: 0 | 1): Record<string, unknown> =>
  JSON.parse(Buffer.from(jwt.split('.')[at] ?? '', 'base64url').toString());

/** A JWT in compact form, signed by the attacker. */
export function signedBy({ privateKey }: OwnKey, header: object, payload: object): string {
  const content = `${base64url(header)}.${base64url(payload)}`;
  return `${content}.${sign(null, Buffer.from(content), privateKey).toString('base64url')}`;
}
