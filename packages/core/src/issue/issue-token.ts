import type { Act } from '../access/act.ts';
import { refreshAudience, requireKind, requireScope, requireTenant } from '../access/rights.ts';
import { type AuditEvent, actorOf } from '../audit/audit-event.ts';
import type { Consent, ConsentAsOf, ConsentStore } from '../consents/ports.ts';
import { withEnd } from '../consents/withdrawn.ts';
import {
  CallerNotAllowed,
  ConsentEnded,
  ConsentUnknown,
  InvalidField,
  RefreshNotAllowed,
  TokenNotHonoured,
} from '../errors.ts';
import type { WrappedKey } from '../keys/ports.ts';
import type { Excess, Granted } from '../policy/cap.ts';
import type { LiveTokensLimit } from '../policy/policy.ts';
import type { OnExcess } from '../policy/refusal.ts';
import type { Registration, Registry } from '../register/ports.ts';
import type { RefreshPolicy } from '../register/registration.ts';
import { readableBy } from '../register/released.ts';
import type { Follower } from '../revisions/follower.ts';
import type { Head } from '../revisions/revision.ts';
import type { RevocationWriter } from '../revoke/ports.ts';
import { intentOfToken } from '../revoke/revoke-token.ts';
import { type Confirmation, confirmationText } from '../tokens/confirmation.ts';
import type { Claims, MintedToken, TokenMethods } from '../tokens/token-method.ts';
import { type Ancestor, idOf, type TokenMethodName, type TokenRecord, type Usage } from '../tokens/token-record.ts';
import { checkClaims } from './claims.ts';
import { decideGrant, requireAlive, secondsLeftOf } from './decide-grant.ts';
import type {
  AuditWriter,
  Birth,
  NewToken,
  RateLimiter,
  RefreshUse,
  Room,
  TenantHandles,
  TokenWriter,
  UsedBefore,
  UserHandles,
} from './ports.ts';
import { countOnce } from './rates.ts';
import { recordRefusal } from './record-refusal.ts';
import { underLatest } from './under-latest.ts';
import { requireUserId } from './user-id.ts';

export interface IssueCommand {
  readonly tenantId: string;
  readonly appId: string;
  /** Null: the app acts for itself. */
  readonly userId: string | null;
  readonly audience: string;
  /** At least one. */
  readonly scopes: readonly string[];
  /** Seconds; null: as long as every limit allows, and never over `ttlDefault`. */
  readonly ttl: number | null;
  readonly method: TokenMethodName;
  readonly usage: Usage;
  readonly claims: Claims;
  readonly consentId: string | null;
  /** Whether a refresh token is wanted as well. */
  readonly refreshable: boolean;
  /** What its holder must prove to have; null: nothing. */
  readonly confirmation: Confirmation | null;
  readonly onExcess: OnExcess;
}

export interface IssuedToken {
  readonly token: string;
  readonly tokenId: string;
  readonly scopes: readonly string[];
  /** What was asked for and left out, and whose limit it was beyond. */
  readonly excess: readonly Excess[];
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  /** The latest revision that was known here. */
  readonly head: Head;
  /** Where one was wanted. */
  readonly refresh?: IssuedRefresh;
}

export interface IssuedRefresh {
  readonly token: string;
  /** From then on it is refused, unless it is used before: milliseconds since 1970. */
  readonly expiresAt: number;
}

export interface IssuePorts {
  readonly registry: Registry;
  readonly consents: Pick<ConsentStore, 'findWithKey'>;
  readonly methods: TokenMethods;
  readonly handles: UserHandles;
  readonly tokens: TokenWriter;
  readonly rates: RateLimiter;
  readonly revocations: RevocationWriter;
  readonly audit: AuditWriter;
  readonly follower: Follower;
}

/**
 * Makes a token. Once this resolves, a fully consistent validation on any replica accepts it.
 * @throws what `decideGrant`, `checkClaims` and the methods throw, CallerNotAllowed, InvalidField, ConsentUnknown,
 *   ConsentEnded, RateExceeded, TooManyTokens, TokenNotHonoured, StoreUnavailable, Overloaded
 */
export async function issueToken(act: Act, command: IssueCommand, ports: IssuePorts): Promise<IssuedToken> {
  try {
    authorise(act, command);
    checkClaims(command.claims);
    return (await issueUnderLatest(act, command, null, ports)) as IssuedToken;
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
  requireFields(command);
  if (caller.kind === 'identity_service') return;
  if (command.appId !== caller.name)
    throw new CallerNotAllowed('an app gets tokens for itself only', { field: 'app_id' });
  if (command.userId !== null)
    throw new CallerNotAllowed('only an identity service speaks for users', { field: 'user_id' });
  if (Object.keys(command.claims).length > 0) {
    throw new CallerNotAllowed('only an identity service makes claims', { field: 'claims' });
  }
}

/** Whether they fit each other. @throws InvalidField */
export function requireFields({ userId, appId, consentId, method }: IssueCommand): void {
  if (userId !== null) requireUserId(userId, appId);
  if (consentId !== null && userId === null) {
    throw new InvalidField('user_id', 'must name the user whose consent it is');
  }
  if (method === 'consent_key' && consentId === null) {
    throw new InvalidField('consent_id', 'must name a consent, for a token of this method');
  }
}

type Given = ConsentAsOf & { readonly key: WrappedKey | null };

/** The consent that is named, if it is this user's to this app. @throws ConsentUnknown, ConsentEnded, StoreUnavailable */
export async function findConsent(
  { tenantId, appId, userId, consentId }: IssueCommand,
  ports: Pick<IssuePorts, 'consents' | 'handles' | 'follower'>,
): Promise<Given> {
  const userHandle = userId === null ? null : (await ports.handles.of(tenantId)).handleOf(userId);
  const given = consentId === null ? null : await ports.consents.findWithKey(consentId, tenantId);
  const { consent } = given ?? {};
  if (!given || consent?.tenantId !== tenantId || consent.appId !== appId || consent.userHandle !== userHandle) {
    throw new ConsentUnknown();
  }
  if (withEnd(given, ports.follower).isWithdrawn || secondsLeftOf(given) <= 0) throw new ConsentEnded();
  return given;
}

/** A token ends with the consent that it stands on. @throws ConsentEnded */
function decideEnd({ ttl }: Granted, consent: Consent | null, now: number): number {
  const end = now + ttl * 1_000;
  if (!consent || end <= consent.expiresAt) return end;
  if (consent.expiresAt <= now) throw new ConsentEnded();
  return consent.expiresAt;
}

export function issueUnderLatest(
  act: Act,
  command: IssueCommand,
  renewal: Renewal | null,
  ports: IssuePorts,
): Promise<IssuedToken | UsedBefore> {
  const count = countOnce(ports.rates);
  return underLatest(ports.registry, command.tenantId, async () => {
    const registration = await ports.registry.find(command.tenantId, command.appId, command.audience);
    requireAlive(registration, ports.follower);
    const given = command.consentId === null ? null : await findConsent(command, ports);
    const request = { ...command, forUser: command.userId !== null, consent: given, renewed: renewal?.scopes ?? null };
    const grant = decideGrant(registration, request);
    if (renewal) requireInTime(renewal, refreshPolicyOf(registration));
    await count(registration);
    const handles = await ports.handles.of(command.tenantId);
    return write(act, command, { registration, given, grant, renewal, handles }, ports);
  });
}

/** However long it was to live when it was made. @throws TokenNotHonoured */
function requireInTime({ beganAt, madeAt, presentedAt }: Renewal, { ttlMax, idleMax }: RefreshPolicy): void {
  const end = Math.min(beganAt + ttlMax * 1_000, madeAt + idleMax * 1_000);
  if (presentedAt >= end) throw new TokenNotHonoured('refresh_token');
}

/** @throws RefreshNotAllowed */
function refreshPolicyOf({ app }: Registration): RefreshPolicy {
  if (!app?.refresh) throw new RefreshNotAllowed();
  return app.refresh;
}

/** What has been decided about a token. */
interface Decided {
  readonly registration: Registration;
  readonly given: Given | null;
  readonly grant: Granted;
  /** Null: nothing is renewed. */
  readonly renewal: Renewal | null;
  readonly handles: TenantHandles;
}

async function write(
  act: Act,
  command: IssueCommand,
  decided: Decided,
  ports: IssuePorts,
): Promise<IssuedToken | UsedBefore | null> {
  const birth = await ports.tokens.draw(command.tenantId, act.signal);
  const expiresAt = decideEnd(decided.grant, decided.given?.consent ?? null, birth.now);
  const family = command.refreshable ? await mintRefresh(act, command, decided, ports) : null;
  const end = Math.min(expiresAt, family?.end ?? expiresAt);
  const lineage = family ? [family.root] : [];
  const { token, record } = await mint(command, decided, lineage, { ...birth, expiresAt: end }, ports);
  requireAncestorsAlive(record, ports.follower, 'refresh_token');
  const issued = issuedFrom(token, record, decided.grant.excess, ports.follower);
  const event = tokenIssued(act, record, '');
  const { liveTokens } = decided.grant;
  if (!family && !liveTokens) return (await ports.tokens.insert(record, event, act.signal)) ? issued : null;
  const answer: IssuedToken = family ? { ...issued, refresh: family.issued } : issued;
  const tokens = [...(family ? [family.token] : []), { record, event }];
  const use = decided.renewal?.use(answer) ?? null;
  const written = await ports.tokens.insertTogether(tokens, use, roomFor(act, liveTokens, ports), act.signal);
  if (typeof written === 'object') return written;
  return written ? answer : null;
}

/** Room for a token among those of its app and user; null: it needs none. */
function roomFor(act: Act, limit: LiveTokensLimit | null, { revocations, follower }: IssuePorts): Room | null {
  if (!limit) return null;
  const reason = 'there was no room for a newer token of its app and user';
  const end = async (oldest: readonly TokenRecord[]): Promise<void> => {
    await Promise.all(oldest.map((record) => revocations.write(intentOfToken(act, record, reason))));
  };
  return {
    max: limit.max,
    isAlive: (record) => !follower.watermarks.revokes(record),
    refresh: () => follower.refresh(),
    end: limit.onMax === 'revoke_oldest' ? end : null,
  };
}

/**
 * A later attempt may come long after what it derives from was looked up, and a row that nobody honours would be stored after
 * those of its user have been erased. @throws TokenNotHonoured
 */
export function requireAncestorsAlive(
  record: Pick<TokenRecord, 'lineage'>,
  { watermarks }: Follower,
  field: 'token' | 'refresh_token' = 'token',
): void {
  if (watermarks.revokesAncestorOf(record)) throw new TokenNotHonoured(field);
}

export const issuedFrom = (
  token: string,
  record: TokenRecord,
  excess: readonly Excess[],
  { applied }: Follower,
): IssuedToken => ({
  token,
  tokenId: idOf(record),
  scopes: record.scopes,
  excess,
  expiresAt: record.expiresAt,
  head: applied,
});

/** The refresh token that goes with the token, and the first one of its family. */
async function mintRefresh(
  act: Act,
  command: IssueCommand,
  { registration, given, grant, renewal, handles }: Decided,
  ports: IssuePorts,
): Promise<MintedRefresh> {
  const policy = refreshPolicyOf(registration);
  const { sequence, now, server } = await ports.tokens.draw(command.tenantId, act.signal);
  const beganAt = renewal?.beganAt ?? now;
  const endOfRoot = renewal?.root.expiresAt ?? given?.consent.expiresAt ?? Infinity;
  const end = Math.min(beganAt + policy.ttlMax * 1_000, endOfRoot);
  const idleUntil = Math.min(end, now + policy.idleMax * 1_000);
  const { audience, method, usage, claims, userId, confirmation } = command;
  const renewable: Renewable = {
    audience,
    scopes: renewal?.scopes ?? grant.scopes,
    method,
    usage,
    claims,
    confirmation,
    beganAt,
    idleUntil,
  };
  const { token, record } = await ports.methods.mint(
    'reference',
    {
      ...draftOf(command, registration.version, handles),
      audience: refreshAudience,
      // The app that presents it authenticates itself.
      confirmation: null,
      scopes: renewable.scopes,
      lineage: renewal ? [renewal.root] : [],
      sequence,
      drawnOn: server,
      issuedAt: now,
      expiresAt: end,
    },
    { userId, claims: renewable as unknown as Claims, principal: null },
  );
  return {
    token: { record, event: tokenIssued(act, record, '') },
    issued: { token, expiresAt: idleUntil },
    root: renewal?.root ?? ancestorOf(record, end),
    end,
  };
}

interface MintedRefresh {
  readonly token: NewToken;
  readonly issued: IssuedRefresh;
  readonly root: Ancestor;
  /** When the family ends, by what holds now: milliseconds since 1970. */
  readonly end: number;
}

/** What a refresh token keeps of what it renews. */
export interface Renewable {
  readonly audience: string;
  readonly scopes: readonly string[];
  readonly method: TokenMethodName;
  readonly usage: Usage;
  readonly claims: Claims;
  readonly confirmation: Confirmation | null;
  /** When the first one of the family was made: milliseconds since 1970. */
  readonly beganAt: number;
  /** From then on it is refused: milliseconds since 1970. */
  readonly idleUntil: number;
}

/** What is renewed, and with which refresh token. */
export interface Renewal {
  /** The first refresh token of the family: all of it dies with that one. */
  readonly root: Ancestor;
  /** When that was made, milliseconds since 1970 like the others. */
  readonly beganAt: number;
  /** When the one that is used was made. */
  readonly madeAt: number;
  /** When that was presented, by the database's clock. */
  readonly presentedAt: number;
  /** What the first token of the family allowed. */
  readonly scopes: readonly string[];
  use(answer: IssuedToken): RefreshUse;
}

/** What a token keeps of one that it was derived from. @param expiresAt when all that is derived from it ends. */
export const ancestorOf = (record: TokenRecord, expiresAt: number): Ancestor => ({
  tokenId: idOf(record),
  sequence: record.sequence,
  tenantId: record.tenantId,
  appId: record.appId,
  userHandle: record.userHandle,
  consentId: record.consentId,
  audience: record.audience,
  signingKeyId: record.signingKeyId,
  expiresAt,
});

const draftOf = (
  { tenantId, appId, userId, usage, consentId, confirmation }: IssueCommand,
  policyVersion: number,
  handles: TenantHandles,
) =>
  ({
    tokenClass: 'token',
    tenantId,
    appId,
    userHandle: userId === null ? null : handles.handleOf(userId),
    consentId,
    usage,
    policyVersion,
    confirmation: confirmation && confirmationText(confirmation),
  }) as const;

function mint(
  command: IssueCommand,
  { registration: { version, resourceServer }, given, grant, handles }: Decided,
  lineage: readonly Ancestor[],
  { sequence, now, server, expiresAt }: Birth & { readonly expiresAt: number },
  ports: IssuePorts,
): Promise<MintedToken> {
  const { userId, audience, method } = command;
  const secrets = { userId, claims: command.claims, principal: null };
  const draft = { ...draftOf(command, version, handles), audience, scopes: grant.scopes, lineage };
  return ports.methods.mint(
    method,
    { ...draft, sequence, drawnOn: server, issuedAt: now, expiresAt },
    // Who can read it sees no more than its audience may.
    method === 'signed' && resourceServer ? readableBy(resourceServer, secrets, handles) : secrets,
    given?.key ?? null,
  );
}

/** @param credentialFor for a credential, whom it is for, as `kind:name`; else empty. */
export const tokenIssued = (act: Act, record: TokenRecord, credentialFor: string): AuditEvent => ({
  tenantId: record.tenantId,
  actor: actorOf(act),
  act: { type: 'token_issued', record, credentialFor },
});
