import { randomBytes } from 'node:crypto';
import { type KeyRing, readMasterKeyFile } from '@touchstone/token-methods';
import type pg from 'pg';
import type { Canary } from '../../harness/canary.ts';
import { keysOf, withDataKeys } from '../../harness/installation-keys.ts';
import type { OwnStack } from './own-stack.ts';
import { storedKeys } from './stored-keys.ts';
import { partsOf } from './token-parts.ts';

/** A beginning that all user ids, or all claim values, share: one canary finds every one of them. */
export const stemOf = (what: string): string => `canary-${what}-${randomBytes(6).toString('hex')}`;

/** What nobody who takes the data, the logs or the metrics may find. */
export class Secrets {
  readonly user = stemOf('user');
  readonly claim = stemOf('claim');
  #keys: KeyRing | null = null;
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

  /** Remembers a token or a credential: its string and the parts of it that count. */
  keep(token: string, what = 'a token'): string {
    if (!this.#keys) throw new Error('the keys of the installation come first');
    this.#add(partsOf(token, what, this.#keys));
    return token;
  }

  /** The keys that the services were given, and the ones of the installation. */
  async keepKeys({ stack }: OwnStack): Promise<void> {
    this.#add([{ name: 'the master key', value: await readMasterKeyFile(stack.masterKeyFile) }]);
    for (const [role, url] of Object.entries(stack.databaseUrls)) {
      this.#add([{ name: `the database password of ${role}`, value: new URL(url).password }]);
    }
    this.#keys = await keysOf(stack);
  }

  /** The keys that are there now, wrapped: those that are gone later have been remembered. @returns their names. */
  async keepStoredKeys({ shared }: OwnStack, superuser: pg.Client): Promise<readonly string[]> {
    const found = await withDataKeys(shared, (dataKeys) => storedKeys(superuser, dataKeys));
    const isNew = ({ name }: Canary) => !this.#canaries.some((known) => known.name === name);
    this.#add(found.filter(isNew));
    return found.map(({ name }) => name);
  }

  #add(canaries: readonly Canary[]): void {
    this.#canaries.push(...canaries);
  }
}
