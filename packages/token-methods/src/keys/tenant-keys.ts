import { randomBytes } from 'node:crypto';
import {
  isPrincipalSubject,
  StoreUnavailable,
  type TenantHandles,
  type TenantKeyMaker,
  type TenantKeyReader,
  TenantUnknown,
  type UserHandles,
} from '@touchstone/core';
import { LRUCache } from 'lru-cache';
import type { DataKeys } from './data-keys.ts';
import type { KeyRing } from './key-ring.ts';

const contextOf = (tenantId: string): string => `tenant ${tenantId}`;

export const tenantKeyMaker = (dataKeys: DataKeys): TenantKeyMaker => ({
  async create(tenantId) {
    const dataKey = await dataKeys.current('tenant');
    return dataKey.wrap(randomBytes(32), contextOf(tenantId));
  },
});

/** Of how many tenants the key is remembered, and for how many milliseconds: one that is deleted is forgotten. */
const rememberedMax = 20_000;
const rememberedMilliseconds = 600_000;
const nothing = Buffer.alloc(0);

/**
 * Users' handles, under the keys of their tenants.
 * @param generation of the history: in another one a tenant may have another key.
 */
export function userHandles(
  keys: KeyRing,
  dataKeys: DataKeys,
  tenantKeys: TenantKeyReader,
  generation: () => number = () => 0,
): UserHandles {
  let knownIn = generation();
  const known = new LRUCache<string, TenantHandles>({ max: rememberedMax, ttl: rememberedMilliseconds });
  // Nobody erases a caller: its handle takes no key of its tenant.
  const ofCaller = (tenantId: string, subject: string) => keys.handlesOf(tenantId, nothing).handleOf(subject);

  function recall(tenantId: string): TenantHandles | undefined {
    if (knownIn !== generation()) known.clear();
    knownIn = generation();
    return known.get(tenantId);
  }

  async function read(tenantId: string): Promise<TenantHandles> {
    const askedIn = generation();
    const stored = await tenantKeys.find(tenantId);
    if (!stored) throw new TenantUnknown();
    const dataKey = await dataKeys.find(stored.dataKeyId);
    const key = dataKey?.unwrap(stored.wrapped, contextOf(tenantId));
    if (!key) throw new StoreUnavailable(new Error("a tenant's key does not unwrap"));
    const { handleOf, pseudonymOf } = keys.handlesOf(tenantId, key);
    const handles: TenantHandles = {
      handleOf: (userId) => (isPrincipalSubject(userId) ? ofCaller(tenantId, userId) : handleOf(userId)),
      pseudonymOf,
    };
    if (askedIn === generation()) known.set(tenantId, handles);
    return handles;
  }

  return { of: (tenantId) => recall(tenantId) ?? read(tenantId), ofCaller };
}
