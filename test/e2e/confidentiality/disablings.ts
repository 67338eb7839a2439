import type { Attacker } from './attacker.ts';
import type { Scene } from './scene.ts';

/** Something that is disabled, and an attacker who says that it is not. */
export interface NamedDisabling {
  readonly name: string;
  disable(scene: Scene): Promise<unknown>;
  undo(attacker: Attacker, scene: Scene): Promise<unknown>;
}

const undo =
  (table: string, id: string, of: (scene: Scene) => string): NamedDisabling['undo'] =>
  (attacker, scene) =>
    attacker.write(`update ${table} set disabled_revision = null where ${id} = $1`, [of(scene)]);

export const disablings: readonly NamedDisabling[] = [
  {
    name: 'an app',
    disable: ({ operator, appId }) => operator.registry.disableApp({ appId, reason: 'gone' }),
    undo: undo('app', 'app_id', ({ appId }) => appId),
  },
  {
    name: 'a resource server',
    disable: ({ operator, audience }) => operator.registry.disableResourceServer({ audience, reason: 'gone' }),
    undo: undo('resource_server', 'audience', ({ audience }) => audience),
  },
  {
    name: 'a tenant',
    disable: ({ operator, tenantId }) => operator.registry.disableTenant({ tenantId, reason: 'gone' }),
    undo: undo('tenant', 'tenant_id', ({ tenantId }) => tenantId),
  },
];
