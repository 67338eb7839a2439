/**
 * Strings near to real tokens of all six methods: none may throw, take long, or open anything.
 *
 * Runs for three seconds; with FUZZ_SECONDS=600 for ten minutes. A failure prints the string and the seed: FUZZ_SEED makes
 * the same changes again, to tokens of new keys.
 */
import { createHash, randomBytes, randomInt } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { attenuate } from '@touchstone/client';
import { type TokenMethodName, type TokenRecord, tokenCharactersMax } from '@touchstone/core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openInstallation } from './test-methods.ts';
import { draft, secrets, withChecksum } from './token-method.contract.ts';

const seconds = Number(process.env.FUZZ_SECONDS ?? 3);
const seed = Number(process.env.FUZZ_SEED ?? randomInt(2 ** 31));
/** Far more than any takes. */
const millisecondsMax = 50;

interface Minted {
  readonly name: TokenMethodName;
  readonly token: string;
}

type Random = (below: number) => number;

/** The same numbers for the same seed. */
function seeded(seed: number): Random {
  let block = Buffer.alloc(0);
  let count = 0;
  return (below) => {
    if (block.length < 4) block = createHash('sha512').update(`${seed} ${count++}`).digest();
    const value = block.readUInt32LE();
    block = block.subarray(4);
    return value % below;
  };
}

const pick = <T>(random: Random, list: ArrayLike<T>): T => list[random(list.length)] as T;

const strange: readonly string[] = [
  ...['', '.', '..', '_', '=', '==', '+', '/', '-', ' ', '\n', '\r\n', '\0', '\t', '%00', '"', '{', '[', '\\'],
  // What looks like a letter or a digit, becomes one in other letters, is not seen, or is half a character.
  ...['\u00e9', 'e\u0301', '\u00df', '\u0130', '\uff11', '\u0663', '\u212a', '\u017f', '\ufeff', '\u200b', '\u202e'],
  ...['\ud800', '\udc00', '\u{1f4a5}', 'tks_', 'tks_r', 'eyJ', 'e30', 'bnVsbA', '0', 'z', '__proto__', 'NaN'],
];

/** Changes a string. @param other another token. */
type Mutation = (token: string, other: string, random: Random) => string;

const at = (token: string, random: Random) => random(token.length + 1);
const splice = (token: string, from: number, to: number, by: string) => token.slice(0, from) + by + token.slice(to);

const mutations: readonly Mutation[] = [
  // A bit of a character.
  (token, _, random) => {
    const place = random(Math.max(1, token.length));
    const flipped = token.charCodeAt(place) ^ (1 << random(7));
    return splice(token, place, place + 1, Number.isNaN(flipped) ? '' : String.fromCharCode(flipped));
  },
  // A character by another one of its kind.
  (token, other, random) => {
    const place = at(token, random);
    return splice(token, place, place + 1, pick(random, other) ?? '');
  },
  // Something strange put in, or in the place of something.
  (token, _, random) => {
    const place = at(token, random);
    return splice(token, place, place + random(3), pick(random, strange));
  },
  // Any character there is, lone surrogates too.
  (token, _, random) => {
    const place = at(token, random);
    return splice(token, place, place + random(2), String.fromCharCode(random(0x10000)));
  },
  // The beginning of one and the end of another.
  (token, other, random) => token.slice(0, at(token, random)) + other.slice(at(other, random)),
  (token, other, random) => {
    const place = at(token, random);
    return token.slice(0, place) + other.slice(place);
  },
  // A part by that of another.
  (token, other, random) => {
    const parts = token.split('.');
    parts[random(parts.length)] = pick(random, other.split('.'));
    return parts.join('.');
  },
  // Cut short, at either end.
  (token, _, random) => token.slice(0, at(token, random)),
  (token, _, random) => token.slice(at(token, random)),
  // A piece left out.
  (token, _, random) => {
    const place = at(token, random);
    return splice(token, place, place + random(40), '');
  },
  // A piece, a part or all of it repeated.
  (token, _, random) => {
    const [from, to] = [at(token, random), at(token, random)];
    return splice(token, from, from, token.slice(from, to).repeat(1 + random(4)));
  },
  (token, _, random) => {
    const part = pick(random, token.split('.'));
    return `${token}.${`${part}.`.repeat(random(5))}`;
  },
  (token) => token + token,
  // As long as there are.
  (token, _, random) => {
    const place = at(token, random);
    return splice(token, place, place, pick(random, [...strange, 'A', '1', '.A']).repeat(tokenCharactersMax));
  },
  // In other letters.
  (token) => token.toUpperCase(),
  (token) => token.toLowerCase(),
  (token, _, random) => token.normalize(pick(random, ['NFC', 'NFKD'])),
  (token, _, random) => pick(random, strange) + token + pick(random, strange),
  (token) => token.split('').reverse().join(''),
  // What it begins with by what others begin with.
  (token, other) => other.slice(0, 5) + token.slice(5),
  // Its parts in base64url, read, changed a little and written again.
  (token, _, random) => {
    const parts = token.split('.');
    const place = random(parts.length);
    const bytes = Buffer.from(parts[place] ?? '', 'base64url');
    if (bytes.length > 0) {
      const one = random(bytes.length);
      bytes[one] = (bytes[one] as number) ^ (1 << random(8));
    }
    parts[place] = bytes.toString('base64url');
    return parts.join('.');
  },
];

/** One to four changes, each of what came out of the last; and a checksum that fits, of half of them. */
function mutate(token: string, other: string, random: Random): string {
  let changed = token;
  for (let left = 1 + random(4); left > 0; left--) {
    changed = pick(random, mutations)(changed, other, random).slice(0, tokenCharactersMax);
  }
  return random(2) === 0 ? changed : withChecksum(changed);
}

const minted: Minted[] = [];
const records = new Map<string, TokenRecord>();
let installation: Awaited<ReturnType<typeof openInstallation>>;

beforeAll(async () => {
  installation = await openInstallation(randomBytes(32));
  const { methods, all, consentKey } = installation;
  for (const { name } of all) {
    for (const claims of [secrets.claims, {}, { text: '\u00e9'.repeat(1_000) }]) {
      const { token, record } = await methods.mint(name, draft, { ...secrets, claims }, consentKey);
      records.set(record.key.key, { ...record, consentKey });
      minted.push({ name, token });
      if (name !== 'attenuable') continue;
      const copy = attenuate(token, { scopes: ['orders:read'], expiresAt: 1_795_000_060 });
      minted.push({ name, token: copy }, { name, token: attenuate(copy, { request: 'A'.repeat(43) }) });
    }
  }
});

let slowest = { milliseconds: 0, length: 0 };
let count = 0;
let led = 0;
afterAll(() => {
  const { milliseconds, length } = slowest;
  console.info(
    `fuzz: seed ${seed}, ${count} strings, ${led} times one led to a record; slowest ${milliseconds.toFixed(1)} ms, of ${length} characters`,
  );
});

/** What any method makes of a string with the record that it leads to, where there is one; null: nothing. */
async function openedBy(text: string): Promise<unknown> {
  // Each method by itself, too, whatever the string begins with.
  const { all, methods } = installation;
  const found = [methods.locate(text), ...all.map((method) => ({ method, located: method.locate(text) }))];
  for (const { method, located } of found.filter((one) => one !== null)) {
    const record = located && records.get(located.key.key);
    if (!record) continue;
    led++;
    const opened = await method.open(located, record);
    if (opened) return { method: method.name, opened };
  }
  return null;
}

test('the tokens that it begins with open', async () => {
  for (const { name, token } of minted) expect(await openedBy(token), name).toMatchObject({ method: name });
});

test('no string that was not minted opens anything, throws or takes long', {
  timeout: (seconds + 30) * 1_000,
}, async () => {
  const random = seeded(seed);
  const real = new Set(minted.map(({ token }) => token));
  const end = performance.now() + seconds * 1_000;
  while (performance.now() < end) {
    const [one, other] = [pick(random, minted), pick(random, minted)];
    const text = mutate(one.token, other.token, random);
    if (real.has(text)) continue;
    count++;
    let milliseconds = await timed(text, one);
    // Again: it may have been the machine.
    for (let left = 3; left > 0 && milliseconds > millisecondsMax; left--) {
      await sleep(100);
      milliseconds = await timed(text, one);
    }
    if (milliseconds > slowest.milliseconds) slowest = { milliseconds, length: text.length };
    if (milliseconds > millisecondsMax) expect.fail(`seed ${seed}: ${milliseconds} ms for ${JSON.stringify(text)}`);
  }
  expect(count).toBeGreaterThan(100);
});

/** How many milliseconds a string takes. Fails where it opens something, or throws. */
async function timed(text: string, one: Minted): Promise<number> {
  const begin = performance.now();
  const opened = await openedBy(text).catch((error: unknown) => ({ error: String(error) }));
  const milliseconds = performance.now() - begin;
  if (opened !== null) {
    expect.fail(`seed ${seed}: ${JSON.stringify(text)}, made from ${one.name}, gave ${JSON.stringify(opened)}`);
  }
  return milliseconds;
}
