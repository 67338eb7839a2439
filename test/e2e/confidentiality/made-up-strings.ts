import { createCipheriv, createHmac, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { attenuate } from '@touchstone/client';
import { TokenMethod } from '@touchstone/contracts';
import { decodeBase62, encodeBase62 } from '@touchstone/core';
import { base64url, type OwnKey, partOf, signedBy } from './own-keys.ts';

/** A token's row as a dump shows it. */
export interface DumpedRow {
  readonly id: string;
  readonly expiry_day: number;
  readonly token_hash: Buffer;
  readonly sealed: Buffer;
}

/** What somebody has who makes a string up. */
export interface Forger {
  /** The row of the token that he would like to have. */
  readonly row: DumpedRow;
  /** The id of that token. */
  readonly victimId: string;
  /** A token of his own that was made by the same method, and another. */
  readonly own: string;
  readonly another: string;
  /** A key of his own that stands among the tenant's, and the one that signs. */
  readonly key: OwnKey;
  readonly active: { readonly signing_key_id: string; readonly public_jwk: string };
}

/** `MALFORMED` is told of strings that we never made: no row is looked for. `NOT_HONOURED`: what the row says is not this. */
type Why = 'MALFORMED' | 'NOT_HONOURED';
export type MadeUp = readonly [name: string, make: (at: Forger) => string, why?: Why];

/** A string of the form of opaque tokens, taken apart. */
interface Parts {
  readonly letter: string;
  readonly identifier: Buffer;
  /** What the method puts behind the identifier. */
  readonly rest: string;
}

/** The format is no secret: anyone may make a string whose checksum is right. */
function craft({ letter, identifier, rest }: Parts): string {
  const body = `tks_${letter}${encodeBase62(identifier)}${rest && `.${rest}`}_`;
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(body));
  return body + encodeBase62(sum);
}

function partsOf(token: string): Parts {
  const [identifier = '', ...rest] = token.slice(5, -7).split('.');
  return {
    letter: token.charAt(4),
    identifier: decodeBase62(identifier) ?? Buffer.alloc(0),
    rest: rest.join('.'),
  };
}

/** The same string but for this. */
const changed = (token: string, change: (parts: Parts) => Partial<Parts>): string => {
  const parts = partsOf(token);
  return craft({ ...parts, ...change(parts) });
};

/** An identifier of the same length: day, number of the token keys, what makes it unique, tag. */
function identifierLike({ identifier }: Parts, day: number, unique: Uint8Array, tag: Uint8Array): Buffer {
  const made = Buffer.alloc(identifier.length);
  made.writeUInt16BE(day);
  made.writeUInt8(1, 2);
  made.set(unique.subarray(0, identifier.length - 13), 3);
  made.set(tag.subarray(0, 10), identifier.length - 10);
  return made;
}

const letters = ['r', 'e', 'c', 's', 'a'];

/** For every method whose strings are opaque. */
const opaque: readonly MadeUp[] = [
  ['the hash of the string, in hexadecimal digits', ({ row }) => row.token_hash.toString('hex')],
  [
    'the hash of the string, in the form of a token',
    ({ row, own }) => changed(own, () => ({ identifier: row.token_hash })),
  ],
  ["the row's id", ({ row }) => row.id],
  [
    'a string with the hash as its random part',
    ({ row, own }) =>
      changed(own, (parts) => ({
        identifier: identifierLike(parts, row.expiry_day, row.token_hash, row.token_hash),
      })),
  ],
  [
    "a string with the row's id, twice, as its random part",
    ({ row, own }) => {
      const id = Buffer.from(row.id.replaceAll('-', '').repeat(2), 'hex');
      return changed(own, (parts) => ({ identifier: identifierLike(parts, row.expiry_day, id, Buffer.alloc(10)) }));
    },
  ],
  [
    'a string with the beginning of the seal as random part and tag',
    ({ row, own }) =>
      changed(own, (parts) => ({
        identifier: identifierLike(parts, row.expiry_day, row.sealed, row.sealed.subarray(28)),
      })),
  ],
  [
    "the holder's own string with the hash as its random part",
    ({ row, own }) =>
      changed(own, (parts) => ({
        identifier: identifierLike(parts, row.expiry_day, row.token_hash, parts.identifier.subarray(-10)),
      })),
  ],
  [
    "the holder's own string with a later day",
    ({ own }) =>
      changed(own, (parts) => {
        const identifier = Buffer.from(parts.identifier);
        identifier.writeUInt16BE(identifier.readUInt16BE() + 1);
        return { identifier };
      }),
  ],
  [
    "the holder's own string with another key's number",
    ({ own }) =>
      changed(own, (parts) => {
        const identifier = Buffer.from(parts.identifier);
        identifier.writeUInt8(2, 2);
        return { identifier };
      }),
  ],
  ...letters.map(
    (letter): MadeUp => [
      `the holder's own string with the letter ${letter}, or j`,
      ({ own }) => changed(own, (parts) => ({ letter: parts.letter === letter ? 'j' : letter })),
    ],
  ),
];

/** A JWE in compact form under a key of the forger's. */
function ownJwe(content: string, header: object = { alg: 'dir', enc: 'A256GCM' }): string {
  const [key, iv, head] = [randomBytes(32), randomBytes(12), base64url(header)];
  const cipher = createCipheriv('aes-256-gcm', key, iv);
  cipher.setAAD(Buffer.from(head));
  const encrypted = Buffer.concat([cipher.update(content), cipher.final()]);
  return [head, '', ...[iv, encrypted, cipher.getAuthTag()].map((part) => part.toString('base64url'))].join('.');
}

const said = JSON.stringify({ userId: 'grace', claims: { name: 'Grace' } });

/** For those whose strings carry what they say, encrypted. */
const encrypted: readonly MadeUp[] = [
  [
    "the holder's identifier before what he encrypted himself",
    ({ own }) => changed(own, () => ({ rest: ownJwe(said) })),
    'NOT_HONOURED',
  ],
  [
    "the holder's identifier before a JWT of his own, encrypted",
    ({ own, key, active }) => {
      const header = { alg: 'EdDSA', typ: 'at+jwt', kid: active.signing_key_id };
      return changed(own, () => ({ rest: ownJwe(signedBy(key, header, { sub: 'grace', claims: {} })) }));
    },
    'NOT_HONOURED',
  ],
  [
    "the holder's identifier before what another token of his says",
    ({ own, another }) => changed(own, () => ({ rest: partsOf(another).rest })),
    'NOT_HONOURED',
  ],
  [
    "the holder's identifier before a JWE that asks for no encryption",
    ({ own }) => changed(own, () => ({ rest: `${base64url({ alg: 'none', enc: 'none' })}...${base64url(said)}.` })),
    'NOT_HONOURED',
  ],
  ["the holder's identifier alone", ({ own }) => changed(own, () => ({ rest: '' })), 'NOT_HONOURED'],
  [
    "the holder's own string, a bit of what is encrypted turned",
    ({ own }) =>
      changed(own, ({ rest }) => {
        const parts = rest.split('.');
        const bytes = Buffer.from(parts[3] ?? '', 'base64url');
        bytes.writeUInt8(bytes.readUInt8(0) ^ 1);
        return { rest: parts.with(3, bytes.toString('base64url')).join('.') };
      }),
    'NOT_HONOURED',
  ],
];

/** A macaroon's caveats and signature, behind its identifier. */
function macaroonRest(caveats: readonly string[], signature: Uint8Array): string {
  const chunks = caveats.flatMap((caveat) => [Buffer.from([caveat.length >> 8, caveat.length & 255]), caveat]);
  return encodeBase62(Buffer.concat([...chunks, signature].map((chunk) => Buffer.from(chunk as string))));
}

const signatureOf = (token: string): Buffer => (decodeBase62(partsOf(token).rest) as Buffer).subarray(-32);
const chained = (key: Uint8Array, text: string | Uint8Array): Buffer => createHmac('sha256', key).update(text).digest();

/** For macaroons. */
const attenuable: readonly MadeUp[] = [
  [
    'a narrowed copy without its caveat',
    ({ own }) => {
      const copy = attenuate(own, { scopes: ['orders:read'], expiresAt: 1 });
      return changed(copy, () => ({ rest: macaroonRest([], signatureOf(copy)) }));
    },
  ],
  [
    'a narrowed copy whose caveat says more',
    ({ own }) => {
      const copy = attenuate(own, { scopes: ['orders:read'] });
      return changed(copy, () => ({ rest: macaroonRest(['scope orders:read orders:write'], signatureOf(copy)) }));
    },
  ],
  [
    'the root key taken to be the identifier',
    ({ own }) =>
      changed(own, ({ identifier }) => ({ rest: macaroonRest([], chained(identifier.subarray(0, -10), identifier)) })),
  ],
  [
    "the victim's hash as the signature",
    ({ own, row }) => changed(own, () => ({ rest: macaroonRest([], row.token_hash) })),
  ],
  [
    "the victim's seal as the signature",
    ({ own, row }) => changed(own, () => ({ rest: macaroonRest([], row.sealed.subarray(0, 32)) })),
  ],
  [
    "another token's signature",
    ({ own, another }) => changed(own, () => ({ rest: macaroonRest([], signatureOf(another)) })),
  ],
  [
    'a caveat of a kind that is not known',
    ({ own }) => {
      const caveat = 'audience https://elsewhere.example.com';
      return changed(own, () => ({ rest: macaroonRest([caveat], chained(signatureOf(own), caveat)) }));
    },
  ],
  ['no signature', ({ own }) => changed(own, () => ({ rest: '' }))],
];

const withRest: MadeUp = [
  "the holder's own string with something behind its identifier",
  ({ own }) => changed(own, () => ({ rest: 'abcd' })),
];

/** The holder's JWT, its header and what it says changed, signed by the forger. */
const resigned =
  (header: (at: Forger) => object, payload: (at: Forger) => object = () => ({})) =>
  (at: Forger): string =>
    signedBy(
      at.key,
      { ...partOf(at.own, 0), ...header(at) },
      { ...partOf(at.own, 1), scope: 'orders:read orders:write', ...payload(at) },
    );

/** For JWTs that anybody can read. */
const signed: readonly MadeUp[] = [
  ['the hash of the string, in hexadecimal digits', ({ row }) => row.token_hash.toString('hex')],
  ["the row's id", ({ row }) => row.id],
  ["signed by the forger, in the name of the tenant's key", resigned(() => ({})), 'NOT_HONOURED'],
  [
    "signed by the forger's key that stands among the tenant's",
    resigned(({ key }) => ({ kid: key.keyId })),
    'NOT_HONOURED',
  ],
  [
    'signed by a key that its own header holds',
    resigned(({ key }) => ({ jwk: JSON.parse(key.publicJwk) })),
    'NOT_HONOURED',
  ],
  [
    "for the victim's id",
    resigned(
      ({ key }) => ({ kid: key.keyId }),
      ({ victimId }) => ({ jti: victimId }),
    ),
  ],
  [
    "for the victim's id, without a tag",
    resigned(
      () => ({ tag: undefined }),
      ({ victimId }) => ({ jti: victimId }),
    ),
  ],
  [
    "for the victim's id, with an empty tag",
    resigned(
      () => ({ tag: '' }),
      ({ victimId }) => ({ jti: victimId }),
    ),
  ],
  ['without a tag', resigned(() => ({ tag: undefined }))],
  [
    'widened, under the signature that it had',
    ({ own }) =>
      [own.split('.')[0], base64url({ ...partOf(own, 1), scope: 'orders:read orders:write' }), own.split('.')[2]].join(
        '.',
      ),
    'NOT_HONOURED',
  ],
  ['unsigned', ({ own }) => `${base64url({ ...partOf(own, 0), alg: 'none' })}.${own.split('.')[1]}.`, 'NOT_HONOURED'],
  [
    'with the public key as the secret of an HMAC',
    ({ own, active }) => {
      const content = `${base64url({ ...partOf(own, 0), alg: 'HS256' })}.${own.split('.')[1]}`;
      const { x } = JSON.parse(active.public_jwk);
      return `${content}.${chained(Buffer.from(x, 'base64url'), content).toString('base64url')}`;
    },
    'NOT_HONOURED',
  ],
  [
    "under the signature of another token of the holder's",
    ({ own, another }) => [...own.split('.').slice(0, 2), another.split('.')[2]].join('.'),
    'NOT_HONOURED',
  ],
  ['with a fourth part', ({ own }) => `${own}.${base64url('more')}`, 'NOT_HONOURED'],
];

/** What somebody with a dump, the format and tokens of his own may present for another's, or for more than he was given. */
export const madeUpStrings: Readonly<Record<TokenMethod, readonly MadeUp[]>> = {
  [TokenMethod.UNSPECIFIED]: [],
  [TokenMethod.REFERENCE]: [...opaque, withRest],
  [TokenMethod.ENCRYPTED]: [...opaque, ...encrypted],
  [TokenMethod.CONSENT_KEY]: [...opaque, ...encrypted],
  [TokenMethod.SIGNED]: signed,
  [TokenMethod.SPLIT]: [...opaque, withRest],
  [TokenMethod.ATTENUABLE]: [...opaque, ...attenuable],
};
