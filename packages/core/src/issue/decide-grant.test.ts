import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Consent } from '../consents/ports.ts';
import {
  AppUnknown,
  AudienceUnknown,
  ConsentRequired,
  Disabled,
  InvalidField,
  MethodNotAllowed,
  ScopeNotAllowed,
  TenantUnknown,
  TouchstoneError,
  TtlTooLong,
} from '../errors.ts';
import type { Registration } from '../register/ports.ts';
import { type App, platformTtlMax, type Tenant } from '../register/registration.ts';
import { registration } from '../test-registry.ts';
import { decideGrant, type GrantRequest } from './decide-grant.ts';

const request: GrantRequest = {
  audience: 's1',
  scopes: ['read'],
  ttl: null,
  method: 'reference',
  usage: 'test',
  confirmation: null,
  forUser: false,
  refreshable: false,
  consent: null,
  renewed: null,
  onExcess: 'refuse',
};
const decided = (over: Partial<GrantRequest> = {}, within: Partial<Registration> = {}) =>
  decideGrant({ ...registration, ...within }, { ...request, ...over });

/** The registration with these limits, in seconds. */
function limited(tenant: number, app: number | null, resourceServer: number | null): Registration {
  const { tenant: t, app: a, resourceServer: r } = registration;
  if (!t || !a || !r) throw new Error('it is there');
  return {
    ...registration,
    tenant: { ...t, tokenTtlMax: tenant },
    app: { ...a, tokenTtlMax: app },
    resourceServer: { ...r, tokenTtlMax: resourceServer },
  };
}

const consent: Consent = {
  consentId: 'con_1',
  tenantId: 't1',
  appId: 'a1',
  userHandle: 'u1',
  grants: [{ audience: 's1', scopes: ['read', 'admin'] }],
  recordedAt: 0,
  expiresAt: 1_000,
};
const given = (over: Partial<Consent> = {}) => ({ consent: { ...consent, ...over }, isWithdrawn: false, now: 500 });
const strict = { ...registration.tenant, firstPartyWithoutConsent: false } as Tenant;

test('with consent any app may act for the user, within what it may ask for by itself', () => {
  const forUser = { forUser: true, consent: given() };
  expect(decided(forUser, { tenant: strict }).scopes).toEqual(['read']);
  expect(() => decided({ ...forUser, scopes: ['admin'] })).toThrow(ScopeNotAllowed);
});

test.each([
  ['the tenant is not there', {}, { tenant: null, app: null }, TenantUnknown],
  ['the app is not there', {}, { app: null, resourceServer: null }, AppUnknown],
  ['the resource server is not there', {}, { resourceServer: null }, AudienceUnknown],
  ['the tenant is disabled', {}, { disabled: new Set(['tenant'] as const) }, Disabled],
  ['the app is disabled', {}, { disabled: new Set(['app'] as const) }, Disabled],
  ['the resource server is disabled', {}, { disabled: new Set(['resource_server'] as const) }, Disabled],
  ['the app may not have the method', { method: 'signed' }, {}, MethodNotAllowed],
  ['a user is acted for without consent', { forUser: true }, { tenant: strict }, ConsentRequired],
  [
    'it is not the tenant that runs the app which does without consent',
    { forUser: true },
    { app: { ...registration.app, hostingType: 'partner_cloud' } as App },
    ConsentRequired,
  ],
  ['the user has not permitted the scope', { forUser: true, consent: given(), scopes: ['write'] }, {}, ScopeNotAllowed],
  [
    'the user has permitted nothing at the audience',
    { forUser: true, consent: given({ grants: [] }) },
    {},
    ScopeNotAllowed,
  ],
  ['no scope is asked for', { scopes: [] }, {}, InvalidField],
  ['the resource server has no such scope', { scopes: ['read', 'gone'] }, {}, ScopeNotAllowed],
  ['the app was not granted the scope', { scopes: ['read', 'admin'] }, {}, ScopeNotAllowed],
  [
    'nothing was granted for the audience',
    {},
    { app: { ...registration.app, grants: [] } as unknown as App },
    ScopeNotAllowed,
  ],
] satisfies [string, Partial<GrantRequest>, Partial<Registration>, new (...args: never[]) => Error][])(
  'nothing is granted where %s',
  (_, over, within, failure) => {
    expect(() => decided(over, within)).toThrow(failure);
  },
);

test('what is granted has each scope once', () => {
  expect(decided({ scopes: ['write', 'read', 'write'] }).scopes).toEqual(['write', 'read']);
});

test.each([
  ['installation', limited(platformTtlMax + 1, null, null), platformTtlMax],
  ['tenant', limited(600, 700, 800), 600],
  ['app', limited(800, 600, 700), 600],
  ['resource server', limited(800, 700, 600), 600],
])('the limit of the %s is kept to the second, and named', (who, within, limit) => {
  expect(decideGrant(within, { ...request, ttl: limit }).ttl).toBe(limit);
  const beyond = () => decideGrant(within, { ...request, ttl: limit + 1 });
  expect(beyond).toThrow(TtlTooLong);
  expect(beyond).toThrow(expect.objectContaining({ metadata: expect.objectContaining({ limited_by: who }) }));
});

test.each([
  ['a quarter of an hour', limited(3_600, null, null), 900],
  ['the shortest limit', limited(3_600, 800, 700), 700],
])('who asks for no time gets %s', (_, within, ttl) => {
  expect(decideGrant(within, request).ttl).toBe(ttl);
});

const limit = fc.integer({ min: 1, max: 2_000 });
const names = ['read', 'write', 'admin', 'gone', 'other'];

test('what is granted is within every limit, and no more than was asked for', () => {
  fc.assert(
    fc.property(
      fc.tuple(limit, fc.option(limit), fc.option(limit)),
      fc.subarray(names, { minLength: 1 }),
      fc.option(limit),
      (limits, scopes, ttl) => {
        let grant: ReturnType<typeof decideGrant>;
        try {
          grant = decideGrant(limited(...limits), { ...request, scopes, ttl });
        } catch (error) {
          expect(error).toBeInstanceOf(TouchstoneError);
          return;
        }
        for (const one of limits) expect(grant.ttl).toBeLessThanOrEqual(one ?? grant.ttl);
        if (ttl !== null) expect(grant.ttl).toBe(ttl);
        expect(grant.scopes).toEqual(scopes);
        // Both owned and granted.
        expect(['read', 'write']).toEqual(expect.arrayContaining([...grant.scopes]));
      },
    ),
    { numRuns: 1_000 },
  );
});

test('a limit more never grants what was refused without it', () => {
  const isGranted = (within: Registration, ttl: number) => {
    try {
      return Boolean(decideGrant(within, { ...request, ttl }));
    } catch {
      return false;
    }
  };
  fc.assert(
    fc.property(limit, limit, limit, limit, (tenant, app, resourceServer, ttl) => {
      const narrower = isGranted(limited(tenant, app, resourceServer), ttl);
      if (narrower) expect(isGranted(limited(tenant, null, null), ttl)).toBe(true);
      expect(narrower).toBe(ttl <= Math.min(tenant, app, resourceServer));
    }),
  );
});
