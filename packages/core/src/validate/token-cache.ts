import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Follower } from '../revisions/follower.ts';
import { bytesOfValues } from '../tokens/bytes-of-values.ts';
import type { Claims, Opened } from '../tokens/token-method.ts';
import { type TokenRecord, withoutSealed } from '../tokens/token-record.ts';
import type { Release } from './ports.ts';

/** What a resource server is told of a token that is honoured. As long as a token is remembered, the same object. */
export interface Told {
  readonly tokenId: string;
  readonly tenantId: string;
  readonly appId: string;
  readonly subject: string;
  readonly scopes: readonly string[];
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  /** Those released to the caller. */
  readonly claims: Claims;
  /** Who acts with it, the latest first. */
  readonly actors: readonly string[];
  /** Its form on the wire, kept by whoever encodes it; null: not encoded yet. */
  encoded: Uint8Array | null;
}

/** A token as it was read and opened once: of it nothing changes. Whether it is revoked or has expired is decided anew. */
export interface KnownToken {
  /** Without what was sealed. */
  readonly record: TokenRecord;
  readonly opened: Opened;
  /** What its resource server was told of it last, and by what it is shown; null: nothing yet. */
  lastTold: (Pick<Release, 'claims' | 'pairwiseSector'> & { readonly told: Told }) | null;
}

/** What an entry takes beside what is counted of its texts and claims: objects, and its place in the cache. */
const bytesOfEntry = 500;
/** Of a character of its texts, and of the same as it goes over the wire. */
const [bytesOfLatin, bytesOfOther] = [1 + 2, 2 + 3];
const isLatin = /^[\0-\xff]*$/;

/**
 * Remembers tokens by the hash of their strings, those used last, up to a number of bytes. A record may be remembered
 * however old the read was that brought it: what revokes it is in the watermarks, which hold whatever covers a token that
 * can still be alive, and are those of the same history as the record.
 */
export class TokenCache {
  readonly #follower: Follower;
  readonly #known: LRUCache<string, KnownToken>;
  #generation: number;

  constructor(follower: Follower, bytesMax: number) {
    this.#follower = follower;
    this.#generation = follower.generation;
    this.#known = new LRUCache({ maxSize: bytesMax, sizeCalculation: sizeOf });
  }

  /** How many are remembered. */
  get size(): number {
    return this.#known.size;
  }

  /** Bytes, as they are counted towards the limit. */
  get bytes(): number {
    return this.#known.calculatedSize;
  }

  get(token: string): KnownToken | undefined {
    this.#forgetOtherHistories();
    return this.#known.get(keyOf(token));
  }

  /** @param generation the follower's when the record was read: of another history, it is not taken. */
  set(token: string, record: TokenRecord, opened: Opened, generation: number): void {
    this.#forgetOtherHistories();
    if (generation !== this.#generation) return;
    this.#known.set(keyOf(token), { record: withoutSealed(record), opened, lastTold: null });
  }

  #forgetOtherHistories(): void {
    if (this.#generation === this.#follower.generation) return;
    this.#known.clear();
    this.#generation = this.#follower.generation;
  }
}

/** The string itself is kept nowhere. */
const keyOf = (token: string): string => hash('sha256', token, 'latin1');

function sizeOf({ record, opened }: KnownToken): number {
  const text = JSON.stringify([record, opened]);
  const bytesOfText = text.length * (isLatin.test(text) ? bytesOfLatin : bytesOfOther);
  return bytesOfEntry + bytesOfText + bytesOfValues(opened.claims);
}
