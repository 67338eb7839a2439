import type { Act } from '../access/act.ts';
import { actsIn, refreshAudience, requireKind, requireScope } from '../access/rights.ts';
import type { ConsentAsOf } from '../consents/ports.ts';
import { withEnd } from '../consents/withdrawn.ts';
import {
  ConsentEnded,
  Disabled,
  ExchangeNotAllowed,
  ExchangeTooDeep,
  InvalidField,
  TokenNotHonoured,
  TtlTooLong,
} from '../errors.ts';
import { type Cap, type Granted, within } from '../policy/cap.ts';
import { capOfApp, capOfConsent, capsBesideApp } from '../policy/caps-of.ts';
import { refusalOf } from '../policy/refusal.ts';
import type { Registration } from '../register/ports.ts';
import type { ResourceServer } from '../register/registration.ts';
import { readableBy, released } from '../register/released.ts';
import { type Confirmation, confirmationOf, confirmationText } from '../tokens/confirmation.ts';
import type { Opened, Secrets } from '../tokens/token-method.ts';
import { ancestorsMax, type TokenMethodName, type TokenRecord, type Usage } from '../tokens/token-record.ts';
import type { ConsistentRecords } from '../validate/consistent-records.ts';
import { decide, type Proven } from '../validate/decide.ts';
import { decideWithProof, type Presented, type PresentedProof, type ProofPorts } from '../validate/proof.ts';
import { heldAgainst, type ReleasePorts } from '../validate/under-release.ts';
import { consentAgeOf, requireAlive, requireConsent, requireKnown } from './decide-grant.ts';
import {
  ancestorOf,
  type IssuedToken,
  type IssuePorts,
  issuedFrom,
  requireAncestorsAlive,
  tokenIssued,
} from './issue-token.ts';
import type { TenantHandles } from './ports.ts';
import { countOnce } from './rates.ts';
import { recordRefusal } from './record-refusal.ts';
import { underLatest } from './under-latest.ts';

export interface ExchangeCommand extends Presented {
  /** Whom the new one is for. */
  readonly audience: string;
  /** At least one. */
  readonly scopes: readonly string[];
  /** Seconds; null: as long as every limit allows, and never over `ttlDefault`. */
  readonly ttl: number | null;
  readonly method: TokenMethodName;
  /** The request that it came to the resource server with: SHA-256 in base64url of what identifies it; null: not told. */
  readonly request: string | null;
  /** What the new one's holder must prove to have; null: what the caller's kind brings with it. */
  readonly confirmation: Confirmation | null;
}

export interface ExchangePorts extends IssuePorts, ProofPorts, ReleasePorts {
  readonly records: ConsistentRecords;
  /** The URI of the exchange itself: what the DPoP proof of an app must be for, by POST. */
  readonly uri: string;
}

/** A token that is verified without asking lives a minute at most: nobody who does hears of its end. */
const offline: Cap = { by: 'exchange', ttlMax: 60 };
/** What is not for the eyes of who exchanges. */
const unread: Cap = { by: 'pairwise sector', methods: ['reference'] };

/** The token that is exchanged: its record, and what the presented string allows. */
interface Presentation {
  readonly record: TokenRecord & { readonly appId: string };
  readonly opened: Opened;
}

interface Parent extends Presentation {
  /** The consent that it stands on; null: none. */
  readonly consent: ConsentAsOf | null;
}

/**
 * Makes a narrower token out of one that is honoured (RFC 8693). It allows no more than the presented string does, and ends
 * with whatever that was made from.
 * @throws CallerNotAllowed, TokenNotHonoured, TenantUnknown, AudienceUnknown, ExchangeNotAllowed, ExchangeTooDeep,
 *   ScopeNotAllowed, ConsentRequired, ConsentEnded, ConsentTooOld, Disabled, MethodNotAllowed, ConfirmationRequired, TtlTooLong,
 *   TokenTooLong, InvalidField, RateExceeded, StoreUnavailable, Overloaded
 */
export async function exchangeToken(act: Act, command: ExchangeCommand, ports: ExchangePorts): Promise<IssuedToken> {
  try {
    requireKind(act.caller, 'app', 'resource_server');
    requireScope(act.caller, act.caller.kind === 'app' ? 'tokens:issue:self' : 'tokens:validate');
    const parent = await findParent(act, command, ports);
    if (parent.record.lineage.length >= ancestorsMax) throw new ExchangeTooDeep(ancestorsMax);
    return await exchangeUnderLatest(act, command, parent, ports);
  } catch (error) {
    await recordRefusal(act, { appId: '', audience: command.audience }, error, ports.audit);
    throw error;
  }
}

/** The token, if it is honoured now, and the caller's: as the app that holds it, or the audience that it is for. */
async function findParent(act: Act, command: ExchangeCommand, ports: ExchangePorts): Promise<Presentation> {
  const { caller } = act;
  const { token } = command;
  const found = ports.methods.locate(token);
  if (!found) throw new TokenNotHonoured();
  const {
    records: [record = null],
    now,
    watermarks,
  } = await ports.records([{ key: found.located.key, tenantIds: caller.tenantIds }], act.signal);
  // Of what is for no resource server no policy need be asked.
  if (record && (record.tokenClass !== 'token' || record.audience === refreshAudience)) throw new TokenNotHonoured();
  const opened = record && !watermarks.revokes(record) ? await found.method.open(found.located, record) : null;
  const audience = caller.kind === 'resource_server' ? caller.name : (record?.audience ?? '');
  const request = caller.kind === 'resource_server' ? command.request : null;
  const demand = { tokenClass: 'token', audience, scopes: opened?.scopes ?? [], request } as const;
  const presented = { token, proof: proofOf(act, command, ports) };
  const held = record && (await heldAgainst(record, ports));
  const decideOn = (proof: Proven | null) => decide(record, opened, watermarks, { ...demand, proof }, now, held);
  // One request may lead to exchanges to several.
  const use = `exchange ${command.audience}`;
  const decideNow = await decideWithProof(presented, use, decideOn, ports, act.signal);
  const decision = decideNow();
  if (!decision.active || !actsIn(caller, decision.record.tenantId)) throw new TokenNotHonoured();
  const { appId } = decision.record;
  if (appId === null || (caller.kind === 'app' && appId !== caller.name)) throw new TokenNotHonoured();
  return { record: { ...decision.record, appId }, opened: decision.opened };
}

/** A resource server tells of the request that it got; an app's own request is this one, whatever it tells. */
function proofOf({ caller }: Act, { proof }: ExchangeCommand, { uri }: ExchangePorts): PresentedProof | null {
  return proof?.kind === 'dpop' && caller.kind === 'app' ? { ...proof, method: 'POST', uri } : proof;
}

/** What the user has permitted; null where there is nobody to ask. @throws ConsentEnded, StoreUnavailable */
async function findConsent(
  { consentId, tenantId }: TokenRecord,
  { consents, follower }: ExchangePorts,
): Promise<ConsentAsOf | null> {
  if (consentId === null) return null;
  const given = await consents.findWithKey(consentId, tenantId);
  if (!given || withEnd(given, follower).isWithdrawn) throw new ConsentEnded();
  return given;
}

function exchangeUnderLatest(
  act: Act,
  command: ExchangeCommand,
  parent: Presentation,
  ports: ExchangePorts,
): Promise<IssuedToken> {
  const { tenantId, appId, audience } = parent.record;
  const count = countOnce(ports.rates);
  return underLatest(ports.registry, tenantId, async () => {
    const consent = await findConsent(parent.record, ports);
    const source = await ports.registry.find(tenantId, appId, audience);
    const target =
      command.audience === audience ? source : await ports.registry.find(tenantId, appId, command.audience);
    if (source.version !== target.version) return null;
    for (const registration of [source, target]) requireAlive(registration, ports.follower);
    const granted = decideExchange(act, command, { ...parent, consent }, { source, target });
    await count(target);
    return write(act, command, parent, { source, target }, granted, ports);
  });
}

interface Edge {
  readonly source: Registration;
  readonly target: Registration;
}

/** What the new token may be, if there may be one. */
function decideExchange(
  act: Act,
  command: ExchangeCommand,
  { record, opened, consent }: Parent,
  { source, target }: Edge,
): Granted {
  const { audience, method } = command;
  if (!target.app || !source.resourceServer) throw new TokenNotHonoured();
  const known = requireKnown(target);
  for (const what of source.disabled) throw new Disabled(what);
  requireConsent(known, { forUser: record.userHandle !== null, consent });
  if (command.scopes.length === 0) throw new InvalidField('scopes', 'must name at least one');
  const reachable = audience === record.audience ? opened.scopes : scopesAcross(source, audience, opened.scopes);
  // A resource server passes on what it was called for; an app gets what it could ask for.
  const ofApp = capOfApp(known);
  const scopesOfApp = act.caller.kind === 'app' ? ofApp.scopes : null;
  const granted = within(
    [
      ...capsBesideApp(known, record.usage as Usage),
      { ...ofApp, scopes: scopesOfApp, methods: ['reference', ...known.app.methods] },
      { by: 'token', scopes: new Set(reachable) },
      { by: 'exchange', methods: ['reference', 'signed'] },
      ...(consent ? [capOfConsent(consent.consent, audience)] : []),
      ...(method === 'signed' ? [offline] : []),
      ...(namesUserOtherwise(act, record, source.resourceServer, known.resourceServer) ? [unread] : []),
    ],
    {
      ...command,
      confirmation: decideConfirmation(act, command, record),
      consentAge: consent && consentAgeOf(consent),
    },
  );
  const refusal = refusalOf(granted, 'refuse');
  if (refusal) throw refusal;
  return granted;
}

/**
 * Whether a resource server would read in the new token who the user is, by another name than it is told. An app that may have
 * tokens that can be read is told by all of them.
 */
const namesUserOtherwise = (
  { caller }: Act,
  { userHandle }: TokenRecord,
  source: ResourceServer,
  target: ResourceServer,
): boolean =>
  caller.kind === 'resource_server' &&
  userHandle !== null &&
  target.encryptionJwk === null &&
  source.pairwiseSector !== target.pairwiseSector;

/** What the scopes of a token for the one audience may be exchanged to at the other. @throws ExchangeNotAllowed */
function scopesAcross({ resourceServer }: Registration, audience: string, held: readonly string[]): readonly string[] {
  const edge = resourceServer?.exchanges.find((one) => one.audience === audience);
  if (!edge) throw new ExchangeNotAllowed();
  return edge.scopes.filter(({ from }) => held.includes(from)).map(({ to }) => to);
}

async function write(
  act: Act,
  command: ExchangeCommand,
  { record: parent, opened }: Presentation,
  { source, target }: Edge,
  { scopes, ttl }: Granted,
  ports: ExchangePorts,
): Promise<IssuedToken | null> {
  const confirmation = decideConfirmation(act, command, parent);
  const { sequence, now, server } = await ports.tokens.draw(parent.tenantId, act.signal);
  const { token, record } = await ports.methods.mint(
    command.method,
    {
      tokenClass: 'token',
      tenantId: parent.tenantId,
      appId: parent.appId,
      userHandle: parent.userHandle,
      consentId: parent.consentId,
      audience: command.audience,
      scopes,
      usage: parent.usage,
      policyVersion: target.version,
      confirmation: confirmation && confirmationText(confirmation),
      lineage: [ancestorOf(parent, opened.expiresAt), ...parent.lineage],
      sequence,
      drawnOn: server,
      issuedAt: now,
      expiresAt: decideEnd(command, opened, now, ttl),
    },
    secretsFor(act, command, opened, { source, target }, await ports.handles.of(parent.tenantId)),
  );
  requireAncestorsAlive(record, ports.follower);
  const inserted = await ports.tokens.insert(record, tokenIssued(act, record, ''), act.signal);
  return inserted ? issuedFrom(token, record, [], ports.follower) : null;
}

/**
 * A resource server's child is not bound to what the client has: it couldn't prove that. An app's stays bound to it, or a
 * copy of the token could be made one that is not bound. @throws InvalidField
 */
function decideConfirmation(
  { caller }: Act,
  { confirmation: asked }: ExchangeCommand,
  { confirmation: own }: TokenRecord,
): Confirmation | null {
  if (caller.kind === 'resource_server' || own === null) return asked;
  if (asked !== null && confirmationText(asked) !== own) {
    throw new InvalidField('confirmation', "must be the token's own, which is bound already");
  }
  return confirmationOf(own);
}

/** No later than the end of what it is made out of. @throws TtlTooLong, TokenNotHonoured */
function decideEnd({ ttl: asked }: ExchangeCommand, { expiresAt }: Opened, now: number, ttl: number): number {
  const end = now + ttl * 1_000;
  if (end <= expiresAt) return end;
  if (expiresAt <= now) throw new TokenNotHonoured();
  if (asked !== null) throw new TtlTooLong(Math.floor((expiresAt - now) / 1_000), 'token');
  return expiresAt;
}

/** Who can read it sees no more than both sides of the exchange may; or than the target may, where only that can. */
function secretsFor(
  { caller }: Act,
  { method }: ExchangeCommand,
  { userId, claims, actors = [] }: Opened,
  { source, target }: Edge,
  handles: TenantHandles,
): Secrets {
  const isServer = caller.kind === 'resource_server';
  const secrets = { userId, claims, principal: null, actors: isServer ? [caller.name, ...actors] : actors };
  if (method !== 'signed' || !target.resourceServer) return secrets;
  const bySource = isServer ? (source.resourceServer?.releasedClaims ?? []) : [];
  const readable = target.resourceServer.encryptionJwk === null ? released(claims, bySource) : claims;
  return readableBy(target.resourceServer, { ...secrets, claims: readable }, handles);
}
