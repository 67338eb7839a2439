import { TokenMethod } from '@touchstone/contracts';
import fc from 'fast-check';
import { beforeAll, expect, inject, test } from 'vitest';
import { openWorld, unique, type World } from '../harness/world.ts';
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
