import { createHmac, hash, randomBytes } from 'node:crypto';
import { type Attenuation, attenuate } from '@touchstone/client';
import {
  decodeBase62,
  encodeBase62,
  formatMacaroon,
  formatOpaque,
  type Macaroon,
  type Opened,
  parseMacaroon,
  parseOpaque,
  type TokenRecord,
  withCaveat,
} from '@touchstone/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openKeyRing } from '../keys/key-ring.ts';
import { draft, secrets } from '../token-method.contract.ts';
import { attenuableMethod } from './attenuable.ts';

const method = attenuableMethod(openKeyRing(randomBytes(32)));
const request = hash('sha256', 'GET /orders', 'base64url');
const expirySeconds = draft.expiresAt / 1_000;

async function mint() {
  const { token, record } = await method.mint(draft, secrets, null);
  return { token, record };
}

async function open(token: string, record: TokenRecord): Promise<Opened | null> {
  const located = method.locate(token);
  return located && (await method.open(located, record));
}

/** The same token, with this as what its holder can change; the checksum fits. */
function rewritten(token: string, rest: Uint8Array): string {
  const { identifying, tag } = parseOpaque('a', token) ?? expect.unreachable('it is none of ours');
  return formatOpaque(identifying, tag, encodeBase62(rest));
}

/** What a string ends with: the caveats, each with its length before it, and the signature. */
interface Chunks {
  readonly caveats: readonly Uint8Array[];
  readonly signature: Uint8Array;
}

function chunksOf(token: string): Chunks {
  const { caveats, signature } = parseMacaroon(token) ?? expect.unreachable('it is none of ours');
  return { caveats: caveats.map((caveat) => Buffer.from(caveat)), signature };
}

const withChunks = (token: string, { caveats, signature }: Chunks): string =>
  rewritten(token, Buffer.concat([...caveats.map(withLength), signature]));

function withLength(caveat: Uint8Array): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(caveat.length);
  return Buffer.concat([length, caveat]);
}

/** The token with one more caveat of any bytes, signed as every holder can. */
function signedOver(token: string, caveat: Uint8Array, signed: string | Uint8Array = caveat): string {
  const { caveats, signature } = chunksOf(token);
  const next = createHmac('sha256', signature).update(signed).digest();
  return withChunks(token, { caveats: [...caveats, caveat], signature: next });
}

const attenuations: fc.Arbitrary<Attenuation> = fc
  .record(
    {
      scopes: fc.uniqueArray(fc.constantFrom('orders:read', 'orders:write', 'orders:admin', 'x'), { minLength: 1 }),
      expiresAt: fc.integer({ min: 1, max: 2 * expirySeconds }),
      request: fc.integer({ min: 0, max: 3 }).map((n) => hash('sha256', `request ${n}`, 'base64url')),
    },
    { requiredKeys: [] },
  )
  .filter((attenuation) => Object.keys(attenuation).length > 0);

describe('attenuated', () => {
  test('any number of times, a token only ever allows less, and exactly what each step left', async () => {
    const { token, record } = await mint();
    await fc.assert(
      fc.asyncProperty(fc.array(attenuations, { maxLength: 8 }), async (steps) => {
        let copy = token;
        let before = (await open(token, record)) as Opened;
        for (const step of steps) {
          copy = attenuate(copy, step);
          const after = (await open(copy, record)) as Opened;
          const { scopes, expiresAt = Number.POSITIVE_INFINITY, request } = step;
          expect(after).toEqual({
            ...before,
            scopes: before.scopes.filter((scope) => scopes?.includes(scope) ?? true),
            expiresAt: Math.min(before.expiresAt, expiresAt * 1_000),
            requests: request === undefined ? before.requests : [...before.requests, request],
          });
          before = after;
        }
      }),
      { numRuns: 200 },
    );
  });

  test('in any order, it allows the same', async () => {
    const { token, record } = await mint();
    const orders = fc
      .array(attenuations, { minLength: 1, maxLength: 8 })
      .chain((steps) => fc.tuple(fc.constant(steps), fc.shuffledSubarray(steps, { minLength: steps.length })));
    const allowed = async (steps: readonly Attenuation[]) => {
      const opened = (await open(steps.reduce(attenuate, token), record)) as Opened;
      return { ...opened, requests: opened.requests.toSorted() };
    };
    await fc.assert(
      fc.asyncProperty(orders, async ([one, other]) => {
        expect(await allowed(other)).toEqual(await allowed(one));
      }),
      { numRuns: 200 },
    );
  });

  test('it leads to the record that it was made from, and the token that it was made from stays as it was', async () => {
    const { token, record } = await mint();
    const copy = attenuate(token, { scopes: ['orders:read'] });
    expect(method.locate(copy)?.key).toEqual(record.key);
    expect(await open(token, record)).toMatchObject({ scopes: draft.scopes });
  });

  test('by what none of its scopes is among, it allows nothing', async () => {
    const { token, record } = await mint();
    expect(await open(attenuate(token, { scopes: ['orders:admin'] }), record)).toMatchObject({ scopes: [] });
  });
});

describe('a holder cannot', async () => {
  const { token, record } = await mint();
  const narrowed = [{ scopes: ['orders:read'] }, { expiresAt: expirySeconds - 60 }, { request }].reduce(
    attenuate,
    token,
  );
  const { caveats, signature } = chunksOf(narrowed);
  const expectRefused = async (changed: Chunks, note?: string) =>
    expect(await open(withChunks(narrowed, changed), record), note).toBeNull();

  test('take any of the caveats away, or all', async () => {
    expect(withChunks(narrowed, { caveats, signature }), 'unchanged, it would be taken').toBe(narrowed);
    expect(await open(narrowed, record)).not.toBeNull();
    // All subsets but the whole.
    for (let mask = 0; mask < 2 ** caveats.length - 1; mask++) {
      await expectRefused({ caveats: caveats.filter((_, at) => mask & (1 << at)), signature }, `of ${mask}`);
    }
  });

  test('bring them into another order, or say one twice', async () => {
    const [scopes, expiry, binding] = caveats as [Buffer, Buffer, Buffer];
    const orders = [
      [scopes, binding, expiry],
      [expiry, scopes, binding],
      [expiry, binding, scopes],
      [binding, scopes, expiry],
      [binding, expiry, scopes],
    ];
    for (const order of orders) await expectRefused({ caveats: order, signature });
    for (const caveat of caveats) await expectRefused({ caveats: [...caveats, caveat], signature });
  });

  test('edit a byte of one, of a length or of the signature, or leave one out', async () => {
    const { rest } = parseOpaque('a', narrowed) ?? expect.unreachable();
    const bytes = decodeBase62(rest) as Buffer;
    for (let at = 0; at < bytes.length; at++) {
      for (const bit of [1, 2, 4, 8, 16, 32, 64, 128]) {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] as number) ^ bit;
        expect(await open(rewritten(narrowed, changed), record), `byte ${at}, bit ${bit}`).toBeNull();
      }
      const without = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]);
      expect(await open(rewritten(narrowed, without), record), `without byte ${at}`).toBeNull();
    }
  });

  test('make one caveat of two, or two of one', async () => {
    const [scopes, expiry, binding] = caveats as [Buffer, Buffer, Buffer];
    await expectRefused({ caveats: [Buffer.concat([scopes, expiry]), binding], signature });
    await expectRefused({ caveats: [Buffer.concat([scopes, withLength(expiry)]), binding], signature });
    for (let at = 0; at <= scopes.length; at++) {
      await expectRefused({ caveats: [scopes.subarray(0, at), scopes.subarray(at), expiry, binding], signature });
    }
  });

  test('put the signature of one copy under the caveats of another', async () => {
    const other = chunksOf(attenuate(token, { scopes: ['orders:write'] }));
    await expectRefused({ caveats, signature: other.signature });
    await expectRefused({ caveats: other.caveats, signature });
    await expectRefused({ caveats: [...other.caveats, ...caveats], signature });
  });

  test('put the caveats and the signature of one token behind the identifier of another', async () => {
    const other = await mint();
    const mixed = withChunks(other.token, chunksOf(token));
    expect(await open(mixed, record)).toBeNull();
    expect(await open(mixed, other.record)).toBeNull();
  });
});

describe('refused, though its holder signed it, is', async () => {
  const { token, record } = await mint();
  const scopes = (count: number) => Array.from({ length: count }, (_, at) => `s${at}`).join(' ');

  test.each([
    ['nothing', ''],
    ['a kind that is not known', 'ip 192.0.2.1'],
    ['a kind alone', 'scope'],
    ['no scope', 'scope '],
    ['an empty scope', 'scope a  b'],
    ['a scope in capitals', 'scope Orders'],
    ['a scope too long', `scope ${'x'.repeat(129)}`],
    ['scopes too many', `scope ${scopes(65)}`],
    ['space at the end', 'scope a '],
    ['a line feed at the end', 'scope a\n'],
    ['a second line', 'exp 1\nexp 9'],
    ['a kind in capitals', 'EXP 1'],
    ['space before it', ' exp 1'],
    ['no time', 'exp '],
    ['time zero', 'exp 0'],
    ['negative time', 'exp -1'],
    ['time with a zero before it', 'exp 01'],
    ['time with a fraction', 'exp 1.5'],
    ['time with an exponent', 'exp 1e3'],
    ['time too long', 'exp 1000000000000'],
    ['digits of another script', 'exp ١'],
    ['a hash too short', `req ${request.slice(1)}`],
    ['a hash too long', `req ${request}A`],
    ['a hash in base64', `req ${request.slice(1)}+`],
    ['a byte order mark', '\ufeffexp 1'],
    ['a null character', 'exp 1\0'],
  ])('a caveat of %s', async (_, caveat) => {
    const { length } = (parseMacaroon(signedOver(token, Buffer.from(caveat))) as Macaroon).caveats;
    expect(length, 'it is read as a caveat').toBe(1);
    expect(await open(signedOver(token, Buffer.from(caveat)), record)).toBeNull();
    const followed = attenuate(signedOver(token, Buffer.from(caveat)), { scopes: ['orders:read'] });
    expect(await open(followed, record), 'nor with one after it that is good').toBeNull();
  });

  test('one with more than 32 caveats', async () => {
    const of = (count: number) =>
      formatMacaroon(Array.from({ length: count }, () => 'exp 9').reduce(withCaveat, parseMacaroon(token) as Macaroon));
    expect(await open(of(32), record)).toMatchObject({ expiresAt: 9_000 });
    expect(await open(of(33), record)).toBeNull();
  });

  test('one whose lengths lead past its end', async () => {
    const { signature } = chunksOf(token);
    for (const length of ['00', '0001', 'ffff', '0000ffff']) {
      const next = createHmac('sha256', signature).update('').digest();
      for (const end of [signature, next]) {
        expect(await open(rewritten(token, Buffer.concat([Buffer.from(length, 'hex'), end])), record)).toBeNull();
      }
    }
  });

  test('a caveat that is no UTF-8, whether its bytes or its text were signed', () => {
    const invalid = ['c0a0', 'ff', 'c3', 'eda080', 'f4908080', 'e28080e2'].map((hex) =>
      Buffer.concat([Buffer.from('scope a'), Buffer.from(hex, 'hex')]),
    );
    for (const bytes of invalid) {
      for (const signed of [bytes, bytes.toString()]) {
        const changed = signedOver(token, bytes, signed);
        expect(parseMacaroon(changed)).toBeNull();
        expect(method.locate(changed)).toBeNull();
        expect(() => attenuate(changed, { scopes: ['a'] })).toThrow(RangeError);
      }
    }
  });

  test('everything that is not the one string of what it was read as', () => {
    const caveats = fc.array(fc.uint8Array({ maxLength: 6 }), { maxLength: 3 });
    fc.assert(
      fc.property(caveats, (bytes) => {
        const changed = bytes.reduce<string>((copy, one) => {
          const { signature, caveats } = rawChunksOf(copy);
          const next = createHmac('sha256', signature).update(Buffer.from(one).toString()).digest();
          return withChunks(token, { caveats: [...caveats, Buffer.from(one)], signature: next });
        }, token);
        const macaroon = parseMacaroon(changed);
        if (macaroon) expect(formatMacaroon(macaroon)).toBe(changed);
      }),
    );
  });
});

/** As `chunksOf`, of bytes that need not be text. */
function rawChunksOf(token: string): Chunks {
  const bytes = decodeBase62(parseOpaque('a', token)?.rest ?? '') as Buffer;
  const caveats: Buffer[] = [];
  let at = 0;
  while (at < bytes.length - 32) {
    const from = at + 2;
    at = from + bytes.readUInt16BE(at);
    caveats.push(bytes.subarray(from, at));
  }
  return { caveats, signature: bytes.subarray(at) };
}
