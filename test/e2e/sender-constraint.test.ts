import { createHash } from 'node:crypto';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { attenuate } from '@touchstone/client';
import { type ConsistencySchema, type ProofSchema, RefusalReason, TokenMethod } from '@touchstone/contracts';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { type Clients, clientsOf, openWorld, scopes, unique, type World } from '../harness/world.ts';
import { type DpopClient, openDpopClient } from './support-dpop.ts';
import { startAnother } from './support-issuer.ts';
import { failureOf } from './support-outcome.ts';

const stack = inject('stack');
const { PROOF_REQUIRED, PROOF_INVALID } = RefusalReason;
const named = Object.entries(TokenMethod).filter(([name]) => name !== 'UNSPECIFIED');
const methods = named.map(([, method]) => method);
const [method, uri] = ['GET', 'https://orders.example.com/orders'] as const;
const minute = 60;

type Proof = MessageInitShape<typeof ProofSchema>;
type Consistency = MessageInitShape<typeof ConsistencySchema>;

const thumbprintOf = (certificate: string) => createHash('sha256').update(certificate).digest('base64url');
const byCertificate = (certificate: string): Proof => ({
  method: { case: 'certificateSha256', value: thumbprintOf(certificate) },
});
const byDpop = (proof: string, over: object = {}): Proof => ({
  method: { case: 'dpop', value: { proof, httpMethod: method, httpUri: `${uri}?page=2`, ...over } },
});
const modes: readonly (readonly [string, Consistency | undefined])[] = [
  ['fully consistent', undefined],
  ['max_staleness', { requirement: { case: 'maxStaleness', value: { seconds: 5n } } }],
];

const cleanup = new AsyncDisposableStack();
let world: World;
let appId: string;
let app: Clients;
let consentId: string;
let client: DpopClient;
let stranger: DpopClient;
/** Another validator, for the same resource server. */
let elsewhere: Clients;
/** Another resource server, which orders may call, and its clients. */
let stock: { readonly audience: string; readonly clients: Clients };

beforeAll(async () => {
  const another = cleanup.use(await startAnother('validator', stack));
  world = await openWorld(stack);
  const { registry } = world.operator;
  const { tenantId } = world;
  const credential = async (
    principal: NonNullable<Parameters<typeof registry.issueCredential>[0]['principal']>,
    scope: string,
  ) => {
    const issued = await registry.issueCredential({ principal, scopes: [scope], ttl: { seconds: 3_600n } });
    return clientsOf(stack, issued.credential);
  };
  const audience = `https://${unique('stock')}.example.com`;
  await registry.createResourceServer({
    resourceServer: { audience, tenantId, scopes: [{ name: 'items:read' }] },
  });
  stock = { audience, clients: await credential({ case: 'resourceServer', value: { audience } }, 'tokens:validate') };
  const orders = `https://${unique('orders')}.example.com`;
  const exchanges = [{ audience, scopes: [{ from: 'orders:read', to: 'items:read' }] }];
  await registry.createResourceServer({
    resourceServer: { audience: orders, tenantId, scopes: scopes.map((name) => ({ name })), exchanges },
  });
  const resourceServer = await credential({ case: 'resourceServer', value: { audience: orders } }, 'tokens:validate');
  const grants = [
    { audience: orders, scopes },
    { audience, scopes: ['items:read'] },
  ];
  appId = await world.addApp({ methods, grants });
  app = await credential({ case: 'app', value: { appId } }, 'tokens:issue:self');
  world = { ...world, audience: orders, resourceServer };
  consentId = await world.consent({ appId, grants });
  elsewhere = clientsOf(another, resourceServer.credential);
  [client, stranger] = await Promise.all([openDpopClient(), openDpopClient()]);
});
afterAll(() => cleanup.disposeAsync());

const issue = (confirmation: object | null, over: Record<string, unknown> = {}) =>
  world.issue({ appId, consentId, audience: world.audience, ...(confirmation ? { confirmation } : {}), ...over });
const toCertificate = (certificate: string) => ({
  method: { case: 'certificateSha256', value: thumbprintOf(certificate) },
});
const toKey = ({ key }: DpopClient) => ({ method: { case: 'keySha256', value: key } });
const ask = (token: string, proof: Proof | null, over: object = {}, { validator } = world.resourceServer) =>
  validator.validateToken({
    token,
    audience: world.audience,
    requiredScopes: ['orders:read'],
    ...(proof ? { proof } : {}),
    ...over,
  });
const refused = (reason: RefusalReason) => ({ active: false, reason, tokenId: '', scopes: [] });

describe.each(named)('%s', (name, tokenMethod) => {
  const make = (confirmation: object | null) => issue(confirmation, { method: tokenMethod });

  describe.each(modes)('%s', (_, consistency) => {
    const over = consistency ? { consistency } : {};

    test('bound to a certificate it is honoured with that, and with no other', async () => {
      const { token, tokenId } = await make(toCertificate('mine'));
      for (const time of ['first', 'again']) {
        expect(await ask(token, byCertificate('mine'), over), time).toMatchObject({ active: true, tokenId });
        expect(await ask(token, null, over), time).toMatchObject(refused(PROOF_REQUIRED));
        expect(await ask(token, byCertificate('yours'), over), time).toMatchObject(refused(PROOF_INVALID));
        const dpop = byDpop(await client.proofFor(token, method, uri));
        expect(await ask(token, dpop, over), time).toMatchObject(refused(PROOF_INVALID));
      }
    });

    test('bound to a key it is honoured with a new proof each time, and with none that is not for this', async () => {
      const { token, tokenId } = await make(toKey(client));
      for (const time of ['first', 'again']) {
        const proof = await client.proofFor(token, method, uri);
        expect(await ask(token, null, over), time).toMatchObject(refused(PROOF_REQUIRED));
        expect(await ask(token, byCertificate('mine'), over), time).toMatchObject(refused(PROOF_INVALID));
        const wrong = {
          'of another key': await stranger.proofFor(token, method, uri),
          'for another token': await client.proofFor(`${token}x`, method, uri),
          'for another method': await client.proofFor(token, 'POST', uri),
          'for another URI': await client.proofFor(token, method, 'https://orders.example.com/'),
          'from long ago': await client.proofFor(token, method, uri, {
            iat: Math.floor(Date.now() / 1_000) - minute - 5,
          }),
          'for later': await client.proofFor(token, method, uri, { iat: Math.floor(Date.now() / 1_000) + minute + 30 }),
          'that is none': 'rubbish',
        };
        for (const [what, one] of Object.entries(wrong)) {
          expect(await ask(token, byDpop(one), over), what).toMatchObject(refused(PROOF_INVALID));
        }
        expect(await ask(token, byDpop(proof), over), time).toMatchObject({ active: true, tokenId });
        expect(await ask(token, byDpop(proof), over), 'a replay').toMatchObject(refused(PROOF_INVALID));
        expect(await ask(token, byDpop(proof), over, elsewhere), 'elsewhere').toMatchObject(refused(PROOF_INVALID));
      }
      const proof = byDpop(await client.proofFor(token, method, uri));
      const both = await Promise.all([ask(token, proof, over), ask(token, proof, over, elsewhere)]);
      expect(both.filter(({ active }) => active)).toHaveLength(1);
    });
  });

  test('bound to nothing it takes no proof, and minds none', async () => {
    const { token } = await make(null);
    for (const proof of [null, byCertificate('mine'), byDpop('rubbish')]) {
      expect(await ask(token, proof)).toMatchObject({ active: true });
    }
  });

  if (name === 'SIGNED')
    test('whoever verifies it without asking can read what it is bound to (RFC 7800)', async () => {
      const [certificate, key, nothing] = await Promise.all([
        make(toCertificate('mine')),
        make(toKey(client)),
        make(null),
      ]);
      expect(decodeJwt(certificate.token).cnf).toEqual({ 'x5t#S256': thumbprintOf('mine') });
      expect(decodeJwt(key.token).cnf).toEqual({ jkt: client.key });
      expect(decodeJwt(nothing.token)).not.toHaveProperty('cnf');
    });
});

test.each(['EdDSA', 'ES256', 'RS256'] as const)('a key may be one of %s', async (algorithm) => {
  const holder = await openDpopClient(algorithm);
  const { token } = await issue(toKey(holder));
  const proof = byDpop(await holder.proofFor(token, method, uri));
  expect(await ask(token, proof)).toMatchObject({ active: true });
});

test('in a batch a proof is good once, too, and each token is answered by itself', async () => {
  const [bound, free] = await Promise.all([issue(toKey(client)), issue(null)]);
  const proof = byDpop(await client.proofFor(bound.token, method, uri));
  const requests = [bound, bound, free].map(({ token }) => ({
    token,
    audience: world.audience,
    requiredScopes: ['orders:read'],
    proof,
  }));
  const { results } = await world.resourceServer.validator.batchValidateTokens({ requests });
  const [one, other, unbound] = results.map(({ outcome }) => outcome.case === 'validated' && outcome.value.active);
  // Which of the two takes the proof is open: their signatures are verified at the same time.
  expect([one, other].sort()).toEqual([false, true]);
  expect(unbound).toBe(true);
});

test('an attenuated copy stays bound, and its proof is made with the copy', async () => {
  const { token } = await issue(toKey(client), { method: TokenMethod.ATTENUABLE, scopes });
  const copy = attenuate(token, { scopes: ['orders:read'] });
  expect(await ask(copy, null)).toMatchObject(refused(PROOF_REQUIRED));
  expect(await ask(copy, byDpop(await client.proofFor(token, method, uri)))).toMatchObject(refused(PROOF_INVALID));
  expect(await ask(copy, byDpop(await client.proofFor(copy, method, uri)))).toMatchObject({ active: true });
});

test('without its proof a thief learns neither whether it has expired nor what it is for', async () => {
  const { token } = await issue(toKey(client), { ttl: { seconds: 1n } });
  const writing = { requiredScopes: ['orders:write'] };
  expect(await ask(token, null, writing)).toMatchObject(refused(PROOF_REQUIRED));
  const proven = async () => byDpop(await client.proofFor(token, method, uri));
  while ((await ask(token, await proven())).active);
  expect(await ask(token, await proven())).toMatchObject({ reason: RefusalReason.EXPIRED });
  expect(await ask(token, null, writing)).toMatchObject(refused(PROOF_REQUIRED));
});

describe('ExchangeToken', () => {
  const exchange = ({ issuer }: Clients, token: string, over: object = {}) =>
    issuer.exchangeToken({ token, audience: stock.audience, scopes: ['items:read'], ...over });
  const atStock = (token: string, proof: Proof | null = null) =>
    stock.clients.validator.validateToken({
      token,
      audience: stock.audience,
      requiredScopes: ['items:read'],
      ...(proof ? { proof } : {}),
    });
  const notHonoured = { reason: 'TOKEN_NOT_HONOURED' };
  const endpoint = () => `${stack.http.issuer}/touchstone.v1.IssuerService/ExchangeToken`;

  test.each(methods)('by a resource server it takes what came with the request: method %s', async (tokenMethod) => {
    const [certificate, key] = await Promise.all([
      issue(toCertificate('mine'), { method: tokenMethod }),
      issue(toKey(client), { method: tokenMethod }),
    ]);
    const orders = world.resourceServer;
    for (const { token } of [certificate, key]) {
      for (const proof of [undefined, byCertificate('yours'), byDpop(await stranger.proofFor(token, method, uri))]) {
        expect(await failureOf(exchange(orders, token, proof ? { proof } : {}))).toMatchObject(notHonoured);
      }
    }
    const proof = byDpop(await client.proofFor(key.token, method, uri));
    const children = [
      await exchange(orders, certificate.token, { proof: byCertificate('mine') }),
      await exchange(orders, key.token, { proof }),
    ];
    // The resource server could not prove what the client has.
    for (const child of children) expect(await atStock(child.token)).toMatchObject({ active: true });
  });

  test('what was validated with a proof is exchanged with the same one, once to each', async () => {
    const { token } = await issue(toKey(client));
    const orders = world.resourceServer;
    const proof = byDpop(await client.proofFor(token, method, uri));
    expect(await ask(token, proof)).toMatchObject({ active: true });
    expect(await exchange(orders, token, { proof })).toMatchObject({ scopes: ['items:read'] });
    expect(await failureOf(exchange(orders, token, { proof }))).toMatchObject(notHonoured);
    const narrower = { proof, audience: world.audience, scopes: ['orders:read'] };
    expect(await exchange(orders, token, narrower)).toMatchObject({ scopes: ['orders:read'] });
    expect(await ask(token, proof)).toMatchObject(refused(PROOF_INVALID));
  });

  test("a resource server's child is bound to what it names", async () => {
    const { token } = await issue(toCertificate('mine'));
    const over = { proof: byCertificate('mine'), confirmation: toCertificate('of orders') };
    const child = await exchange(world.resourceServer, token, over);
    expect(await atStock(child.token)).toMatchObject({ active: false, reason: PROOF_REQUIRED });
    expect(await atStock(child.token, byCertificate('mine'))).toMatchObject({ active: false, reason: PROOF_INVALID });
    expect(await atStock(child.token, byCertificate('of orders'))).toMatchObject({ active: true });
  });

  test("an app's child stays bound to what its token is bound to, and takes a proof for the exchange itself", async () => {
    const { token } = await issue(toKey(client));
    const forExchange = async (by: DpopClient, over: object = {}) => {
      const proof = await by.proofFor(token, 'POST', endpoint());
      return { proof: byDpop(proof, { httpMethod: 'POST', httpUri: endpoint(), ...over }) };
    };
    // What was made for a resource server is not taken, whatever the app says that it is for.
    const forOrders = { proof: byDpop(await client.proofFor(token, method, uri)) };
    for (const over of [{}, forOrders, await forExchange(stranger)]) {
      expect(await failureOf(exchange(app, token, over))).toMatchObject(notHonoured);
    }
    const rebound = { ...(await forExchange(client)), confirmation: toKey(stranger) };
    expect(await failureOf(exchange(app, token, rebound))).toMatchObject({
      reason: 'INVALID_FIELD',
      metadata: { field: 'confirmation' },
    });
    const child = await exchange(app, token, await forExchange(client));
    const proofOf = async (by: DpopClient) => byDpop(await by.proofFor(child.token, method, uri));
    expect(await atStock(child.token)).toMatchObject({ active: false, reason: PROOF_REQUIRED });
    expect(await atStock(child.token, await proofOf(stranger))).toMatchObject({ active: false, reason: PROOF_INVALID });
    expect(await atStock(child.token, await proofOf(client))).toMatchObject({ active: true });
  });

  test("an app's word for a certificate gives it nothing that does not take the certificate again", async () => {
    const { token } = await issue(toCertificate('mine'));
    expect(await failureOf(exchange(app, token))).toMatchObject(notHonoured);
    const child = await exchange(app, token, { proof: byCertificate('mine') });
    expect(await atStock(child.token)).toMatchObject({ active: false, reason: PROOF_REQUIRED });
    expect(await atStock(child.token, byCertificate('mine'))).toMatchObject({ active: true });
  });

  test('an app can bind what was not', async () => {
    const { token } = await issue(null);
    const child = await exchange(app, token, { confirmation: toCertificate('mine') });
    expect(await atStock(child.token)).toMatchObject({ active: false, reason: PROOF_REQUIRED });
    expect(await atStock(child.token, byCertificate('mine'))).toMatchObject({ active: true });
  });
});

test.each<[what: string, field: string, over: () => Record<string, unknown>]>([
  ['one of nothing', 'confirmation.method', () => ({ confirmation: {} })],
  [
    'a thumbprint in hexadecimal digits',
    'confirmation.certificate_sha256',
    () => ({ confirmation: { method: { case: 'certificateSha256', value: 'a'.repeat(64) } } }),
  ],
  [
    'a thumbprint that is none',
    'confirmation.key_sha256',
    () => ({ confirmation: { method: { case: 'keySha256', value: 'B'.repeat(43) } } }),
  ],
])('a confirmation is refused: %s', async (_, field, over) => {
  expect(await failureOf(issue(null, over()))).toMatchObject({ reason: 'INVALID_FIELD', metadata: { field } });
});
