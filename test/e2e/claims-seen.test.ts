import { TokenMethod } from '@touchstone/contracts';
import fc from 'fast-check';
import { exportJWK, generateKeyPair } from 'jose';
import { beforeAll, expect, inject, test } from 'vitest';
import { openWorld, unique, type World } from '../harness/world.ts';
import { failureOf } from './support-outcome.ts';
import { addServer, type Server } from './support-servers.ts';

const stack = inject('stack');
const methods = Object.values(TokenMethod).filter((method) => method !== TokenMethod.UNSPECIFIED);
const exchanged = [TokenMethod.REFERENCE, TokenMethod.SIGNED];
const names = ['name', 'email', 'phone', 'team'];

let world: World;
beforeAll(async () => {
  world = await openWorld(stack);
});

function addReader(releasedClaims: readonly string[], to?: Server): Promise<Server> {
  const edge = { from: 'orders:read', to: 'orders:read' };
  const exchanges = to ? [{ audience: to.audience, scopes: [edge] }] : [];
  return addServer(stack, world, { releasedClaims: [...releasedClaims], exchanges });
}

/** The names of all claims of the user that can be read out of a string without any key. */
const readableIn = (token: string, claims: Readonly<Record<string, string>>): string[] => {
  const parts = token.split(/[._]/).map((part) => Buffer.from(part, 'base64url').toString('latin1'));
  const texts = [token, ...parts];
  return Object.keys(claims).filter((name) => texts.some((text) => text.includes(claims[name] as string)));
};

async function shown({ audience, clients }: Server, token: string): Promise<string[]> {
  const asked = { token, audience, requiredScopes: ['orders:read'] };
  const { active, claims } = await clients.validator.validateToken(asked);
  expect(active).toBe(true);
  return Object.keys(claims ?? {}).sort();
}

test('whoever asks, for whichever audience, of a token made in whichever way: nobody reads a claim that is not released to him', async () => {
  const lists = fc.record({ first: fc.subarray(names), second: fc.subarray(names), held: fc.subarray(names) });
  await fc.assert(
    fc.asyncProperty(lists, async ({ first, second, held }) => {
      const stock = await addReader(second);
      const orders = await addReader(first, stock);
      const both = [orders, stock].map(({ audience }) => ({ audience, scopes: ['orders:read'] }));
      const appId = await world.addApp({ methods, grants: both });
      const consentId = await world.consent({ appId, grants: both });
      const claims = Object.fromEntries(held.map((name) => [name, `${name}-${unique('canary')}`]));
      for (const method of methods) {
        const request = { appId, audience: orders.audience, method, claims, consentId };
        const { token } = await world.issue(request);
        const toOrders = held.filter((name) => first.includes(name)).sort();
        expect(await shown(orders, token)).toEqual(toOrders);
        const readable = method === TokenMethod.SIGNED ? toOrders : [];
        expect(readableIn(token, claims).sort()).toEqual(readable);
        for (const childMethod of exchanged) {
          const child = await orders.clients.issuer.exchangeToken({
            token,
            audience: stock.audience,
            scopes: ['orders:read'],
            method: childMethod,
          });
          // A token that can be read holds no more than both may see; a claim that it lacks is lost to its children.
          const lacks = method === TokenMethod.SIGNED || childMethod === TokenMethod.SIGNED;
          const toStock = held.filter((name) => second.includes(name) && (!lacks || first.includes(name))).sort();
          expect(await shown(stock, child.token)).toEqual(toStock);
          const childReadable = childMethod === TokenMethod.SIGNED ? toStock : [];
          expect(readableIn(child.token, claims).sort()).toEqual(childReadable);
        }
      }
    }),
    { numRuns: 8 },
  );
});

const sectors = ['', 'one', 'two'];
const subjectIn = (jwt: string): string => JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString()).sub;

test('whichever sectors an exchange leads between: nobody reads what only others are told of who the user is', async () => {
  const [read, scopes] = [{ from: 'orders:read', to: 'orders:read' }, ['orders:read']];
  const { publicKey } = await generateKeyPair('ECDH-ES');
  const encryptionJwk = JSON.stringify(await exportJWK(publicKey));
  const add = async (sector: string, over: { readonly encryptionJwk?: string; readonly exchanges?: object[] }) => {
    const { audience, clients } = await addServer(stack, world, { ...over, pairwiseSector: sector });
    return { sector, isReadable: !over.encryptionJwk, audience, clients };
  };
  const targets = await Promise.all([
    ...sectors.map((sector) => add(sector, {})),
    ...sectors.map((sector) => add(sector, { encryptionJwk })),
  ]);
  const exchanges = targets.map(({ audience }) => ({ audience, scopes: [read] }));
  const sources = await Promise.all(sectors.map((sector) => add(sector, { exchanges })));
  const grants = [...sources, ...targets].map(({ audience }) => ({ audience, scopes }));
  const appId = await world.addApp({ methods, grants });
  for (const source of sources) {
    const { audience, clients } = source;
    const { token } = await world.issue({ appId, audience });
    const { subject } = await clients.validator.validateToken({ token, audience, requiredScopes: scopes });
    for (const { audience, sector, isReadable } of targets) {
      const exchange = (method: TokenMethod) => clients.issuer.exchangeToken({ token, audience, scopes, method });
      await exchange(TokenMethod.REFERENCE);
      const signed = exchange(TokenMethod.SIGNED);
      if (isReadable && sector === source.sector) expect(subjectIn((await signed).token)).toBe(subject);
      else if (!isReadable) await signed;
      else {
        expect(await failureOf(signed)).toMatchObject({
          reason: 'METHOD_NOT_ALLOWED',
          metadata: { field: 'method', limited_by: 'pairwise sector' },
        });
      }
    }
  }
});
