import type { Act } from '../access/act.ts';
import { actsIn, requireKind, requireScope, requireTenant } from '../access/rights.ts';
import { ConsentUnknown } from '../errors.ts';
import type { UserHandles } from '../issue/ports.ts';
import type { Follower } from '../revisions/follower.ts';
import type { ConsentAsOf, ConsentStore } from './ports.ts';
import { withEnd } from './withdrawn.ts';

export interface ReadConsentPorts {
  readonly consents: ConsentStore;
  readonly handles: UserHandles;
  readonly follower: Follower;
}

/** @throws CallerNotAllowed, ConsentUnknown, StoreUnavailable */
export async function getConsent(
  act: Act,
  consentId: string,
  { consents, follower }: Pick<ReadConsentPorts, 'consents' | 'follower'>,
): Promise<ConsentAsOf> {
  authorise(act);
  const found = await consents.find(consentId);
  if (!found || !actsIn(act.caller, found.consent.tenantId)) throw new ConsentUnknown();
  return withEnd(found, follower);
}

export interface ListConsentsCommand {
  readonly tenantId: string;
  readonly userId: string;
  readonly pageSize: number;
  /** The id of the last consent of the page before; empty: from the beginning. */
  readonly after: string;
}

export interface ConsentsPage {
  readonly consents: readonly ConsentAsOf[];
  /** What the next page comes after; null: there is none. */
  readonly next: string | null;
}

/** @throws CallerNotAllowed, StoreUnavailable */
export async function listConsents(
  act: Act,
  { tenantId, userId, pageSize, after }: ListConsentsCommand,
  { consents, handles, follower }: ReadConsentPorts,
): Promise<ConsentsPage> {
  authorise(act);
  requireTenant(act.caller, tenantId);
  const found = await consents.list(handles.handleOf(tenantId, userId), after, pageSize + 1);
  const page = found.slice(0, pageSize);
  return {
    consents: page.map((one) => withEnd(one, follower)),
    next: found.length > pageSize ? (page.at(-1)?.consent.consentId ?? null) : null,
  };
}

function authorise({ caller }: Act): void {
  requireKind(caller, 'identity_service');
  requireScope(caller, 'consents:write');
}
