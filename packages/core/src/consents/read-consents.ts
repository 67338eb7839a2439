import type { Act } from '../access/act.ts';
import { actsIn, requireKind, requireScope, requireTenant } from '../access/rights.ts';
import { ConsentUnknown } from '../errors.ts';
import type { UserHandles } from '../issue/ports.ts';
import type { ConsentAsOf, ConsentStore } from './ports.ts';

/** @throws CallerNotAllowed, ConsentUnknown, StoreUnavailable */
export async function getConsent(act: Act, consentId: string, consents: ConsentStore): Promise<ConsentAsOf> {
  authorise(act);
  const found = await consents.find(consentId);
  if (!found || !actsIn(act.caller, found.consent.tenantId)) throw new ConsentUnknown();
  return found;
}

export interface ListConsentsCommand {
  readonly tenantId: string;
  readonly userId: string;
  readonly pageSize: number;
  /** The id of the last consent of the page before; null: from the beginning. */
  readonly after: string | null;
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
  { consents, handles }: { readonly consents: ConsentStore; readonly handles: UserHandles },
): Promise<ConsentsPage> {
  authorise(act);
  requireTenant(act.caller, tenantId);
  const found = await consents.list(handles.handleOf(tenantId, userId), after, pageSize + 1);
  const page = found.slice(0, pageSize);
  return { consents: page, next: found.length > pageSize ? (page.at(-1)?.consent.consentId ?? null) : null };
}

function authorise({ caller }: Act): void {
  requireKind(caller, 'identity_service');
  requireScope(caller, 'consents:write');
}
