import { SigningKeyState, TokenMethod, Usage } from '@touchstone/contracts';
import { formatRevision } from '@touchstone/core';
import { shared } from '../harness/shared-stack.ts';
import { clientsOf, openWorld, unique, type World } from '../harness/world.ts';
import { openAdmin } from './admin.ts';
import type { Target } from './calls.ts';
import { type Changed, nothing } from './left-behind.ts';
import { outcomeOf } from './outcome.ts';
import type { OwnStack } from './own-stack.ts';

/** A token, and the resource server that it is shown to. */
export interface Presented {
  readonly token: string;
  readonly audience: string;
  readonly credential: string;
}

/** A revocation that is about to be made. */
export interface Plan {
  /** No other one has it meanwhile. */
  readonly reason: string;
  /** The same request each time. */
  revoke(): Promise<{ readonly revision: string }>;
  /** What it takes. */
  readonly meant: Presented;
  /** What is like that, and not meant; null: everything is. */
  readonly spared: Presented | null;
}

export interface RevocationKind {
  readonly name: string;
  /** Whose transaction it is. */
  readonly by: 'revocation' | 'issuer';
  /** What it changes in the database, all at once. */
  readonly whole: Changed;
  plan(own: OwnStack): Promise<Plan>;
}

type Taken = Pick<Plan, 'meant' | 'spared'>;

/** Where something is revoked. */
interface Ground {
  readonly own: OwnStack;
  readonly world: World;
  readonly appId: string;
  readonly userId: string;
  /** A token of the app for the user. */
  issue(over?: Record<string, unknown>): Promise<Presented & { readonly refreshToken: string }>;
  /** One of the app for another user. */
  ofAnotherUser(): Promise<Presented>;
  /** One for the same user of another app. */
  ofAnotherApp(): Promise<Presented>;
  /** One of another tenant. */
  elsewhere(): Promise<Presented>;
}

const within = { timeoutMs: 10_000 };
const cut: Changed = { ...nothing, head: 1, revisions: 1, revocations: 1, events: 1, marks: true };
/** The end is told as well. */
const ended: Changed = { ...cut, disabled: 1, events: 2 };

const presentedIn =
  ({ audience, resourceServer: { credential } }: World) =>
  (issued: { readonly token: string; readonly refreshToken: string }) => ({ ...issued, audience, credential });

async function openGround(own: OwnStack, world: World): Promise<Ground> {
  const methods = [TokenMethod.REFERENCE, TokenMethod.SIGNED];
  const appId = await world.addApp({ methods, refresh: { ttlMax: { seconds: 86_400n } } });
  const userId = unique('user');
  const issue = (over: Record<string, unknown> = {}, of = world) =>
    of.issue({ userId, ...(of === world ? { appId } : {}), ...over }).then(presentedIn(of));
  return {
    own,
    world,
    appId,
    userId,
    issue,
    ofAnotherUser: () => issue({ userId: unique('user') }),
    ofAnotherApp: () => issue({ appId: world.appId }),
    elsewhere: () => issue({}, own.world),
  };
}

interface Description<What> {
  /** In a tenant of its own. */
  readonly apart?: true;
  prepare(ground: Ground): Promise<Taken & { readonly what: What }>;
}

type Carry<What> = (what: What, reason: string, ground: Ground) => () => Promise<{ readonly revision: string }>;

const planner =
  <What>({ apart, prepare }: Description<What>, carry: Carry<What>): RevocationKind['plan'] =>
  async (own) => {
    const ground = await openGround(own, apart ? await openWorld(shared(own.stack)) : own.world);
    const { what, meant, spared } = await prepare(ground);
    const reason = unique('killed');
    return { reason, meant, spared, revoke: carry(what, reason, ground) };
  };

const ofToken = (name: string, description: Description<string>): RevocationKind => ({
  name: `RevokeToken of ${name}`,
  by: 'revocation',
  whole: cut,
  plan: planner(description, (value, reason, { world: { operator } }) => {
    const request = { tokenOrId: { case: 'token', value }, reason } as const;
    return () => operator.revocation.revokeToken(request, within);
  }),
});

const ofTarget = (
  name: string,
  whole: Changed,
  description: Description<Target>,
  more: { readonly includeCredentials?: true } = {},
): RevocationKind => ({
  name: `RevokeTokens of ${name}`,
  by: 'revocation',
  whole,
  plan: planner(description, (target, reason, { own: { stack }, world }) => {
    const isForPlatform = target.case === 'all';
    const { revocation } = isForPlatform ? clientsOf(shared(stack), stack.demo.operatorToken) : world.operator;
    const request = { target: { target }, reason, idempotencyKey: unique('incident'), ...more };
    return () => revocation.revokeTokens(request, within);
  }),
});

type Registry = World['operator']['registry'];
const disabling = (
  name: string,
  disable: (registry: Registry, ground: Ground, reason: string) => Promise<{ readonly revision: string }>,
  spare: (ground: Ground) => Promise<Presented>,
  apart?: true,
): RevocationKind => ({
  name,
  by: 'issuer',
  whole: ended,
  plan: planner<null>(
    {
      ...(apart ? { apart } : {}),
      prepare: async (ground) => ({ what: null, meant: await ground.issue(), spared: await spare(ground) }),
    },
    (_, reason, ground) => () => disable(ground.world.operator.registry, ground, reason),
  ),
});

/** What tells no revision, or not again, but refuses with one of these what has been done. */
async function doneBy(
  own: OwnStack,
  call: Promise<{ readonly revision: string }>,
  ...refusals: readonly string[]
): Promise<{ readonly revision: string }> {
  const outcome = await outcomeOf(call);
  if (outcome.ok || !refusals.includes(outcome.reason)) return call;
  await using admin = await openAdmin(own);
  const { rows } = await admin.query<{ revision: string; hash: string }>('select revision, hash from history');
  const { revision = 0, hash = '' } = rows[0] ?? {};
  return { revision: formatRevision({ revision: Number(revision), hash }) };
}

const reusing: RevocationKind = {
  name: 'RefreshToken with one that has been used',
  by: 'issuer',
  whole: cut,
  async plan(own) {
    const { world, appId, issue } = await openGround(own, own.world);
    const principal = { case: 'app', value: { appId } } as const;
    const asked = { principal, scopes: ['tokens:issue:self'], ttl: { seconds: 3_600n } };
    const { credential } = await world.operator.registry.issueCredential(asked);
    const { issuer } = clientsOf(shared(own.stack), credential);
    const meant = await issue({ refreshable: true });
    const { refreshToken } = meant;
    await issuer.refreshToken({ refreshToken });
    // More than there was: so it is refused before anything else is written.
    const again = { refreshToken, scopes: ['orders:write'] };
    return {
      reason: 'a refresh token was used again',
      meant,
      spared: await issue({ refreshable: true }),
      revoke: () => doneBy(own, issuer.refreshToken(again, within), 'REFRESH_TOKEN_REUSED', 'TOKEN_NOT_HONOURED'),
    };
  },
};

const noBatches = { ruleId: 'no-batches', usages: [Usage.BATCH], scopes: { names: [] }, holdsForIssuedTokens: true };
const holdingAgainst: RevocationKind = {
  name: 'UpdatePolicy with a rule that holds for issued tokens',
  by: 'issuer',
  whole: { ...nothing, head: 1, revisions: 1, events: 1 },
  plan: planner<null>(
    {
      apart: true,
      prepare: async ({ issue }) => ({ what: null, meant: await issue({ usage: Usage.BATCH }), spared: await issue() }),
    },
    (_, reason, { own, world: { operator, tenantId } }) => {
      const request = { policy: { tenantId, rules: [{ ruleId: 'anything' }, noBatches] }, reason };
      return () => doneBy(own, operator.registry.updatePolicy(request, within), 'ETAG_STALE');
    },
  ),
};

async function activeKeyOf({ operator, tenantId }: World): Promise<string> {
  const { signingKeys } = await operator.registry.listSigningKeys({ tenantId });
  return signingKeys.find(({ state }) => state === SigningKeyState.ACTIVE)?.signingKeyId ?? '';
}

const anApp: Description<Target> = {
  async prepare({ issue, ofAnotherApp, appId }) {
    return { what: { case: 'app', value: { appId } }, meant: await issue(), spared: await ofAnotherApp() };
  },
};

/** Whatever takes tokens back. */
export const revocationKinds: readonly RevocationKind[] = [
  ofToken('a token', {
    async prepare({ issue }) {
      const meant = await issue();
      return { what: meant.token, meant, spared: await issue() };
    },
  }),
  ofToken('a refresh token, with its family', {
    async prepare({ issue }) {
      const meant = await issue({ refreshable: true });
      return { what: meant.refreshToken, meant, spared: await issue({ refreshable: true }) };
    },
  }),
  ofTarget('a user', cut, {
    async prepare({ issue, ofAnotherUser, userId, world: { tenantId } }) {
      const what = { case: 'user', value: { tenantId, userId } } as const;
      return { what, meant: await issue(), spared: await ofAnotherUser() };
    },
  }),
  ofTarget('an app for a user', cut, {
    async prepare({ issue, ofAnotherApp, appId, userId }) {
      const what = { case: 'appUser', value: { appId, userId } } as const;
      return { what, meant: await issue(), spared: await ofAnotherApp() };
    },
  }),
  ofTarget('an app', cut, anApp),
  // One revocation, and one event, that raises the marks of two classes.
  ofTarget('an app, with its credentials', cut, anApp, { includeCredentials: true }),
  ofTarget('a tenant', cut, {
    apart: true,
    async prepare({ issue, elsewhere, world: { tenantId } }) {
      return { what: { case: 'tenant', value: { tenantId } }, meant: await issue(), spared: await elsewhere() };
    },
  }),
  ofTarget('all', cut, {
    prepare: async ({ issue }) => ({ what: { case: 'all', value: {} }, meant: await issue(), spared: null }),
  }),
  ofTarget(
    'a consent',
    { ...ended, consentKeys: -1 },
    {
      async prepare({ issue, appId, userId, world }) {
        const consentId = await world.consent({ appId, userId });
        return {
          what: { case: 'consentId', value: consentId },
          meant: await issue({ consentId }),
          spared: await issue(),
        };
      },
    },
  ),
  ofTarget('a signing key', ended, {
    async prepare({ issue, world }) {
      const meant = await issue({ method: TokenMethod.SIGNED });
      return { what: { case: 'signingKeyId', value: await activeKeyOf(world) }, meant, spared: await issue() };
    },
  }),
  disabling(
    'DisableApp',
    (registry, { appId }, reason) => registry.disableApp({ appId, reason }, within),
    ({ ofAnotherApp }) => ofAnotherApp(),
  ),
  disabling(
    'DisableResourceServer',
    (registry, { world: { audience } }, reason) => registry.disableResourceServer({ audience, reason }, within),
    ({ elsewhere }) => elsewhere(),
    true,
  ),
  disabling(
    'DisableTenant',
    (registry, { world: { tenantId } }, reason) => registry.disableTenant({ tenantId, reason }, within),
    ({ elsewhere }) => elsewhere(),
    true,
  ),
  reusing,
  holdingAgainst,
];
