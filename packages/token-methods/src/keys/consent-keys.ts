import { randomBytes } from 'node:crypto';
import type { WrappedKey } from '@touchstone/core';
import type { DataKeys } from './data-keys.ts';

/** The keys of consents: 32 bytes each, wrapped by the data key of the 30 days in which they were made, or moved. */
export interface ConsentKeys {
  /** A new one. @throws StoreUnavailable */
  create(consentId: string): Promise<WrappedKey>;
  /** Null where it is not this consent's, or its data key has been destroyed. @throws StoreUnavailable */
  unwrap(consentId: string, key: WrappedKey): Promise<Buffer | null>;
}

/** What a consent's key is bound to. */
export const consentContext = (consentId: string): string => `consent ${consentId}`;

/** Nothing is kept unwrapped: that takes two microseconds, and the key must be there each time. */
export function consentKeys(dataKeys: DataKeys): ConsentKeys {
  return {
    async create(consentId) {
      const dataKey = await dataKeys.current('consent');
      return dataKey.wrap(randomBytes(32), consentContext(consentId));
    },
    async unwrap(consentId, { dataKeyId, wrapped }) {
      const dataKey = await dataKeys.find(dataKeyId);
      return dataKey?.unwrap(wrapped, consentContext(consentId)) ?? null;
    },
  };
}
