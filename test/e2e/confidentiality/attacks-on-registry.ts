import type { Attacker } from './attacker.ts';
import type { Scene } from './scene.ts';

export interface RegistryAttack {
  readonly attacker: Attacker;
  readonly scene: Scene;
  readonly abroad: Scene;
}

export type NamedRegistryAttack = readonly [name: string, attack: (at: RegistryAttack) => Promise<unknown>];

const onApp =
  (assignments: string, value: (at: RegistryAttack) => unknown) =>
  (at: RegistryAttack): Promise<unknown> =>
    at.attacker.write(`update app set ${assignments} where app_id = $1`, [at.scene.lowApp, value(at)]);

const onServer =
  (assignments: string, value: (at: RegistryAttack) => unknown) =>
  (at: RegistryAttack): Promise<unknown> =>
    at.attacker.write(`update resource_server set ${assignments} where audience = $1`, [at.scene.audience, value(at)]);

const wideGrants = ({ scene }: RegistryAttack): string =>
  JSON.stringify([{ audience: scene.audience, scopes: ['orders:read', 'orders:write'] }]);
const longLife = 7_776_000;

/** Entries changed to where the low app, or the resource server, would get more than it was given. */
export const registryAttacks: readonly NamedRegistryAttack[] = [
  ["the app's grants", onApp('grants = $2', wideGrants)],
  [
    "the app's grants and mac, from another app",
    (at) =>
      at.attacker.write(
        'update app set (grants, mac) = (select grants, mac from app where app_id = $2) where app_id = $1',
        [at.scene.lowApp, at.scene.appId],
      ),
  ],
  ["the app's longest life", onApp('token_ttl_max = $2', () => longLife)],
  ["the app's tenant", onApp('tenant_id = $2', ({ abroad }) => abroad.tenantId)],
  [
    'another app under its id',
    async ({ attacker, scene }) => {
      await attacker.write('delete from app where app_id = $1', [scene.lowApp]);
      await attacker.write('update app set app_id = $2 where app_id = $1', [scene.appId, scene.lowApp]);
    },
  ],
  [
    "the resource server's scopes",
    onServer(
      'scopes = $2',
      () =>
        '[{"name":"orders:read","description":""},{"name":"orders:write","description":""},{"name":"orders:all","description":""}]',
    ),
  ],
  ["the resource server's released claims", onServer('released_claims = $2', () => '["name","email","phone"]')],
  [
    "the resource server's released claims and mac, from another one",
    (at) =>
      onServer(
        '(released_claims, mac) = (select released_claims, mac from resource_server where audience = $2)',
        () => at.scene.confidant.audience,
      )(at),
  ],
  ["the resource server's longest life", onServer('token_ttl_max = $2', () => longLife)],
  ["the resource server's tenant", onServer('tenant_id = $2', ({ abroad }) => abroad.tenantId)],
  [
    "the tenant's longest life",
    ({ attacker, scene }) =>
      attacker.write('update tenant set token_ttl_max = $2 where tenant_id = $1', [scene.tenantId, longLife]),
  ],
  [
    'all of it at once',
    async (at) => {
      await onApp('grants = $2', wideGrants)(at);
      await onServer('released_claims = $2', () => '["name","email","phone"]')(at);
      await at.attacker.write('update tenant set token_ttl_max = $2 where tenant_id = $1', [
        at.scene.tenantId,
        longLife,
      ]);
    },
  ],
];
