import { performance } from 'node:perf_hooks';
import { type App, decideGrant, defaultPolicy, indexed, type Registration, type Rule } from '@touchstone/core';

/** What deciding about a token costs under a policy. */
export interface Evaluated {
  readonly name: string;
  /** How many rules were about the token. */
  readonly matching: number;
  readonly microseconds: number;
}

const [unlimited] = defaultPolicy('t1').rules as [Rule];
const rulesCount = 1_000;
/** Each of an environment of its own: what follows from one is remembered. */
const registrationsCount = 20_000;
const scopes = ['orders:read', 'orders:write'];

const rule = (ruleId: string, match: Partial<Rule['match']>): Rule => ({
  ...unlimited,
  ruleId,
  match: { ...unlimited.match, ...match },
  limits: { ...unlimited.limits, scopes: [...scopes, 'orders:other'], ttlMax: 3_600, methods: ['reference', 'signed'] },
});

const policies: Readonly<Record<string, readonly Rule[]>> = {
  'each about another audience': Array.from({ length: rulesCount }, (_, i) =>
    rule(`r${i}`, { audience: [i === 500 ? 's1' : `s-${i}`] }),
  ),
  'by client type and usage': Array.from({ length: rulesCount }, (_, i) =>
    rule(`r${i}`, {
      clientType: [(['web', 'service', 'native', 'browser', 'partner'] as const)[i % 5] ?? 'web'],
      usage: [(['batch', 'interactive', 'test', 'automation'] as const)[i % 4] ?? 'batch'],
    }),
  ),
  'all about the token': Array.from({ length: rulesCount }, (_, i) => rule(`r${i}`, {})),
};

/** Decides as IssueToken does: for the first time for an app, and again and again. */
export function evaluateRules(): Evaluated[] {
  return Object.entries(policies).flatMap(([name, rules]) => {
    const policy = indexed({ ...defaultPolicy('t1'), rules });
    const about = { ...app, usage: 'batch', audience: 's1' } as const;
    const matching = policy.rules.about(about).rules.length;
    const registrations = Array.from({ length: registrationsCount }, (_, i) => registrationUnder(policy, `e${i}`));
    const same = registrationUnder(policy, 'production');
    return [
      { name: `${name}, for the first time`, matching, microseconds: timed((i) => registrations[i] as Registration) },
      { name: `${name}, again`, matching, microseconds: timed(() => same) },
    ];
  });
}

const app: App = {
  appId: 'a1',
  tenantId: 't1',
  displayName: '',
  clientType: 'web',
  hostingType: 'first_party',
  grants: [{ audience: 's1', scopes }],
  methods: ['reference'],
  refresh: null,
  environment: 'production',
  tokensPerMinuteMax: null,
  tokenTtlMax: null,
};

const registrationUnder = (policy: Registration['policy'], environment: string): Registration => ({
  tenant: {
    tenantId: 't1',
    displayName: '',
    tokenTtlMax: 3_600,
    tokensPerMinuteMax: null,
    firstPartyWithoutConsent: true,
  },
  app: { ...app, environment },
  resourceServer: {
    audience: 's1',
    tenantId: 't1',
    displayName: '',
    scopes: scopes.map((name) => ({ name, description: '', sensitivity: 'normal', tokenTtlMax: null })),
    releasedClaims: [],
    pairwiseSector: null,
    encryptionJwk: null,
    exchanges: [],
    owners: [],
    tokenTtlMax: null,
  },
  disabled: new Set(),
  policy,
  version: 1,
});

const request = {
  audience: 's1',
  scopes,
  ttl: 600,
  method: 'reference',
  usage: 'batch',
  confirmation: null,
  forUser: false,
  refreshable: false,
  consent: null,
  renewed: null,
  onExcess: 'refuse',
} as const;

/** Microseconds a decision; the first half is to warm up. */
function timed(registrationAt: (i: number) => Registration): number {
  let started = 0;
  for (let i = 0; i < registrationsCount; i++) {
    if (i === registrationsCount / 2) started = performance.now();
    decideGrant(registrationAt(i), request);
  }
  return ((performance.now() - started) * 1_000) / (registrationsCount / 2);
}
