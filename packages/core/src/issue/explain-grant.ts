import type { Act } from '../access/act.ts';
import { requireOperator } from '../access/rights.ts';
import { type Excess, type Granted, within } from '../policy/cap.ts';
import { capOfIssued, rulesAbout } from '../policy/caps-of.ts';
import { refusalOf } from '../policy/refusal.ts';
import { evaluateGrant, requireAlive, requireKnown } from './decide-grant.ts';
import { findConsent, type IssueCommand, type IssuePorts, requireFields } from './issue-token.ts';

export interface Explanation extends Granted {
  /** Whether there would be a token. */
  readonly isGranted: boolean;
  /** The rules of the policy that are about it. */
  readonly ruleIds: readonly string[];
  readonly policyVersion: number;
  /** Why such a token would be refused where it is there already: what is beyond rules that hold for issued tokens. */
  readonly heldExcess: readonly Excess[];
}

/**
 * What IssueToken would grant, what not, and whose cap that is.
 * @throws CallerNotAllowed, TenantUnknown, AppUnknown, AudienceUnknown, Disabled, ConsentRequired, ConsentUnknown,
 *   ConsentEnded, RefreshNotAllowed, InvalidField, StoreUnavailable
 */
export async function explainGrant(
  { caller }: Act,
  command: IssueCommand,
  ports: Pick<IssuePorts, 'registry' | 'consents' | 'handles' | 'follower'>,
): Promise<Explanation> {
  requireOperator(caller, 'registry:read', command.tenantId);
  requireFields(command);
  ports.registry.forget(command.tenantId);
  const registration = await ports.registry.find(command.tenantId, command.appId, command.audience);
  requireAlive(registration, ports.follower);
  const consent = command.consentId === null ? null : await findConsent(command, ports);
  const granted = evaluateGrant(registration, { ...command, forUser: command.userId !== null, consent, renewed: null });
  const known = requireKnown(registration);
  // The token ends with the family of the refresh token that would come with it.
  const refreshMax = command.refreshable ? known.app.refresh?.ttlMax : undefined;
  const held = capOfIssued(known, command.usage);
  const issued = { ...command, ttl: command.ttl ?? granted.ttl, consentAge: null };
  return {
    ...granted,
    ttl: Math.min(granted.ttl, refreshMax ?? Infinity),
    isGranted: refusalOf(granted, command.onExcess) === null,
    ruleIds: rulesAbout(known, command.usage).rules.map(({ ruleId }) => ruleId),
    policyVersion: registration.policy.version,
    heldExcess: held ? within([held], issued).excess : [],
  };
}
