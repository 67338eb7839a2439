import { allGuards, type Guard } from './guards.ts';
import {
  type Configuration,
  type Invariant,
  infinite,
  type RevocationPlan,
  type TokenPlan,
  type ValidatorPlan,
} from './state.ts';

const token: TokenPlan = { under: ['app a'], parent: null, isCredential: false };
const credential: TokenPlan = { ...token, isCredential: true };
const child: TokenPlan = { ...token, under: ['app b'], parent: 0 };
const consented: TokenPlan = { ...token, under: ['consent a'] };
const signed: TokenPlan = { ...token, under: ['key a'] };
const validator: ValidatorPlan = { startsLater: false, clocks: null };
const all: RevocationPlan = { target: 'all', reach: 'issued' };
const app: RevocationPlan = { target: 'app a', reach: 'issued' };
const appDisabled: RevocationPlan = { target: 'app a', reach: 'forever' };
const consentWithdrawn: RevocationPlan = { target: 'consent a', reach: 'forever' };
const keyRevoked: RevocationPlan = { target: 'key a', reach: 'forever' };
const shown: RevocationPlan = { target: 'shown', reach: 'forever' };
const first: RevocationPlan = { target: 'token 0', reach: 'forever' };

const base: Configuration = {
  guards: allGuards,
  tokens: [token],
  revocations: [all],
  validators: [validator],
  consistencies: ['fully_consistent'],
  requestsMax: 1,
  timeMax: 0,
  ttl: infinite,
  staleness: 1,
  fence: null,
  feed: false,
  forgets: false,
  failover: null,
  connectionsLast: false,
  coverage: false,
};

/** Each exercises some of what can happen, and is small enough to be searched completely. */
export const configurations = {
  'issued and revoked': { ...base, tokens: [token, token], revocations: [all, app], feed: true },
  'two validators': { ...base, revocations: [first, app], validators: [validator, validator], feed: true },
  'requests share batches': { ...base, revocations: [app, all], requestsMax: 2, feed: true },
  'an app is disabled': { ...base, tokens: [token, credential], revocations: [appDisabled, app], feed: true },
  'a consent is withdrawn, a key revoked': {
    ...base,
    tokens: [consented, signed],
    revocations: [consentWithdrawn, keyRevoked],
    feed: true,
  },
  'derived tokens': { ...base, tokens: [token, child], revocations: [first, app] },
  'a validator starts': {
    ...base,
    tokens: [token, token],
    revocations: [all, all],
    validators: [{ ...validator, startsLater: true }],
  },
  'as fresh as a revision': {
    ...base,
    revocations: [app, first],
    consistencies: ['at_least_revision', 'fully_consistent'],
    feed: true,
  },
  'cached and suspended': {
    ...base,
    validators: [{ ...validator, clocks: 'suspended' }],
    revocations: [first],
    consistencies: ['max_staleness'],
    timeMax: 4,
  },
  'cached, wall clock set back': {
    ...base,
    validators: [{ ...validator, clocks: 'wall clock set back' }],
    revocations: [first],
    consistencies: ['max_staleness'],
    timeMax: 4,
  },
  'cached until expiry': {
    ...base,
    tokens: [token],
    revocations: [app],
    consistencies: ['max_staleness', 'fully_consistent'],
    timeMax: 4,
    ttl: 2,
  },
  'less is shown': {
    ...base,
    revocations: [shown, app],
    consistencies: ['fully_consistent', 'at_least_revision'],
    feed: true,
  },
  'less is shown from a cache': { ...base, revocations: [shown], consistencies: ['max_staleness'], timeMax: 3 },
  'restored, less is shown': {
    ...base,
    revocations: [app, shown],
    failover: 'restored',
  },
  'marks are forgotten': {
    ...base,
    tokens: [token],
    revocations: [all],
    validators: [{ ...validator, startsLater: true }],
    consistencies: ['fully_consistent'],
    timeMax: 3,
    ttl: 2,
    forgets: true,
  },
  'restored, revoked anew': {
    ...base,
    revocations: [app, all],
    feed: true,
    failover: 'restored',
  },
  'restored, issued anew': {
    ...base,
    tokens: [token, token],
    feed: true,
    failover: 'restored',
  },
  'restored, with a cache': {
    ...base,
    consistencies: ['max_staleness'],
    timeMax: 3,
    failover: 'restored',
  },
  'restored, two questions at once': {
    ...base,
    consistencies: ['at_least_revision'],
    requestsMax: 2,
    failover: 'restored',
  },
  'restored, as fresh as a revision': {
    ...base,
    consistencies: ['at_least_revision'],
    feed: true,
    fence: 1,
    timeMax: 2,
    failover: 'restored',
  },
  'found to be complete': {
    ...base,
    consistencies: ['at_least_revision'],
    fence: 1,
    timeMax: 3,
    coverage: true,
  },
  'cut off': {
    ...base,
    tokens: [token],
    revocations: [all],
    fence: 1,
    timeMax: 3,
    failover: 'cut off',
  },
  'cut off, connections last': {
    ...base,
    tokens: [token],
    revocations: [all],
    fence: 1,
    timeMax: 2,
    failover: 'cut off',
    connectionsLast: true,
  },
} as const satisfies Record<string, Configuration>;

export type ConfigurationName = keyof typeof configurations;

/** Where each guard is needed: the configuration in which, without it, this promise is broken. */
export const needed: Readonly<Record<Guard, readonly [ConfigurationName, Invariant]>> = {
  onlyInForceBelieved: ['cut off, connections last', 1],
  drawnOnDemand: ['issued and revoked', 5],
  drawnHere: ['cut off', 2],
  standingAtInsert: ['a consent is withdrawn, a key revoked', 9],
  lockedBeforeReading: ['a validator starts', 2],
  neverLowered: ['an app is disabled', 2],
  infiniteCeiling: ['an app is disabled', 2],
  lineageChecked: ['derived tokens', 2],
  oneStatement: ['restored, two questions at once', 4],
  joinsUnsentOnly: ['requests share batches', 1],
  catchUp: ['issued and revoked', 2],
  inOrder: ['an app is disabled', 2],
  byHash: ['restored, revoked anew', 2],
  numberWentBack: ['restored, issued anew', 1],
  watermarksDropped: ['restored, issued anew', 1],
  serverMet: ['restored, with a cache', 3],
  askedAgain: ['restored, two questions at once', 4],
  setOfSameGeneration: ['restored, two questions at once', 4],
  judgedAnew: ['as fresh as a revision', 4],
  absenceForgotten: ['cached and suspended', 1],
  expiryOfCached: ['cached until expiry', 6],
  provenFromSending: ['cached and suspended', 3],
  databaseTimeFromSending: ['cached until expiry', 6],
  wallClockCounts: ['cached and suspended', 3],
  monotonicClockCounts: ['cached, wall clock set back', 3],
  forgottenAfterExpiry: ['marks are forgotten', 2],
  beatCommitted: ['cut off', 7],
  fencedAtCall: ['cut off', 1],
  fencedAtAnswer: ['cut off', 7],
  releaseLookedAtAgain: ['less is shown', 8],
  releaseOfThisHistory: ['restored, less is shown', 8],
  everyLiveAwaited: ['found to be complete', 10],
  countedAgain: ['found to be complete', 10],
  writesHeldBack: ['cut off', 7],
  repeatsHeldBack: ['cut off', 7],
};
