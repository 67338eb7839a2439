import type { Client } from '@connectrpc/connect';
import type {
  ConsentService,
  IssuerService,
  RegistryService,
  RevocationService,
  ValidatorService,
} from '@touchstone/contracts';

/** A resource server: one client of each replica, as it calls them. */
export interface Server {
  readonly audience: string;
  readonly issuers: readonly Client<typeof IssuerService>[];
  readonly validators: readonly { readonly name: string; readonly client: Client<typeof ValidatorService> }[];
}

export interface App {
  readonly appId: string;
  readonly credential: string;
  /** Whether it may be gone at any time, and its credential with it. */
  readonly isPassing: boolean;
}

/** A tenant to race in. */
export interface Arena {
  readonly tenantId: string;
  /** Whom tokens are issued for. */
  readonly front: Server;
  /** Whom they are exchanged to. */
  readonly back: Server;
  readonly apps: readonly App[];
  /** One of each replica, as the caller that each is for. */
  readonly issuers: readonly Client<typeof IssuerService>[];
  readonly consents: readonly Client<typeof ConsentService>[];
  readonly revocations: readonly Client<typeof RevocationService>[];
  readonly registry: Client<typeof RegistryService>;
  /** Issuers that apps call: each call says whose it is. */
  readonly issuersOfApps: readonly Client<typeof IssuerService>[];
}

/** What is granted to apps and by users, and asked for. */
export const scopes = ['orders:read'];

export const grantsIn = ({ front, back }: Pick<Arena, 'front' | 'back'>) =>
  [front, back].map(({ audience }) => ({ audience, scopes }));

/** Of each call. */
export const within = { timeoutMs: 20_000 };

/** Of each call that an app makes. */
export const as = ({ credential }: App) => ({ ...within, headers: { authorization: `Bearer ${credential}` } });
