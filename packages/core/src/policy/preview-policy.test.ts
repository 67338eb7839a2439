import { expect, test } from 'vitest';
import type { Act } from '../access/act.ts';
import { Cancelled } from '../errors.ts';
import { inTurnOfEach } from '../in-turn-of-each.ts';
import type { EntriesPage } from '../register/ports.ts';
import type { RegisteredKind } from '../register/registration.ts';
import { actOf } from '../test-act.ts';
import { registration, TestRegistry } from '../test-registry.ts';
import type { TokenCounter } from './ports.ts';
import { type PreviewPorts, previewPolicy } from './preview-policy.ts';

const none = { read: async () => null, list: async () => [], write: () => Promise.reject(new Error('not written')) };
const operator = actOf({ kind: 'operator', scopes: ['registry:read'], tenantIds: ['t1', 't2'] });

/** Ports to a registry of so many apps for each tenant, page by page; and the pages that were read of it. */
function openPorts(pagesOfApps: number, onPage = (_page: string) => {}) {
  const pages: string[] = [];
  async function list<Kind extends RegisteredKind>(what: Kind, [tenantId]: readonly string[], after: string) {
    const [page, last] = [Number(after) + 1, what === 'app' ? pagesOfApps : 1];
    pages.push(`${tenantId} ${what} ${page}`);
    onPage(pages.at(-1) as string);
    await new Promise(setImmediate);
    const { app, resourceServer } = registration;
    const stored = { entry: what === 'app' ? app : resourceServer, etag: '', disabled: false };
    const entries = Array.from({ length: 100 }, () => stored);
    return { entries, next: page < last ? String(page) : null } as unknown as EntriesPage<Kind>;
  }
  const count = inTurnOfEach(
    ({ tenantId }: { tenantId: string; limitsOf: Parameters<TokenCounter['countBeyond']>[1] }) => tenantId,
    async ({ limitsOf }) => (await limitsOf()).map(() => 1),
  );
  const tokenCounter: TokenCounter = {
    countBeyond: (tenantId, limitsOf, signal) => count({ tenantId, limitsOf }, signal),
  };
  const ports: PreviewPorts = { registry: Object.assign(new TestRegistry(), { list }), policies: none, tokenCounter };
  return { ports, pages };
}

const preview = (act: Act, tenantId: string, ports: PreviewPorts) =>
  previewPolicy(act, { tenantId, version: 0, rules: [] }, ports);

test('what is registered is gone through for one preview at a time', async () => {
  const { ports, pages } = openPorts(2);
  const previews = await Promise.all(['t1', 't2'].map((tenantId) => preview(operator, tenantId, ports)));
  expect(previews).toMatchObject([{ changesCount: 800 }, { changesCount: 800 }]);
  expect(pages).toEqual(['t1', 't2'].flatMap((id) => [`${id} resource_server 1`, `${id} app 1`, `${id} app 2`]));
});

test('a preview whose caller has gone goes no further', async () => {
  const gone = new AbortController();
  const { ports, pages } = openPorts(2, (page) => page === 't1 app 1' && gone.abort());
  await expect(preview({ ...operator, signal: gone.signal }, 't1', ports)).rejects.toThrow(Cancelled);
  expect(pages).toEqual(['t1 resource_server 1', 't1 app 1']);
  expect(await preview(operator, 't2', ports)).toMatchObject({ changesCount: 800 });
});
