import type { Actor, AuditEvent } from '../audit/audit-event.ts';
import { CredentialNotAllowed } from '../errors.ts';
import { newId } from '../new-id.ts';
import type { CutTarget } from '../revisions/revision.ts';
import type { RevocationWriter } from '../revoke/ports.ts';
import type { TokenRecord } from '../tokens/token-record.ts';
import type { Principal } from './act.ts';
import { homeOf, platformTenantId } from './home.ts';
import {
  type CredentialWriting,
  checkScopes,
  type IssuedCredential,
  principalSubject,
  writeCredential,
} from './issue-credential.ts';

export interface BootstrapCommand {
  /** The operator, for the audit trail. */
  readonly name: string;
  /** The tenants to act in; they need not exist yet. */
  readonly tenantIds: readonly string[];
  readonly scopes: readonly string[];
  /** Seconds. */
  readonly ttl: number;
  /** Cuts off what was bootstrapped for the same operator before; without it that is a failure. */
  readonly replace: boolean;
}

/** Remembers for whom credentials were bootstrapped. */
export interface BootstrapLog {
  /** Takes the name, and notes the tenants; null where it has been taken and is not to be replaced. @throws StoreUnavailable */
  claim(operatorName: string, tenantIds: readonly string[], replace: boolean): Promise<Claim | null>;
}

export interface Claim {
  /** Whether nobody had taken the name. */
  readonly isFirst: boolean;
  /** All tenants that were ever noted for it. */
  readonly tenantIds: readonly string[];
}

export interface BootstrapPorts extends CredentialWriting {
  readonly log: BootstrapLog;
  readonly revocations: RevocationWriter;
}

/**
 * Makes the first operator's credential, once: for whoever has the database and the master key. All others come from
 * operators.
 * @throws CredentialNotAllowed, StoreUnavailable
 */
export async function bootstrap(command: BootstrapCommand, ports: BootstrapPorts): Promise<IssuedCredential> {
  const { name, tenantIds, scopes, ttl, replace } = command;
  checkScopes('operator', scopes);
  for (const text of [name, ...tenantIds]) {
    if (!registeredName.test(text)) {
      throw new CredentialNotAllowed(
        `${text}: a name of an operator or tenant begins with a letter, and has up to 63 of a-z, 0-9 and -`,
      );
    }
  }
  const principal: Principal = { kind: 'operator', name, tenantIds };
  const claim = await ports.log.claim(name, tenantIds, replace);
  if (!claim) {
    throw new CredentialNotAllowed(
      `${name} has been bootstrapped; to replace its credentials, which cuts off the former ones, say so (--replace)`,
    );
  }
  if (!claim.isFirst) await cutOffFormer(principal, claim.tenantIds, ports);
  const birth = await ports.tokens.draw(homeOf({ ...principal, scopes }));
  const expiresAt = birth.now + ttl * 1_000;
  return writeCredential(principal, scopes, { ...birth, expiresAt }, bootstrapped(name), ports);
}

/** The operator may have been at home in any one of its tenants before, or in none. */
async function cutOffFormer(
  principal: Principal,
  everyTenant: readonly string[],
  { handles, revocations }: BootstrapPorts,
): Promise<void> {
  for (const tenantId of new Set([platformTenantId, ...everyTenant])) {
    const target: CutTarget = { kind: 'user', key: handles.ofCaller(tenantId, principalSubject(principal)) };
    await revocations.write({
      revocationId: newId('rvk'),
      target,
      tenantId,
      cuts: [{ ...target, tokenClass: 'credential' }],
      reach: 'issued',
      disables: null,
      includeCredentials: true,
      sparedTokenId: null,
      reason: 'replaced by a new bootstrap',
      actor: bootstrapActor,
      idempotencyKey: newId('rvk'),
    });
  }
}

/** As the protos have names of tenants and operators. */
const registeredName = /^[a-z][a-z0-9-]{0,62}$/;

/** Whoever has the database and the master key. */
export const bootstrapActor = {
  kind: 'bootstrap',
  name: 'bootstrap',
  credentialId: '',
  peer: '',
  traceId: '',
} as const satisfies Actor;

const bootstrapped =
  (name: string) =>
  (record: TokenRecord): AuditEvent => ({
    tenantId: record.tenantId,
    actor: bootstrapActor,
    act: { type: 'token_issued', record, credentialFor: `operator:${name}` },
  });
