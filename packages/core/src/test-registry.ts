import type { Owned, Registration, Registry } from './register/ports.ts';
import type { Registered, RegisteredKind } from './register/registration.ts';

/** Data for tests: all that decides about a token of app a1 for the audience s1. */
export const registration: Registration = {
  tenant: { tenantId: 't1', displayName: '', tokenTtlMax: 3_600, firstPartyWithoutConsent: true },
  app: {
    appId: 'a1',
    tenantId: 't1',
    displayName: '',
    clientType: 'web',
    hostingType: 'first_party',
    grants: [{ audience: 's1', scopes: ['read', 'write', 'gone'] }],
    methods: ['reference'],
    refresh: null,
    tokenTtlMax: null,
  },
  resourceServer: {
    audience: 's1',
    tenantId: 't1',
    displayName: '',
    scopes: ['read', 'write', 'admin'].map((name) => ({ name, description: '' })),
    releasedClaims: [],
    pairwiseSector: null,
    exchanges: [],
    tokenTtlMax: null,
  },
  disabled: new Set(),
  version: 7,
};

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
  readonly created: Registered[] = [];
  remembered: Registration | null = null;

  async find(): Promise<Registration> {
    this.remembered ??= this.stored;
    return this.remembered;
  }

  forget(tenantId: string): void {
    this.forgotten.push(tenantId);
    this.remembered = null;
  }

  async owner(what: RegisteredKind, id: string): Promise<Owned | null> {
    return this.owned.get(`${what} ${id}`) ?? null;
  }

  async resourceServer() {
    const { resourceServer: entry } = this.stored;
    return entry && { entry, etag: JSON.stringify(entry), disabled: false };
  }

  async create(registered: Registered): Promise<void> {
    this.created.push(registered);
  }
}

export const handles = {
  handleOf: (tenantId: string, userId: string) => `handle of ${tenantId} ${userId}`,
  pseudonymOf: (tenantId: string, sector: string, userId: string) => `${sector}'s name of ${tenantId} ${userId}`,
};
