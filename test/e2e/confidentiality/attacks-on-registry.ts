import type { Attacker } from './attacker.ts';
import type { Scene } from './scene.ts';

export interface RegistryAttack {
  readonly attacker: Attacker;
  readonly scene: Scene;
  readonly abroad: Scene;
}

export type NamedRegistryAttack = readonly [name: string, attack: (at: RegistryAttack) => Promise<unknown>];

/** The part of the entry that is changed, or all of it with its mac. */
const edited = (field: string): string => `entry = jsonb_set(entry::jsonb, '{${field}}', $2)::text`;

const onApp =
  (assignments: string, value: (at: RegistryAttack) => unknown) =>
  (at: RegistryAttack): Promise<unknown> =>
    at.attacker.write(`update app set ${assignments} where app_id = $1`, [at.scene.lowApp, value(at)]);

const onServer =
  (assignments: string, value: (at: RegistryAttack) => unknown) =>
  (at: RegistryAttack): Promise<unknown> =>
    at.attacker.write(`update resource_server set ${assignments} where audience = $1`, [at.scene.audience, value(at)]);

const onTenant = ({ attacker, scene }: RegistryAttack): Promise<unknown> =>
  attacker.write(`update tenant set ${edited('tokenTtlMax')} where tenant_id = $1`, [scene.tenantId, longLife]);

const wideGrants = ({ scene }: RegistryAttack): string =>
  JSON.stringify([{ audience: scene.audience, scopes: ['orders:read', 'orders:write'] }]);
const longLife = '7776000';
const moreScopes = JSON.stringify(
  ['orders:read', 'orders:write', 'orders:all'].map((name) => ({
    name,
    description: '',
    sensitivity: 'normal',
    tokenTtlMax: null,
  })),
);
const moreClaims = '["name","email","phone"]';

/** Entries changed to where the low app, or the resource server, would get more than it was given. */
export const registryAttacks: readonly NamedRegistryAttack[] = [
  ["the app's grants", onApp(edited('grants'), wideGrants)],
  [
    "the app's entry and mac, from another app",
    onApp('(entry, mac) = (select entry, mac from app where app_id = $2)', ({ scene }) => scene.appId),
  ],
  ["the app's longest life", onApp(edited('tokenTtlMax'), () => longLife)],
  ["the app's tenant", onApp('tenant_id = $2', ({ abroad }) => abroad.tenantId)],
  [
    "the app's tenant, in its entry, too",
    (at) =>
      onApp(
        `tenant_id = $2, entry = jsonb_set(entry::jsonb, '{tenantId}', to_jsonb($2::text))::text`,
        () => at.abroad.tenantId,
      )(at),
  ],
  [
    'another app under its id',
    async ({ attacker, scene }) => {
      await attacker.write('delete from app where app_id = $1', [scene.lowApp]);
      await attacker.write('update app set app_id = $2 where app_id = $1', [scene.appId, scene.lowApp]);
    },
  ],
  ["the resource server's scopes", onServer(edited('scopes'), () => moreScopes)],
  ["the resource server's released claims", onServer(edited('releasedClaims'), () => moreClaims)],
  [
    "the resource server's entry and mac, from another one",
    onServer(
      '(entry, mac) = (select entry, mac from resource_server where audience = $2)',
      ({ scene }) => scene.confidant.audience,
    ),
  ],
  ["the resource server's longest life", onServer(edited('tokenTtlMax'), () => longLife)],
  ["the resource server's tenant", onServer('tenant_id = $2', ({ abroad }) => abroad.tenantId)],
  ["the tenant's longest life", onTenant],
  [
    'all of it at once',
    async (at) => {
      await onApp(edited('grants'), wideGrants)(at);
      await onServer(edited('releasedClaims'), () => moreClaims)(at);
      await onTenant(at);
    },
  ],
];
