import { createPrivateKey } from 'node:crypto';
import type { WrappedKey } from '@touchstone/core';
import { consentKeys, type DataKey, type DataKeys } from '@touchstone/token-methods';
import type pg from 'pg';
import type { Canary } from '../../harness/canary.ts';

/** What lies wrapped in the database, unwrapped: data keys, private halves of signing keys, keys of tenants and consents. */
export async function storedKeys(superuser: pg.Client, dataKeys: DataKeys): Promise<Canary[]> {
  const canaries: Canary[] = [];
  for (const { data_key_id: id, purpose } of await rowsOf(superuser, 'data_key')) {
    canaries.push({ name: `a data key (${purpose}) ${id}`, value: (await dataKeyOf(dataKeys, id)).bytes });
  }
  for (const { signing_key_id: id, data_key_id, wrapped, algorithm } of await rowsOf(superuser, 'signing_key')) {
    const pem = (await dataKeyOf(dataKeys, data_key_id)).unwrap(wrapped, `signing key ${id}`);
    canaries.push(...privateParts(must(pem).toString(), `a private key (${algorithm}) ${id}`));
  }
  for (const { tenant_id: id, data_key_id, wrapped } of await rowsOf(superuser, 'tenant_key')) {
    const value = must((await dataKeyOf(dataKeys, data_key_id)).unwrap(wrapped, `tenant ${id}`));
    canaries.push({ name: `the key of a tenant ${id}`, value });
  }
  const opener = consentKeys(dataKeys);
  for (const { consent_id: id, data_key_id: dataKeyId, wrapped } of await rowsOf(superuser, 'consent_key')) {
    const key: WrappedKey = { dataKeyId, wrapped };
    canaries.push({ name: `the key of a consent ${id}`, value: must(await opener.unwrap(id, key)) });
  }
  return canaries;
}

interface Row {
  readonly data_key_id: string;
  readonly purpose: string;
  readonly signing_key_id: string;
  readonly algorithm: string;
  readonly consent_id: string;
  readonly tenant_id: string;
  readonly wrapped: Buffer;
}

const rowsOf = async (superuser: pg.Client, table: string): Promise<readonly Row[]> =>
  (await superuser.query<Row>(`select * from ${table}`)).rows;

const dataKeyOf = async (dataKeys: DataKeys, id: string): Promise<DataKey> => must(await dataKeys.find(id));

/** What does not open would be looked for in vain. */
function must<Value>(value: Value | null): Value {
  if (value === null) throw new Error('a key that is stored does not unwrap');
  return value;
}

const privateParameters = ['d', 'p', 'q', 'dp', 'dq', 'qi'];
const lineCharacters = 64;
const lineBytes = 48;

/** The parts of a private key that nobody may know: in PKCS #8, as DER or PEM, and as a JWK they are the same bytes. */
export function privateParts(pem: string, name: string): Canary[] {
  const key = createPrivateKey(pem);
  const jwk = key.export({ format: 'jwk' }) as Readonly<Record<string, string>>;
  const der = key.export({ format: 'der', type: 'pkcs8' });
  const canaries: Canary[] = [];
  const spans: [from: number, to: number][] = [];
  for (const parameter of privateParameters) {
    const text = jwk[parameter];
    if (text === undefined) continue;
    const bytes = Buffer.from(text, 'base64url');
    const at = der.indexOf(bytes);
    if (at < 0) throw new Error(`${parameter} of a private key is nowhere in its DER`);
    spans.push([at, at + bytes.length]);
    canaries.push({ name: `${name}: ${parameter}`, value: bytes.subarray(0, 32) });
    if (bytes.length > 32) canaries.push({ name: `${name}: the end of ${parameter}`, value: bytes.subarray(-32) });
  }
  // A line of PEM is base64 that breaks off where it likes.
  const lines = der.toString('base64').match(new RegExp(`.{1,${lineCharacters}}`, 'g')) ?? [];
  for (const [number, line] of lines.entries()) {
    const [from, to] = [number * lineBytes, (number + 1) * lineBytes];
    const isPrivate = spans.some(([start, end]) => start < to && from < end);
    if (isPrivate && line.length >= 9) canaries.push({ name: `${name}: line ${number} of its PEM`, value: line });
  }
  return canaries;
}
