import { setTimeout as sleep } from 'node:timers/promises';
import type { WrappedKey } from '@touchstone/core';
import { consentContext } from './consent-keys.ts';
import type { DataKey, DataKeys } from './data-keys.ts';

/** The key of a consent. */
interface ConsentKey extends WrappedKey {
  readonly consentId: string;
}

/** One that a data key wrapped which is to be destroyed. */
interface OldConsentKey extends ConsentKey {
  /** The consent, and with it every token under it, ended more than a day ago. */
  readonly hasEnded: boolean;
}

/** Exchanges what keys of consents are wrapped by. Nothing in it brings back a key that was deleted. */
export interface ConsentKeyMoveStore {
  /** The data keys of consents that came at least so many milliseconds ago, without the current one. @throws StoreUnavailable */
  oldDataKeys(milliseconds: number): Promise<readonly string[]>;
  /**
   * Looks at some keys, by their consents' ids.
   * @param after the last consent that was looked at; empty: from the beginning.
   * @param wallNow milliseconds since 1970: a consent has ended only if this clock says so, too.
   * @returns those that one of the data keys wrapped, and the last one looked at; null: there are no more.
   * @throws StoreUnavailable
   */
  keysAfter(
    after: string,
    dataKeyIds: readonly string[],
    wallNow: number,
  ): Promise<{ readonly keys: readonly OldConsentKey[]; readonly looked: number; readonly last: string | null }>;
  /** Keeps keys as they are wrapped now, those that are still there and in nobody's hands. Returns how many. @throws StoreUnavailable */
  replace(keys: readonly ConsentKey[]): Promise<number>;
  /** Deletes keys, those that are in nobody's hands. Returns how many. @throws StoreUnavailable */
  remove(consentIds: readonly string[]): Promise<number>;
}

/** What became of the keys that were to be moved. */
export interface ConsentKeysMoved {
  readonly moved: number;
  /** Of consents that have ended: nothing that is alive needs them. */
  readonly deleted: number;
  /** Consents whose keys don't unwrap, and stay as they are. */
  readonly unreadable: readonly string[];
}

/** Milliseconds until what somebody else had in hand is looked at again. */
const pauseMilliseconds = 100;

/**
 * Wraps the keys of living consents by the current data key, in place of those that came at least `milliseconds` ago, and
 * deletes those of consents that have ended. It may be interrupted at any point and started again, and run beside
 * services. When it returns, old data keys are needed for nothing but for keys that are unreadable.
 * @throws StoreUnavailable
 */
export async function moveConsentKeys(
  store: ConsentKeyMoveStore,
  dataKeys: DataKeys,
  milliseconds: number,
  onProgress: (looked: number) => void,
): Promise<ConsentKeysMoved> {
  // From now on nothing is wrapped by the one of a period that is over.
  const to = await dataKeys.current('consent');
  const old = await store.oldDataKeys(milliseconds);
  let [moved, deleted] = [0, 0];
  for (;;) {
    const pass = await moveOnce(store, old, { dataKeys, to }, onProgress);
    moved += pass.moved;
    deleted += pass.deleted;
    // Some came while it looked, or were in somebody's hands.
    if (pass.found === 0) return { moved, deleted, unreadable: pass.unreadable };
    if (pass.moved + pass.deleted === 0) await sleep(pauseMilliseconds);
  }
}

interface Wrapping {
  readonly dataKeys: DataKeys;
  readonly to: DataKey;
}

async function moveOnce(
  store: ConsentKeyMoveStore,
  old: readonly string[],
  wrapping: Wrapping,
  onProgress: (looked: number) => void,
): Promise<ConsentKeysMoved & { readonly found: number }> {
  let [found, moved, deleted, looked] = [0, 0, 0, 0];
  const unreadable: string[] = [];
  for (let after: string | null = old.length > 0 ? '' : null; after !== null; ) {
    const page = await store.keysAfter(after, old, Date.now());
    const ended = page.keys.filter(({ hasEnded }) => hasEnded).map(({ consentId }) => consentId);
    const living: ConsentKey[] = [];
    for (const former of page.keys.filter(({ hasEnded }) => !hasEnded)) {
      const key = await rewrap(former, wrapping);
      if (key) living.push({ ...key, consentId: former.consentId });
      else unreadable.push(former.consentId);
    }
    if (living.length > 0) moved += await store.replace(living);
    if (ended.length > 0) deleted += await store.remove(ended);
    found += living.length + ended.length;
    looked += page.looked;
    after = page.last;
    onProgress(looked);
  }
  return { found, moved, deleted, unreadable };
}

/** Null where it does not unwrap. */
async function rewrap(
  { consentId, dataKeyId, wrapped }: OldConsentKey,
  { dataKeys, to }: Wrapping,
): Promise<WrappedKey | null> {
  const context = consentContext(consentId);
  const from = await dataKeys.find(dataKeyId);
  const plain = from?.unwrap(wrapped, context);
  return plain ? to.wrap(plain, context) : null;
}
