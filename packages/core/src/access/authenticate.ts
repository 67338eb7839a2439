import { LRUCache } from 'lru-cache';
import type { Awaitable } from '../awaitable.ts';
import { CallerUnknown } from '../errors.ts';
import type { Follower } from '../revisions/follower.ts';
import type { Head } from '../revisions/revision.ts';
import type { Opened, TokenMethods } from '../tokens/token-method.ts';
import { idOf, type TokenRecord, withoutSealed } from '../tokens/token-record.ts';
import type { ConsistentRecords } from '../validate/consistent-records.ts';
import { decide } from '../validate/decide.ts';
import type { Presence } from '../validate/presence.ts';
import type { Caller } from './act.ts';
import type { CertifiedClient, ClientAuthenticator } from './authenticate-client.ts';
import { touchstoneAudience } from './rights.ts';

/** A caller is judged on what was true at most this many milliseconds ago, but where it must be what is true now. */
export const stalenessMax = 1_000;
/** How many credentials are remembered, those used last. */
const rememberedMax = 20_000;

interface Remembered {
  /** Without what was sealed. */
  readonly record: TokenRecord | null;
  readonly opened: Opened | null;
  /** The same object for every call with the credential; null where it is none. */
  readonly caller: Caller | null;
  /** Milliseconds since 1970: the end of it, or of what it was derived from, whichever comes first. */
  readonly endsAt: number;
  /** Where the history stood when it was last found to be honoured; null: it has not been. */
  honouredAt: Head | null;
}

export interface AuthenticatePorts {
  readonly methods: TokenMethods;
  readonly records: ConsistentRecords;
  readonly follower: Follower;
  readonly presence: Pick<Presence, 'requireCurrent'>;
  readonly clients: ClientAuthenticator;
}

/** What a call shows of who calls: a bearer token, which is a credential or an assertion (RFC 7523), or a certificate. */
export type Shown = string | CertifiedClient;

/**
 * Who shows this: at once where the database need not be asked.
 * @param admitted the caller, where the very same call has shown it before: what is good once was taken then.
 * @param isLasting whether what is done would outlast the caller: then all counts that was revoked, or taken away, before this
 *   is asked.
 * @throws CallerUnknown, Fenced, StoreUnavailable, Overloaded, in either way.
 */
export type Authenticate = (shown: Shown, admitted?: Caller, isLasting?: boolean) => Awaitable<Caller>;

/** How every JWT begins, and no credential does: `{"` in base64url. */
const jwtStart = 'eyJ';

/**
 * Authenticates callers by the same decision as any token. Their records are remembered, which is safe because all that
 * can revoke them is in the watermarks; those are proven to be at most a second old, or the database is asked first. While
 * this replica can't commit nobody is known: a server that was cut off tells nothing of what has been revoked since.
 */
export function authenticator({ methods, records, follower, presence, clients }: AuthenticatePorts): Authenticate {
  const remembered = new LRUCache<string, Remembered>({ max: rememberedMax });
  let generation = follower.generation;

  /** Null where the database has become another one since it answered. */
  async function read(credential: string): Promise<Remembered | null> {
    const found = methods.locate(credential);
    if (!found) throw new CallerUnknown();
    const {
      records: [record = null],
      generation: asRead,
    } = await records([{ key: found.located.key, tenantIds: null }]);
    const opened = record && (await found.method.open(found.located, record));
    if (asRead !== follower.generation) return null;
    const caller = record && opened && callerOf(record, opened);
    const ends = record && opened ? [opened, ...record.lineage].map(({ expiresAt }) => expiresAt) : [];
    return { record: record && withoutSealed(record), opened, caller, endsAt: Math.min(...ends), honouredAt: null };
  }

  function recall(credential: string): Remembered | undefined {
    if (generation !== follower.generation) {
      remembered.clear();
      generation = follower.generation;
    }
    return remembered.get(credential);
  }

  async function ask(credential: string, isLasting: boolean): Promise<Caller> {
    if (isLasting || follower.age > stalenessMax) await follower.refresh();
    const known = recall(credential);
    if (known) return requireHonoured(known, follower);
    const fresh = await read(credential);
    if (!fresh) return ask(credential, isLasting);
    const caller = requireHonoured(fresh, follower);
    remembered.set(credential, fresh);
    return caller;
  }

  return (credential, admitted, isLasting = false) => {
    presence.requireCurrent();
    if (typeof credential !== 'string') return clients.byCertificate(credential, isLasting);
    if (credential.startsWith(jwtStart)) return clients.byAssertion(credential, admitted, isLasting);
    const known = isLasting || follower.age > stalenessMax ? undefined : recall(credential);
    return known ? requireHonoured(known, follower) : ask(credential, isLasting);
  };
}

function callerOf(record: TokenRecord, { principal, scopes, expiresAt }: Opened): Caller | null {
  return principal && { ...principal, scopes, credentialId: idOf(record), credentialExpiresAt: expiresAt };
}

function requireHonoured(remembered: Remembered, { watermarks, applied, databaseNow }: Follower): Caller {
  const { record, opened, caller, endsAt, honouredAt } = remembered;
  // Until the next revision is applied nothing but time ends it.
  if (caller && honouredAt === applied && databaseNow < endsAt) return caller;
  // A credential is good for what its scopes say, which each RPC checks: here it must be one at all.
  const demand = {
    tokenClass: 'credential',
    audience: touchstoneAudience,
    scopes: record?.scopes ?? [],
    request: null,
    proof: null,
  } as const;
  // No tenant's policy is about credentials.
  const decision = decide(record, opened, watermarks, demand, databaseNow, null);
  if (!decision.active || !caller) throw new CallerUnknown();
  remembered.honouredAt = applied;
  return caller;
}
