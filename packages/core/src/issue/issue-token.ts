import type { Act } from '../access/act.ts';
import { requireKind, requireScope, requireTenant } from '../access/rights.ts';
import { type AuditEvent, actorOf } from '../audit/audit-event.ts';
import type { Consent, ConsentAsOf, ConsentStore } from '../consents/ports.ts';
import {
  CallerNotAllowed,
  ConsentEnded,
  ConsentUnknown,
  InvalidField,
  StoreUnavailable,
  TtlTooLong,
} from '../errors.ts';
import type { WrappedKey } from '../keys/ports.ts';
import type { Registration, Registry } from '../register/ports.ts';
import { released } from '../register/released.ts';
import type { Follower } from '../revisions/follower.ts';
import type { Head } from '../revisions/revision.ts';
import type { Claims, MintedToken, TokenMethods } from '../tokens/token-method.ts';
import { idOf, type TokenMethodName, type TokenRecord, type Usage } from '../tokens/token-record.ts';
import { checkClaims } from './claims.ts';
import { decideGrant, type Grant } from './decide-grant.ts';
import type { AuditWriter, Birth, TokenWriter, UserHandles } from './ports.ts';
import { recordRefusal } from './record-refusal.ts';

export interface IssueCommand {
  readonly tenantId: string;
  readonly appId: string;
  /** Null: the app acts for itself. */
  readonly userId: string | null;
  readonly audience: string;
  /** At least one. */
  readonly scopes: readonly string[];
  /** Seconds; null: as long as the limits allow, within reason. */
  readonly ttl: number | null;
  readonly method: TokenMethodName;
  readonly usage: Usage;
  readonly claims: Claims;
  readonly consentId: string | null;
}

export interface IssuedToken {
  readonly token: string;
  readonly tokenId: string;
  readonly scopes: readonly string[];
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  /** The latest revision that was known here. */
  readonly head: Head;
}

export interface IssuePorts {
  readonly registry: Registry;
  readonly consents: Pick<ConsentStore, 'findWithKey'>;
  readonly methods: TokenMethods;
  readonly handles: UserHandles;
  readonly tokens: TokenWriter;
  readonly audit: AuditWriter;
  readonly follower: Follower;
}

/** How often a token is decided anew because the registry changed under it. */
const attemptsMax = 5;

/**
 * Makes a token. Once this resolves, a fully consistent validation on any replica accepts it.
 * @throws what `decideGrant`, `checkClaims` and the methods throw, CallerNotAllowed, InvalidField, ConsentUnknown,
 *   ConsentEnded, StoreUnavailable, Overloaded
 */
export async function issueToken(act: Act, command: IssueCommand, ports: IssuePorts): Promise<IssuedToken> {
  try {
    authorise(act, command);
    checkClaims(command.claims);
    return await issueUnderLatest(act, command, ports);
  } catch (error) {
    const { appId, audience } = command;
    await recordRefusal(act, { appId, audience }, error, ports.audit);
    throw error;
  }
}

function authorise({ caller }: Act, command: IssueCommand): void {
  requireKind(caller, 'identity_service', 'app');
  requireTenant(caller, command.tenantId);
  requireScope(caller, caller.kind === 'app' ? 'tokens:issue:self' : 'tokens:issue');
  if (command.consentId !== null && command.userId === null) {
    throw new InvalidField('user_id', 'must name the user whose consent it is');
  }
  if (command.method === 'consent_key' && command.consentId === null) {
    throw new InvalidField('consent_id', 'must name a consent, for a token of this method');
  }
  if (caller.kind === 'identity_service') return;
  if (command.appId !== caller.name)
    throw new CallerNotAllowed('an app gets tokens for itself only', { field: 'app_id' });
  if (command.userId !== null)
    throw new CallerNotAllowed('only an identity service speaks for users', { field: 'user_id' });
  if (Object.keys(command.claims).length > 0) {
    throw new CallerNotAllowed('only an identity service makes claims', { field: 'claims' });
  }
}

type Given = ConsentAsOf & { readonly key: WrappedKey | null };

/** The consent that is named, if it is this user's to this app. @throws ConsentUnknown, ConsentEnded, StoreUnavailable */
async function findConsent({ tenantId, appId, userId, consentId }: IssueCommand, ports: IssuePorts): Promise<Given> {
  const userHandle = userId === null ? null : ports.handles.handleOf(tenantId, userId);
  const given = consentId === null ? null : await ports.consents.findWithKey(consentId);
  const { consent } = given ?? {};
  if (!given || consent?.tenantId !== tenantId || consent.appId !== appId || consent.userHandle !== userHandle) {
    throw new ConsentUnknown();
  }
  if (given.isWithdrawn) throw new ConsentEnded();
  return given;
}

/** A token ends with the consent that it stands on. @throws TtlTooLong, ConsentEnded */
function decideEnd({ ttl }: IssueCommand, grant: Grant, consent: Consent | null, now: number): number {
  const end = now + grant.ttl * 1_000;
  if (!consent || end <= consent.expiresAt) return end;
  if (consent.expiresAt <= now) throw new ConsentEnded();
  if (ttl !== null) throw new TtlTooLong(Math.floor((consent.expiresAt - now) / 1_000), 'consent');
  return consent.expiresAt;
}

/** What is remembered of the registry may be old: then nothing is written, or refused, before it has been read anew. */
async function issueUnderLatest(act: Act, command: IssueCommand, ports: IssuePorts): Promise<IssuedToken> {
  for (let attempt = 1; attempt <= attemptsMax; attempt++) {
    const registration = await ports.registry.find(command.tenantId, command.appId, command.audience);
    const given = command.consentId === null ? null : await findConsent(command, ports);
    const grant = grantOrStale(registration, command, given?.consent ?? null, attempt > 1);
    const issued = grant && (await write(act, command, registration, given, grant, ports));
    if (issued) return issued;
    ports.registry.forget(command.tenantId);
  }
  throw new StoreUnavailable(new Error("the tenant's registry does not stand still"));
}

function grantOrStale(
  registration: Registration,
  command: IssueCommand,
  consent: Consent | null,
  fresh: boolean,
): Grant | null {
  try {
    return decideGrant(registration, { ...command, forUser: command.userId !== null, consent });
  } catch (error) {
    if (fresh) throw error;
    return null;
  }
}

async function write(
  act: Act,
  command: IssueCommand,
  registration: Registration,
  given: Given | null,
  grant: Grant,
  ports: IssuePorts,
): Promise<IssuedToken | null> {
  const birth = await ports.tokens.draw(act.signal);
  const expiresAt = decideEnd(command, grant, given?.consent ?? null, birth.now);
  const { token, record } = await mint(command, registration, given, grant, { ...birth, expiresAt }, ports);
  const inserted = await ports.tokens.insert(record, tokenIssued(act, record, ''), act.signal);
  return inserted ? issuedFrom(token, record, ports.follower) : null;
}

export const issuedFrom = (token: string, record: TokenRecord, { applied }: Follower): IssuedToken => ({
  token,
  tokenId: idOf(record),
  scopes: record.scopes,
  expiresAt: record.expiresAt,
  head: applied,
});

function mint(
  command: IssueCommand,
  { version: policyVersion, resourceServer }: Registration,
  given: Given | null,
  grant: Grant,
  { sequence, now, expiresAt }: Birth & { readonly expiresAt: number },
  ports: IssuePorts,
): Promise<MintedToken> {
  const { tenantId, appId, userId, audience, usage, consentId } = command;
  // Who can read it sees no more than its audience may.
  const claims =
    command.method === 'signed' ? released(command.claims, resourceServer?.releasedClaims ?? []) : command.claims;
  return ports.methods.mint(
    command.method,
    {
      tokenClass: 'token',
      tenantId,
      appId,
      userHandle: userId === null ? null : ports.handles.handleOf(tenantId, userId),
      consentId,
      audience,
      scopes: grant.scopes,
      usage,
      policyVersion,
      confirmation: null,
      lineage: [],
      sequence,
      issuedAt: now,
      expiresAt,
    },
    { userId, claims, principal: null },
    given?.key ?? null,
  );
}

/** @param credentialFor for a credential, whom it is for, as `kind:name`; else empty. */
export const tokenIssued = (act: Act, record: TokenRecord, credentialFor: string): AuditEvent => ({
  tenantId: record.tenantId,
  actor: actorOf(act),
  act: { type: 'token_issued', record, credentialFor },
});
