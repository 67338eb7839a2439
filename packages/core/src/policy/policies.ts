import type { Act } from '../access/act.ts';
import { requireOperator } from '../access/rights.ts';
import { type AuditEvent, actorOf } from '../audit/audit-event.ts';
import { EtagStale, InvalidField, PolicyUnknown } from '../errors.ts';
import type { Registry } from '../register/ports.ts';
import { requireTenantThere } from '../register/unknown-entry.ts';
import { defaultPolicy, holdsForIssued, type Policy, type Rule } from './policy.ts';
import type { PolicyStore, PolicyVersion, PolicyWritten } from './ports.ts';

export interface PolicyPorts {
  readonly registry: Registry;
  readonly policies: PolicyStore;
}

/** @throws CallerNotAllowed, TenantUnknown, PolicyUnknown, StoreUnavailable */
export async function getPolicy(
  act: Act,
  tenantId: string,
  version: number | null,
  { registry, policies }: PolicyPorts,
): Promise<PolicyVersion> {
  requireOperator(act.caller, 'registry:read', tenantId);
  const found = await policies.read(tenantId, version);
  if (found) return found;
  if (version !== null) throw new PolicyUnknown();
  await requireTenantThere(registry, tenantId);
  return unmade(tenantId);
}

/** The latest first. @throws CallerNotAllowed, StoreUnavailable */
export async function listPolicyVersions(
  act: Act,
  tenantId: string,
  { before, pageSize }: { readonly before: number | null; readonly pageSize: number },
  { policies }: PolicyPorts,
): Promise<{ readonly versions: readonly PolicyVersion[]; readonly next: number | null }> {
  requireOperator(act.caller, 'registry:read', tenantId);
  const found = await policies.list(tenantId, before, pageSize + 1);
  const versions = found.slice(0, pageSize);
  return { versions, next: found.length > pageSize ? (versions.at(-1)?.policy.version ?? null) : null };
}

/** A version that was made, and the revision that it took; null: none. */
export type PolicyMade = PolicyVersion & Pick<PolicyWritten, 'head'>;

/**
 * Makes the next version of a policy. Once this resolves, nothing is issued under the one before to whoever asks afterwards,
 * and a fully consistent validation holds to those of its rules that hold for issued tokens.
 * @param read what it is to be, under the version that was read.
 * @throws CallerNotAllowed, InvalidField, EtagStale, TenantUnknown, Disabled, StoreUnavailable
 */
export async function updatePolicy(
  act: Act,
  read: Policy,
  reason: string,
  { registry, policies }: PolicyPorts,
): Promise<PolicyMade> {
  const { tenantId } = read;
  requireOperator(act.caller, 'registry:write', tenantId, 'policy.tenant_id');
  if (new Set(read.rules.map(({ ruleId }) => ruleId)).size < read.rules.length) {
    throw new InvalidField('policy.rules', 'must each have an id of their own');
  }
  requireOfUsualSize(read);
  const policy = { ...read, version: read.version + 1 };
  const next = { policy, recordedBy: act.caller.name, reason };
  const before = (await policies.read(tenantId, null))?.policy ?? defaultPolicy(tenantId);
  if (before.version !== read.version) throw new EtagStale('version');
  const event: AuditEvent = {
    tenantId,
    actor: actorOf(act),
    act: { type: 'registry_changed', what: 'policy', id: String(policy.version), change: 'updated', reason },
  };
  const written = await policies.write(next, event, holdAlike(before, policy) ? null : { policies: [tenantId] });
  registry.forget(tenantId);
  return { ...next, ...written };
}

/** Whether two policies hold the same against tokens that are there. */
const holdAlike = (one: Policy, other: Policy): boolean =>
  JSON.stringify(one.rules.filter(holdsForIssued)) === JSON.stringify(other.rules.filter(holdsForIssued));

export interface RollbackCommand {
  readonly tenantId: string;
  readonly toVersion: number;
  /** The one that was read as the one in force. */
  readonly version: number;
  readonly reason: string;
}

/**
 * Makes the next version out of an earlier one.
 * @throws PolicyUnknown, and what `updatePolicy` throws
 */
export async function rollbackPolicy(
  act: Act,
  { tenantId, toVersion, version, reason }: RollbackCommand,
  ports: PolicyPorts,
): Promise<PolicyMade> {
  requireOperator(act.caller, 'registry:write', tenantId);
  if (toVersion >= version) throw new InvalidField('to_version', 'must be an earlier version');
  const earlier = toVersion === 0 ? unmade(tenantId) : await ports.policies.read(tenantId, toVersion);
  if (!earlier) throw new PolicyUnknown();
  return updatePolicy(act, { ...earlier.policy, version }, reason, ports);
}

/** Each value of a dimension has a set of rules. */
const valuesMax = 10_000;
/** They are gone through for each kind of token, and nobody else is answered meanwhile. */
const scopesMax = 10_000;

/** @throws InvalidField */
export function requireOfUsualSize({ rules }: Policy): void {
  const total = (countOf: (rule: Rule) => number) => rules.reduce((sum, rule) => sum + countOf(rule), 0);
  if (total(({ match }) => (match.audience?.length ?? 0) + (match.environment?.length ?? 0)) > valuesMax) {
    throw new InvalidField('policy.rules', `must name at most ${valuesMax} audiences and environments, all together`);
  }
  if (total(({ limits }) => limits.scopes?.length ?? 0) > scopesMax) {
    throw new InvalidField('policy.rules', `must name at most ${scopesMax} scopes, all together`);
  }
}

const unmade = (tenantId: string): PolicyVersion => ({
  policy: defaultPolicy(tenantId),
  recordedBy: '',
  reason: '',
  recordedAt: 0,
});
