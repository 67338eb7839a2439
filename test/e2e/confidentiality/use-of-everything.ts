import { randomBytes } from 'node:crypto';
import { type Clients, clientsOf, unique, type World } from '../../harness/world.ts';
import type { OwnStack } from './own-stack.ts';
import { outcomeOf } from './scene.ts';
import type { Secrets } from './secrets.ts';

export interface Using {
  readonly own: OwnStack;
  readonly world: World;
  readonly secrets: Secrets;
}

const batch = 100;

/** Issues tokens, each for a user of its own with claims of its own. */
export async function issueMany({ world, secrets }: Using, count: number): Promise<string[]> {
  const tokens: string[] = [];
  for (let first = 0; first < count; first += batch) {
    const requests = Array.from({ length: batch }, (_, i) =>
      world.request({ userId: secrets.userId(first + i), claims: secrets.claims(first + i) }),
    );
    const { results } = await world.identity.issuer.batchIssueTokens({ requests });
    for (const { outcome } of results) {
      if (outcome.case !== 'issued') throw new Error('a token was not issued');
      const { token } = outcome.value;
      // They are all made and kept alike: a tenth of them is looked for, which keeps the scan quick.
      tokens.push(tokens.length % 10 < 1 || tokens.length < 3 ? secrets.keep(token) : token);
    }
  }
  return tokens;
}

/** A credential of each kind that an operator can make. */
export async function issueCredentials({ own, world, secrets }: Using): Promise<Clients[]> {
  const { tenantId, appId, audience } = world;
  const wanted = [
    { principal: { case: 'identityService', value: { tenantId, name: 'second' } }, scopes: ['tokens:issue'] },
    { principal: { case: 'app', value: { appId } }, scopes: ['tokens:issue:self'] },
    { principal: { case: 'resourceServer', value: { audience } }, scopes: ['tokens:validate', 'tokens:explain'] },
    { principal: { case: 'operator', value: { name: 'second', tenantIds: [tenantId] } }, scopes: ['tokens:revoke'] },
    { principal: { case: 'auditor', value: { name: 'second', tenantIds: [tenantId] } }, scopes: ['audit:read'] },
  ] satisfies Parameters<Clients['registry']['issueCredential']>[0][];
  const made: Clients[] = [];
  for (const request of wanted) {
    const { credential } = await world.operator.registry.issueCredential({ ...request, ttl: { seconds: 600n } });
    made.push(clientsOf(own.shared, secrets.keep(credential, `a credential (${request.principal.case})`)));
  }
  for (const { credential } of [world.operator, world.identity, world.app, world.resourceServer, world.auditor]) {
    secrets.keep(credential, 'a credential');
  }
  return made;
}

/** Validates all, and asks in every wrong way. @returns how often a token was honoured. */
export async function validateMany({ own, world }: Using, tokens: readonly string[]): Promise<number> {
  const { audience, resourceServer } = world;
  let honoured = 0;
  for (let first = 0; first < tokens.length; first += batch) {
    const requests = tokens
      .slice(first, first + batch)
      .map((token) => ({ token, audience, requiredScopes: ['orders:read'] }));
    const { results } = await resourceServer.validator.batchValidateTokens({ requests });
    honoured += results.filter(({ outcome }) => outcome.case === 'validated' && outcome.value.active).length;
  }
  const [token = ''] = tokens;
  const wrong = [
    token.slice(0, -1),
    token.slice(0, 40),
    `${token}x`,
    ` ${token}`,
    token.toUpperCase(),
    token.replace('tks_r', 'tks_s'),
    token.repeat(40),
  ];
  for (const one of wrong) await outcomeOf(world.validate(one));
  await outcomeOf(world.validate(token, 'orders:write'));
  await outcomeOf(
    resourceServer.validator.validateToken({ token, audience: 'https://elsewhere', requiredScopes: ['x'] }),
  );
  await outcomeOf(resourceServer.validator.validateToken({ token, audience, requiredScopes: [] }));
  // As a credential, which it is not; and a credential as a token.
  await outcomeOf(clientsOf(own.shared, token).issuer.issueToken(world.request()));
  await outcomeOf(
    clientsOf(own.shared, token.slice(0, -1)).validator.validateToken({ token, audience, requiredScopes: ['x'] }),
  );
  await outcomeOf(world.validate(world.operator.credential));
  return honoured;
}

/** Asks for what is refused, with claims and users that nobody may see. @returns the outcomes. */
export async function provokeRefusals({ world, secrets }: Using): Promise<string[]> {
  const claims = secrets.claims(1_000_001);
  const userId = secrets.userId(1_000_001);
  const requests = [
    { scopes: ['orders:everything'] },
    { scopes: [] },
    { claims: { sub: secrets.claim, ...claims } },
    { claims: { cnf: { jkt: secrets.claim } } },
    { claims: { ...claims, large: secrets.claim.repeat(400) } },
    { userId: userId.repeat(20) },
    { ttl: { seconds: 99_999_999n } },
    { ttl: { seconds: -1n } },
    { tenantId: 'elsewhere' },
    { audience: 'https://elsewhere' },
    { appId: 'elsewhere' },
    { consentId: 'consent-1' },
    { method: 99 },
  ];
  const outcomes = [];
  for (const over of requests) outcomes.push(await outcomeOf(world.issue({ userId, claims, ...over })));
  outcomes.push(await outcomeOf(world.app.issuer.issueToken(world.request({ userId, claims: {} }))));
  outcomes.push(await outcomeOf(world.app.issuer.issueToken(world.request({ userId: '', claims }))));
  outcomes.push(await outcomeOf(world.resourceServer.issuer.issueToken(world.request({ userId, claims }))));
  return outcomes;
}

/** Revokes at each level, by token and by user, and in ways that are mistakes. */
export async function revokeInEachWay({ world, secrets }: Using, tokens: readonly string[]): Promise<void> {
  const { operator, identity, tenantId, appId } = world;
  const many = (target: object, includeCredentials = false) =>
    operator.revocation.revokeTokens({
      target: { target } as never,
      reason: 'test',
      idempotencyKey: unique('incident'),
      includeCredentials,
    });
  const [first = '', second = ''] = tokens;
  await operator.revocation.revokeToken({ tokenOrId: { case: 'token', value: first } });
  await identity.revocation.revokeToken({ tokenOrId: { case: 'token', value: second } });
  const { tokenId } = await world.issue();
  await operator.revocation.revokeToken({ tokenOrId: { case: 'tokenId', value: tokenId } });
  // A token where its id should be, whole and as long as an id may be.
  await outcomeOf(operator.revocation.revokeToken({ tokenOrId: { case: 'tokenId', value: first } }));
  await outcomeOf(operator.revocation.revokeToken({ tokenOrId: { case: 'tokenId', value: first.slice(0, 64) } }));
  for (let user = 2; user < 22; user++) await many({ case: 'user', value: { tenantId, userId: secrets.userId(user) } });
  for (let user = 22; user < 32; user++)
    await many({ case: 'appUser', value: { appId, userId: secrets.userId(user) } });
  await outcomeOf(many({ case: 'user', value: { tenantId: 'elsewhere', userId: secrets.userId(1) } }));
  await outcomeOf(many({ case: 'user', value: { tenantId, userId: secrets.userId(1).repeat(20) } }));
  await many({ case: 'app', value: { appId } });
  await many({ case: 'tenant', value: { tenantId } }, true);
}

/** Sends what is no proper request to the HTTP ports, with secrets wherever there is room. @returns what is answered. */
export async function sendNonsense({ own, world, secrets }: Using, token: string): Promise<string[]> {
  const { http } = own.shared;
  const method = `${http.validator}/touchstone.v1.ValidatorService/ValidateToken`;
  const authorization = `Bearer ${world.resourceServer.credential}`;
  const json = { 'content-type': 'application/json', authorization };
  const body = JSON.stringify({ token, audience: world.audience, requiredScopes: ['orders:read'] });
  const claims = JSON.stringify(secrets.claims(1_000_002));
  const requests: [string, RequestInit][] = [
    [`${method}?token=${token}`, {}],
    [`${method}?connect=v1&encoding=json&message=${encodeURIComponent(body)}`, { headers: { authorization } }],
    [`${http.validator}/${token}`, {}],
    [method, { method: 'POST', headers: json, body: body.slice(0, -3) }],
    [method, { method: 'POST', headers: json, body: body.replace('"audience"', '"nowhere"') }],
    [method, { method: 'POST', headers: { ...json, authorization: `Basic ${token}` }, body }],
    [method, { method: 'POST', headers: { ...json, authorization: `Bearer ${token} ${token}` }, body }],
    [
      method,
      { method: 'POST', headers: { ...json, traceparent: `00-${token}-01`, 'content-type': 'text/plain' }, body },
    ],
    [
      `${http.issuer}/touchstone.v1.IssuerService/IssueToken`,
      { method: 'POST', headers: json, body: `{"claims": ${claims}, "userId": ["${secrets.userId(1)}"]}` },
    ],
    [
      `${http.issuer}/touchstone.v1.IssuerService/IssueToken`,
      { method: 'POST', headers: json, body: `${claims}${randomBytes(8).toString('hex')}` },
    ],
  ];
  const answers: string[] = [];
  for (const [url, init] of requests) {
    const response = await fetch(url, init);
    answers.push(JSON.stringify([response.status, [...response.headers], await response.text()]));
  }
  return answers;
}
