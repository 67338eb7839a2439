import type { UserHandles } from './issue/ports.ts';
import type { PublicSigningKey } from './keys/ports.ts';
import { defaultPolicy } from './policy/policy.ts';
import { indexed } from './policy/rule-index.ts';
import type { Registration, Registry, Stored } from './register/ports.ts';
import type { Entries, RegisteredKind } from './register/registration.ts';

/** Data for tests: all that decides about a token of app a1 for the audience s1. */
export const registration: Registration = {
  tenant: {
    tenantId: 't1',
    displayName: '',
    tokenTtlMax: 3_600,
    tokensPerMinuteMax: null,
    firstPartyWithoutConsent: true,
  },
  app: {
    appId: 'a1',
    tenantId: 't1',
    displayName: '',
    clientType: 'web',
    hostingType: 'first_party',
    grants: [{ audience: 's1', scopes: ['read', 'write', 'gone'] }],
    methods: ['reference'],
    refresh: null,
    environment: 'production',
    tokensPerMinuteMax: null,
    tokenTtlMax: null,
  },
  resourceServer: {
    audience: 's1',
    tenantId: 't1',
    displayName: '',
    scopes: ['read', 'write', 'admin'].map((name) => ({
      name,
      description: '',
      sensitivity: 'normal' as const,
      tokenTtlMax: null,
    })),
    releasedClaims: [],
    pairwiseSector: null,
    encryptionJwk: null,
    exchanges: [],
    owners: [],
    tokenTtlMax: null,
  },
  disabled: new Set(),
  policy: indexed(defaultPolicy('t1')),
  version: 7,
};

/** Where an entry belongs. */
interface Owned {
  readonly tenantId: string;
  readonly disabled: boolean;
}

const entriesByKind = {
  tenant: { id: 'tenantId', entry: registration.tenant },
  app: { id: 'appId', entry: registration.app },
  resource_server: { id: 'audience', entry: registration.resourceServer },
} as const;

/** A registry that remembers what it has found until it is told to forget. */
export class TestRegistry implements Registry {
  /** As it is in the database. */
  stored: Registration = registration;
  owned = new Map<string, Owned>([
    ['tenant t1', { tenantId: 't1', disabled: false }],
    ['tenant t2', { tenantId: 't2', disabled: false }],
    ['app a1', { tenantId: 't1', disabled: false }],
    ['app a2', { tenantId: 't2', disabled: false }],
    ['resource_server s1', { tenantId: 't1', disabled: false }],
    ['resource_server s2', { tenantId: 't2', disabled: false }],
  ]);
  readonly forgotten: string[] = [];
  remembered: Registration | null = null;

  async find(): Promise<Registration> {
    this.remembered ??= this.stored;
    return this.remembered;
  }

  forget(tenantId: string): void {
    this.forgotten.push(tenantId);
    this.remembered = null;
  }

  async read<Kind extends RegisteredKind>(what: Kind, id: string): Promise<Stored<Entries[Kind]> | null> {
    const owned = this.owned.get(`${what} ${id}`);
    if (!owned) return null;
    const { tenantId, disabled } = owned;
    const { id: name, entry } = entriesByKind[what];
    return { entry: { ...entry, tenantId, [name]: id } as Entries[Kind], etag: 'etag', disabled };
  }

  async list(): Promise<never> {
    throw new Error('nothing is listed in these tests');
  }
}

const handleOf = (tenantId: string, userId: string): string => `handle of ${tenantId} ${userId}`;

export const handles: UserHandles = {
  ofCaller: handleOf,
  of: (tenantId) => ({
    handleOf: (userId) => handleOf(tenantId, userId),
    pseudonymOf: (sector, userId) => `${sector}'s name of ${tenantId} ${userId}`,
  }),
};

/** A key that signs for the tenant. */
export const publicKeyOf = (keyId: string): PublicSigningKey => ({
  keyId,
  tenantId: 't1',
  algorithm: 'EdDSA',
  state: 'active',
  publicJwk: '{}',
  createdAt: 0,
  activatedAt: 0,
  retiredAt: null,
});
