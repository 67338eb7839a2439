import type { Client } from '@connectrpc/connect';
import type {
  ConsentService,
  IssuerService,
  RegistryService,
  RevocationService,
  ValidatorService,
} from '@touchstone/contracts';
import type { Restored } from './history.ts';

/** A resource server. */
export interface Server {
  readonly audience: string;
  readonly credential: string;
  readonly life: Life;
  /** Whether it has been told that it is gone. */
  isGone: boolean;
}

export interface App {
  readonly appId: string;
  readonly credential: string;
  readonly life: Life;
}

/** Of an app or a resource server, and of what it calls with. */
export interface Life {
  /** When it was made for one race; null: before all of them, and it is there to their end. */
  readonly since: number | null;
  /** Whether a call has been made that ends it, or what an app was granted. */
  isEnding: boolean;
}

export const lastingLife = (): Life => ({ since: null, isEnding: false });
export const passingLife = (): Life => ({ since: performance.now(), isEnding: false });

/** Whether it may be gone by now: a database that is put back may lose what had been made shortly before. */
export const mayBeGone = ({ since, isEnding }: Life, restores: readonly Restored[]): boolean =>
  isEnding || (since !== null && restores.some(({ putBack }) => since < putBack.end));

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
  /** Issuers and validators that apps and resource servers call: each call says whose it is. */
  readonly anyonesIssuers: readonly Client<typeof IssuerService>[];
  readonly validators: readonly { readonly name: string; readonly client: Client<typeof ValidatorService> }[];
}

/** What is granted to apps and by users, and asked for. */
export const scopes = ['orders:read'];

/** How what a resource server was called for is passed on to another one. */
export const exchangesTo = ({ audience }: Server) => [
  { audience, scopes: scopes.map((name) => ({ from: name, to: name })) },
];

export const grantsIn = ({ front, back }: Pick<Arena, 'front' | 'back'>) =>
  [front, back].map(({ audience }) => ({ audience, scopes }));

/** Of each call. */
export const within = { timeoutMs: 20_000 };

/** Of each call that an app or a resource server makes. */
export const as = ({ credential }: App | Server) => ({ ...within, headers: { authorization: `Bearer ${credential}` } });
