import type { Act, CallerKind } from '../access/act.ts';
import type { ErrorCode } from '../errors.ts';
import type { AppGrant } from '../register/registration.ts';
import type { CutKind } from '../revisions/revision.ts';
import type { DisabledKind } from '../revoke/ports.ts';
import type { TokenRecord } from '../tokens/token-record.ts';

export interface Actor {
  /** `bootstrap` is the command that has the database and the master key; `service` a service that acts by itself. */
  readonly kind: CallerKind | 'bootstrap' | 'service';
  readonly name: string;
  readonly credentialId: string;
  readonly peer: string;
  readonly traceId: string;
}

/** What was done. Never a user id, a claim or a token. */
export type AuditAct =
  | { readonly type: 'token_issued'; readonly record: TokenRecord; readonly credentialFor: string }
  | {
      readonly type: 'issue_refused';
      readonly appId: string;
      readonly audience: string;
      readonly reason: ErrorCode;
      /** Of a credential: whom it was to be for, as `kind:name`. */
      readonly credentialFor?: string;
    }
  | {
      readonly type: 'tokens_revoked';
      readonly revocationId: string;
      readonly targetKind: CutKind;
      readonly targetKey: string;
      readonly revision: number;
      readonly reason: string;
      readonly includeCredentials: boolean;
    }
  | {
      readonly type: 'registry_changed';
      readonly what: DisabledKind | 'policy' | 'user' | 'history';
      readonly id: string;
      readonly change: 'created' | 'updated' | 'disabled' | 'activated' | 'erased' | 'replayed';
      readonly reason: string;
    }
  | {
      readonly type: 'consent_recorded';
      readonly consentId: string;
      readonly appId: string;
      readonly userHandle: string;
      readonly grants: readonly AppGrant[];
      /** Seconds. */
      readonly ttl: number;
    };

/** One act for the record, which the store writes in the transaction of the act itself. */
export interface AuditEvent {
  /** Null for acts of the installation. */
  readonly tenantId: string | null;
  readonly actor: Actor;
  readonly act: AuditAct;
}

export const actorOf = ({ caller, peer, traceId }: Act): Actor => ({
  kind: caller.kind,
  name: caller.name,
  credentialId: caller.credentialId,
  peer,
  traceId,
});
