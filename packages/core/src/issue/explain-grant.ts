import type { Act } from '../access/act.ts';
import { requireOperator } from '../access/rights.ts';
import type { Granted } from '../policy/cap.ts';
import { rulesAbout } from '../policy/caps-of.ts';
import { refusalOf } from '../policy/refusal.ts';
import { evaluateGrant, requireKnown } from './decide-grant.ts';
import { findConsent, type IssueCommand, type IssuePorts } from './issue-token.ts';

export interface Explanation extends Granted {
  /** Whether there would be a token. */
  readonly isGranted: boolean;
  /** The rules of the policy that are about it. */
  readonly ruleIds: readonly string[];
  readonly policyVersion: number;
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
  ports.registry.forget(command.tenantId);
  const registration = await ports.registry.find(command.tenantId, command.appId, command.audience);
  const consent = command.consentId === null ? null : await findConsent(command, ports);
  const granted = evaluateGrant(registration, { ...command, forUser: command.userId !== null, consent });
  return {
    ...granted,
    isGranted: refusalOf(granted, command.onExcess) === null,
    ruleIds: rulesAbout(requireKnown(registration), command.usage).rules.map(({ ruleId }) => ruleId),
    policyVersion: registration.policy.version,
  };
}
