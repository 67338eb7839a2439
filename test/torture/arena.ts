import type { Client } from '@connectrpc/connect';
import type {
  ConsentService,
  IssuerService,
  RegistryService,
  RevocationService,
  ValidatorService,
} from '@touchstone/contracts';

/** A tenant to race in. */
export interface Arena {
  readonly tenantId: string;
  readonly audience: string;
  readonly appIds: readonly string[];
  /** One of each replica, as the caller that each is for. */
  readonly issuers: readonly Client<typeof IssuerService>[];
  readonly consents: readonly Client<typeof ConsentService>[];
  readonly validators: readonly { readonly name: string; readonly client: Client<typeof ValidatorService> }[];
  readonly revocations: readonly Client<typeof RevocationService>[];
  readonly registry: Client<typeof RegistryService>;
}

/** What is granted to apps and by users, and asked for. */
export const scopes = ['orders:read'];

/** Of each call. */
export const within = { timeoutMs: 20_000 };
