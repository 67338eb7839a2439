import type { Claims, Opened, Secrets, TokenDraft, TokenRecord } from '@touchstone/core';
import { CompactSign } from 'jose';
import type { Signer } from '../keys/signers.ts';
import { openedAs } from '../opaque/record.ts';

/** The media type of access tokens (RFC 9068 section 2.1). */
const type = 'at+jwt';

/** What an access token says (RFC 9068 section 2.2). The user's claims have an object of their own: none can be taken for another. */
export interface AccessTokenPayload {
  readonly iss: string;
  /** The user; without one, the app. */
  readonly sub: string | null;
  readonly aud: string;
  readonly client_id: string | null;
  /** Of the app, and of the audience: `iss` and the keys' address are those of all tenants. */
  readonly tenant_id: string;
  /** Seconds since 1970. */
  readonly iat: number;
  readonly exp: number;
  readonly jti: string;
  readonly scope: string;
  readonly claims: Claims;
  /** Who acts with it, and whom that one acts for in turn (RFC 8693 section 4.1). */
  readonly act?: ActorClaim;
  /** What whoever presents it must prove to have (RFC 7800), for those who verify it by themselves. */
  readonly cnf?: object;
}

interface ActorClaim {
  readonly sub: string;
  readonly act?: ActorClaim;
}

/** @param jti names the token. */
export const payloadOf = (draft: TokenDraft, secrets: Secrets, issuer: string, jti: string): AccessTokenPayload => ({
  iss: issuer,
  sub: secrets.subject ?? secrets.userId ?? draft.appId,
  aud: draft.audience,
  client_id: draft.appId,
  tenant_id: draft.tenantId,
  iat: Math.floor(draft.issuedAt / 1_000),
  // Rounded down: who verifies it by itself must not honour it for longer than we do.
  exp: Math.floor(draft.expiresAt / 1_000),
  jti,
  scope: draft.scopes.join(' '),
  claims: secrets.claims,
  ...actClaim(secrets.actors ?? []),
  ...(draft.confirmation === null ? {} : { cnf: JSON.parse(draft.confirmation) }),
});

function actClaim([latest, ...before]: readonly string[]): { readonly act?: ActorClaim } {
  return latest === undefined ? {} : { act: { sub: latest, ...actClaim(before) } };
}

function actorsIn(act: ActorClaim | undefined): string[] {
  return act ? [act.sub, ...actorsIn(act.act)] : [];
}

/** A JWS in compact form (RFC 7515). @param header what its header says beside what any says. */
export const signPayload = (
  payload: AccessTokenPayload,
  { keyId, algorithm, key }: Signer,
  header: object = {},
): Promise<string> =>
  new CompactSign(Buffer.from(JSON.stringify(payload)))
    .setProtectedHeader({ alg: algorithm, typ: type, kid: keyId, ...header })
    .sign(key);

/** What a JWS says that is known to be the one that we signed: of its signature nothing is looked at. */
export const payloadIn = (jws: string): AccessTokenPayload =>
  JSON.parse(Buffer.from(jws.split('.', 2)[1] as string, 'base64url').toString());

/** What a token of this record says, and what the record allows. */
export const openedBy = ({ sub, claims, act }: AccessTokenPayload, record: TokenRecord): Opened =>
  openedAs({ userId: record.userHandle === null ? null : sub, claims, actors: actorsIn(act) }, record);
