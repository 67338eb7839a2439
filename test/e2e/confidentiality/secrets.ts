import { randomBytes } from 'node:crypto';
import { decodeBase62 } from '@touchstone/core';
import { readMasterKeyFile } from '@touchstone/token-methods';
import type { Canary } from '../../harness/canary.ts';
import type { OwnStack } from './own-stack.ts';

/** A beginning that all user ids, or all claim values, share: one canary finds every one of them. */
export const stemOf = (what: string): string => `canary-${what}-${randomBytes(6).toString('hex')}`;

/** What nobody who takes the data, the logs or the metrics may find. */
export class Secrets {
  readonly user = stemOf('user');
  readonly claim = stemOf('claim');
  readonly #canaries: Canary[] = [
    { name: 'a user id', value: this.user },
    { name: 'a claim value', value: this.claim },
  ];

  get canaries(): readonly Canary[] {
    return this.#canaries;
  }

  userId(number: number): string {
    return `${this.user}-${number}@example.org`;
  }

  claims(number: number): Record<string, unknown> {
    const value = `${this.claim}-${number}`;
    return { name: value, email: `${value}@example.org`, phone: value, nested: { list: [value, { deep: value }] } };
  }

  /** Remembers a token or a credential: its string, most of its string, and its random part. */
  keep(token: string, what = 'a token'): string {
    const payload = token.slice(5, -7);
    this.#canaries.push({ name: `${what}, its string`, value: payload.slice(0, 42) });
    this.#canaries.push({ name: `${what}, the end of its string`, value: payload.slice(-21) });
    const random = decodeBase62(payload)?.subarray(3, 35);
    if (random) this.#canaries.push({ name: `${what}, its random part`, value: random });
    return token;
  }

  /** The keys that the services were given. */
  async keepKeys({ stack }: OwnStack): Promise<void> {
    this.#canaries.push({ name: 'the master key', value: await readMasterKeyFile(stack.masterKeyFile) });
    for (const [role, url] of Object.entries(stack.databaseUrls)) {
      this.#canaries.push({ name: `the database password of ${role}`, value: new URL(url).password });
    }
  }
}
