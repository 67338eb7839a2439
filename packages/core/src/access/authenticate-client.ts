import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Awaitable } from '../awaitable.ts';
import { ageOf, type Clock, type Instant } from '../clock.ts';
import { CallerUnknown } from '../errors.ts';
import { gather } from '../gather.ts';
import type { CallerIdentity, Registered, RegisteredKind } from '../register/registration.ts';
import type { Follower } from '../revisions/follower.ts';
import type { Tail } from '../revisions/ports.ts';
import type { Caller, Signal } from './act.ts';
import { stalenessMax } from './authenticate.ts';
import { type ClientName, clientNamed } from './client-name.ts';

/** Milliseconds. The longest that an assertion may live: its `jti` is kept for as long. */
const assertionLifeMax = 300_000;
/** Milliseconds by which a client's clock may run ahead. */
const skew = 30_000;
/** How many clients are remembered, those that called last. */
const rememberedMax = 20_000;

/** The certificate of a connection, verified up to a CA that is trusted with clients. */
export interface ShownCertificate {
  /** Of its DER encoding, in base64url. */
  readonly sha256: string;
  /** Its only SPIFFE id; null: it has none, or several. */
  readonly spiffeId: string | null;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

/** Whom a call says that it comes from, and the certificate that is to show it. */
export interface CertifiedClient {
  readonly client: string;
  readonly certificate: ShownCertificate;
}

/** What an assertion (RFC 7523) says; nothing of it is proven. All times in milliseconds since 1970. */
export interface ClaimedAssertion {
  readonly client: string;
  readonly keyId: string;
  /** What no two assertions of a client have in common. */
  readonly jti: string;
  /** When it was made, or begins, whichever is later; null: it says neither. */
  readonly beginsAt: number | null;
  readonly expiresAt: number;
}

/** Reads and verifies assertions of clients. */
export interface AssertionVerifier {
  /** Null where it is no assertion for Touchstone (RFC 7523 section 3), whoever made it. */
  read(jwt: string): ClaimedAssertion | null;
  /** Whether it was signed with the private half of this key, a JWK in JSON. */
  isSignedBy(jwt: string, jwk: string): Promise<boolean>;
}

/** An assertion that is to be taken: good once from one instant to another, by the database's clock, the ends included. */
export interface TakenAssertion {
  /** SHA-256 of what no other one has, in hexadecimal digits. */
  readonly hash: string;
  /** Milliseconds since 1970. */
  readonly from: number;
  readonly until: number;
}

/** Sees to it that an assertion is good once. */
export interface AssertionTaker {
  /** As ProofTaker's. @throws StoreUnavailable, Overloaded - and then it may have been taken. */
  take(assertion: TakenAssertion, signal?: Signal): Promise<boolean>;
}

/** An entry that says how clients show who they are. */
export interface ClientEntry {
  readonly registered: Registered;
  /** Whether it or its tenant is disabled. */
  readonly disabled: boolean;
}

/** Reads what is registered of clients. */
export interface ClientReader {
  /** One an id, in order, from one snapshot, with what the history holds after the revision; null where there is none. */
  read(
    clients: readonly { readonly what: RegisteredKind; readonly id: string }[],
    revision: number,
  ): Promise<{ readonly entries: readonly (ClientEntry | null)[]; readonly tail: Tail }>;
}

export interface ClientPorts {
  readonly clients: ClientReader;
  readonly assertions: AssertionVerifier & AssertionTaker;
  readonly follower: Follower;
  readonly clock: Clock;
}

/** Authenticates callers that show no credential; `isLasting` is as Authenticate's. */
export interface ClientAuthenticator {
  /** At once where the database need not be asked. @throws CallerUnknown, StoreUnavailable, Overloaded, in either way. */
  byCertificate(shown: CertifiedClient, isLasting: boolean): Awaitable<Caller>;
  /**
   * @param admitted the caller where this very assertion was taken before, for this very call: it is not taken again.
   * @throws CallerUnknown, StoreUnavailable, Overloaded
   */
  byAssertion(jwt: string, admitted: Caller | undefined, isLasting: boolean): Promise<Caller>;
}

/** A client as it was registered when the database was asked. */
interface Client {
  readonly name: ClientName;
  readonly tenantId: string;
  readonly disabled: boolean;
  /** The same objects for every call. */
  readonly callers: readonly (readonly [CallerIdentity, Caller])[];
  readonly sentAt: Instant;
  readonly generation: number;
}

/**
 * Authenticates clients by what is registered of them. That is remembered for a second from when the database was asked: then
 * an identity that has been removed is known no more. For what would outlast its caller it is asked for anew. Whether a client is
 * disabled is in the watermarks, too.
 */
export function clientAuthenticator({ clients, assertions, follower, clock }: ClientPorts): ClientAuthenticator {
  const remembered = new LRUCache<string, Client>({ max: rememberedMax });

  async function readAll(names: readonly ClientName[]): Promise<(Client | null)[]> {
    const { entries, sentAt, generation } = await follower.askUntilCovered(async ({ revision, sentAt }) => ({
      ...(await clients.read(names, revision)),
      sentAt,
    }));
    // What comes together for one client is told of the same objects.
    const found = new Map<string, Client>();
    names.forEach((name, i) => {
      const entry = entries[i];
      if (entry && !found.has(name.text)) found.set(name.text, { ...clientOf(name, entry), sentAt, generation });
    });
    return names.map(({ text }) => found.get(text) ?? null);
  }
  const read = gather(readAll, { batchMax: 500, lanes: 2, waitingMax: 20_000 });

  const isYoung = ({ sentAt, generation }: Client): boolean =>
    generation === follower.generation && follower.age <= stalenessMax && ageOf(sentAt, clock) <= stalenessMax;

  function recall(name: ClientName, isLasting: boolean): Client | undefined {
    const known = isLasting ? undefined : remembered.get(name.text);
    return known && isYoung(known) ? known : undefined;
  }

  async function ask(name: ClientName): Promise<Client> {
    const client = await read(name);
    if (!client) throw new CallerUnknown();
    // The database has become another one since it answered.
    if (client.generation !== follower.generation) return ask(name);
    remembered.set(name.text, client);
    return client;
  }

  /** @throws CallerUnknown unless the client is alive and has such an identity. */
  function callerBy({ name, tenantId, disabled, callers }: Client, isShown: (one: CallerIdentity) => boolean) {
    const { watermarks } = follower;
    const isDead =
      disabled ||
      watermarks.isDead({ kind: 'tenant', key: tenantId }) ||
      watermarks.isDead({ kind: name.what, key: name.id });
    const known = isDead ? undefined : callers.find(([identity]) => isShown(identity));
    if (!known) throw new CallerUnknown();
    return known;
  }

  function certified(client: Client, { sha256, spiffeId, expiresAt }: ShownCertificate): Caller {
    if (!(expiresAt > follower.databaseNow)) throw new CallerUnknown();
    const [, caller] = callerBy(client, (one) =>
      'certificate' in one ? one.certificate === sha256 : 'spiffeId' in one && one.spiffeId === spiffeId,
    );
    return caller;
  }

  return {
    byCertificate({ client, certificate }, isLasting) {
      const name = clientNamed(client);
      if (!name) throw new CallerUnknown();
      const known = recall(name, isLasting);
      return known ? certified(known, certificate) : ask(name).then((asked) => certified(asked, certificate));
    },

    async byAssertion(jwt, admitted, isLasting) {
      const claimed = assertions.read(jwt);
      const name = claimed && clientNamed(claimed.client);
      if (!name) throw new CallerUnknown();
      const times = timesOf(claimed);
      const now = follower.databaseNow;
      // Before anybody is asked for anything; in the end the database's own clock decides.
      if (now < times.from || now > times.until) throw new CallerUnknown();
      const client = recall(name, isLasting) ?? (await ask(name));
      const { keyId, jti } = claimed;
      const [identity, caller] = callerBy(client, (one) => 'jwk' in one && keyIdOf(one.jwk) === keyId);
      if (!('jwk' in identity && (await assertions.isSignedBy(jwt, identity.jwk)))) throw new CallerUnknown();
      const taken = { hash: hash('sha256', JSON.stringify(['assertion', name.text, jti])), ...times };
      if (!admitted && !(await assertions.take(taken))) throw new CallerUnknown();
      return caller;
    },
  };
}

/** From when until when it is good. */
const timesOf = ({ beginsAt, expiresAt }: ClaimedAssertion) => ({
  from: Math.max(expiresAt - assertionLifeMax, (beginsAt ?? 0) - skew),
  until: expiresAt - 1,
});

function clientOf(name: ClientName, { registered, disabled }: ClientEntry): Omit<Client, 'sentAt' | 'generation'> {
  const { tenantId } = registered.entry;
  const callers = identitiesOf(registered, name.name).map(
    (identity) => [identity, callerOf(name, tenantId, identity)] as const,
  );
  return { name, tenantId, disabled, callers };
}

function identitiesOf({ what, entry }: Registered, name: string): readonly CallerIdentity[] {
  const { identities = [] } =
    what === 'tenant' ? (entry.identityServices?.find((one) => one.name === name) ?? {}) : entry;
  return identities;
}

const callerOf = ({ kind, name }: ClientName, tenantId: string, identity: CallerIdentity): Caller => ({
  kind,
  name,
  tenantIds: [tenantId],
  scopes: identity.scopes,
  credentialId: identityId(identity),
  credentialExpiresAt: Number.POSITIVE_INFINITY,
});

const keyIdOf = (jwk: string): string => JSON.parse(jwk).kid;

/** Names it in the trail, and tells which one to remove. */
function identityId(identity: CallerIdentity): string {
  if ('jwk' in identity) return `key:${keyIdOf(identity.jwk)}`;
  return 'certificate' in identity ? `certificate:${identity.certificate}` : identity.spiffeId;
}
