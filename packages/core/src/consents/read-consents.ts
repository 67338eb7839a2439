import type { Act } from '../access/act.ts';
import { actsIn, requireKind, requireScope, requireTenant } from '../access/rights.ts';
import { ConsentUnknown } from '../errors.ts';
import type { UserHandles } from '../issue/ports.ts';
import type { UseReader } from '../policy/unused-scopes.ts';
import type { Follower } from '../revisions/follower.ts';
import type { ConsentAsOf, ConsentStore } from './ports.ts';
import { withEnd } from './withdrawn.ts';

export interface ReadConsentPorts {
  readonly consents: ConsentStore;
  readonly handles: UserHandles;
  readonly follower: Follower;
  readonly uses: UseReader;
}

/** A consent, and when it was used last. */
export interface ConsentSeen extends ConsentAsOf {
  /** About when a token of it was honoured last, milliseconds since 1970; null: never, as far as is known. */
  readonly lastUsedAt: number | null;
}

/** @throws CallerNotAllowed, ConsentUnknown, StoreUnavailable */
export async function getConsent(
  act: Act,
  consentId: string,
  ports: Pick<ReadConsentPorts, 'consents' | 'follower' | 'uses'>,
): Promise<ConsentSeen> {
  authorise(act);
  const found = await ports.consents.find(consentId, act.caller.tenantIds);
  if (!found || !actsIn(act.caller, found.consent.tenantId)) throw new ConsentUnknown();
  const [seen] = await see([found], ports);
  return seen as ConsentSeen;
}

export interface ListConsentsCommand {
  readonly tenantId: string;
  readonly userId: string;
  readonly pageSize: number;
  /** The id of the last consent of the page before; empty: from the beginning. */
  readonly after: string;
}

export interface ConsentsPage {
  readonly consents: readonly ConsentSeen[];
  /** What the next page comes after; null: there is none. */
  readonly next: string | null;
}

/** @throws CallerNotAllowed, StoreUnavailable */
export async function listConsents(
  act: Act,
  { tenantId, userId, pageSize, after }: ListConsentsCommand,
  ports: ReadConsentPorts,
): Promise<ConsentsPage> {
  authorise(act);
  requireTenant(act.caller, tenantId);
  const { handleOf } = await ports.handles.of(tenantId);
  const { consents, next } = await ports.consents.list(tenantId, handleOf(userId), after, pageSize);
  return { consents: await see(consents, ports), next };
}

async function see(
  found: readonly ConsentAsOf[],
  { follower, uses }: Pick<ReadConsentPorts, 'follower' | 'uses'>,
): Promise<ConsentSeen[]> {
  const used = await uses.consentsUsed(found.map(({ consent }) => consent.consentId));
  return found.map((one) => ({
    ...withEnd(one, follower),
    lastUsedAt: used.get(one.consent.consentId) ?? null,
  }));
}

function authorise({ caller }: Act): void {
  requireKind(caller, 'identity_service');
  requireScope(caller, 'consents:write');
}
