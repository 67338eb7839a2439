import { type Clients, unique } from '../../harness/world.ts';
import type { Attacker } from './attacker.ts';
import { revocations } from './revivals.ts';
import { type Held, held, type Scene } from './scene.ts';

/** A token that is about to be revoked. */
export interface Deception {
  readonly attacker: Attacker;
  readonly scene: Scene;
  /** Another tenant, and an operator of both. */
  readonly abroad: Scene;
  readonly both: Clients;
  readonly victim: Held;
}

/**
 * What the attacker changes so that a revocation that is still to come misses the token, and what he puts right
 * afterwards. That the revocation fails is no success of his: whoever revokes learns of it.
 */
export interface NamedDeception {
  readonly name: string;
  /** @returns the token that is to survive, where it is not the victim. */
  prepare(at: Deception): Promise<Held | undefined>;
  revoke(at: Deception): Promise<unknown>;
  putRight(at: Deception): Promise<unknown>;
}

const nothing = async (): Promise<void> => {};
const idempotencyKey = unique('incident-of-today');

/** Makes a revocation up out of one that there was, of somebody else: it says that the target is dead already. */
async function makeUp({ attacker, scene }: Deception, changes: object): Promise<undefined> {
  await revocations.appUser({ ...scene, appId: scene.lowApp });
  const made = {
    revocation_id: unique('rvk_made-up'),
    ceiling: null,
    include_credentials: true,
    idempotency_key: null,
  };
  await attacker.write(
    `insert into revocation select (jsonb_populate_record(v, $2)).* from revocation v
      where tenant_id = $1 order by revision desc limit 1`,
    [scene.tenantId, JSON.stringify({ ...made, ...changes })],
  );
}

/** Known limits (docs/decisions/0002): only the owner of the database can do this. */
export const limits: readonly NamedDeception[] = [
  {
    name: 'the sequence is set back, so that the ceiling is low',
    prepare: async ({ attacker }) => void (await attacker.write(`select setval('token_sequence', 1)`)),
    revoke: ({ scene }) => revocations.user(scene),
    putRight: ({ attacker }) =>
      attacker.write(`select setval('token_sequence', (select max(sequence) from token where sequence < 1000000000))`),
  },
  {
    name: 'the sequence is set far ahead while the token is issued, and back',
    async prepare({ attacker, scene }) {
      const { now } = await attacker.read<{ now: string }>('select last_value as now from token_sequence');
      await attacker.write(`select setval('token_sequence', 1000000000000)`);
      const token = held(await scene.issue({ userId: 'grace' }));
      await attacker.write(`select setval('token_sequence', $1)`, [now]);
      return token;
    },
    revoke: ({ scene }) => revocations.user(scene),
    putRight: nothing,
  },
];

export const deceptions: readonly NamedDeception[] = [
  {
    name: 'nothing was changed (the control)',
    prepare: async () => undefined,
    revoke: ({ scene }) => revocations.user(scene),
    putRight: nothing,
  },
  {
    name: "the token's row is hidden from RevokeToken",
    prepare: async ({ attacker, victim }) => {
      await attacker.write('create table if not exists hidden (like token)');
      await attacker.write(
        'with gone as (delete from token where id = $1 returning *) insert into hidden select * from gone',
        [victim.id],
      );
      return undefined;
    },
    revoke: ({ scene, victim }) => revocations.token(scene, victim),
    putRight: async ({ attacker }) => {
      await attacker.write('insert into token select * from hidden');
      await attacker.write('drop table hidden');
    },
  },
  {
    name: "the token's row says that it is a credential while RevokeToken reads it",
    prepare: async ({ attacker, victim }) =>
      void (await attacker.write(`update token set token_class = 'credential' where id = $1`, [victim.id])),
    revoke: ({ scene, victim }) => revocations.token(scene, victim),
    putRight: ({ attacker, victim }) =>
      attacker.write(`update token set token_class = 'token' where id = $1`, [victim.id]),
  },
  {
    name: "the token's row says that it is a refresh token of another family while RevokeToken reads it",
    async prepare({ attacker, scene, victim }) {
      const { tokenId } = held(await scene.issue({ userId: 'grace' }));
      await attacker.write(
        `update token set audience = 'touchstone:refresh', lineage = jsonb_build_array(jsonb_build_object('tokenId', $2::text))
          where id = $1`,
        [victim.id, tokenId],
      );
      return undefined;
    },
    revoke: ({ scene, victim }) => revocations.token(scene, victim),
    putRight: ({ attacker, scene, victim }) =>
      attacker.write('update token set audience = $2, lineage = null where id = $1', [victim.id, scene.audience]),
  },
  {
    name: 'a made-up revocation says that the token is dead already',
    prepare: (at) => makeUp(at, { target_kind: 'token', target_key: at.victim.tokenId }),
    revoke: ({ scene, victim }) => revocations.token(scene, victim),
    putRight: nothing,
  },
  {
    name: 'a made-up revocation has the idempotency key of an incident',
    prepare: (at) =>
      makeUp(at, {
        target_kind: 'app',
        target_key: at.scene.appId,
        idempotency_key: idempotencyKey,
        request_text: JSON.stringify(['app', at.scene.appId, false, 'test']),
      }),
    revoke: ({ scene: { operator, appId } }) =>
      operator.revocation.revokeTokens({
        target: { target: { case: 'app', value: { appId } } },
        reason: 'test',
        idempotencyKey,
      }),
    putRight: nothing,
  },
  {
    name: 'a made-up revocation says that the app is disabled already',
    prepare: (at) => makeUp(at, { target_kind: 'app', target_key: at.scene.appId }),
    revoke: ({ scene }) => scene.operator.registry.disableApp({ appId: scene.appId, reason: 'gone' }),
    putRight: nothing,
  },
  {
    name: 'the app belongs to another tenant while an operator of both revokes a user of it',
    prepare: async ({ attacker, scene, abroad }) =>
      void (await attacker.write('update app set tenant_id = $2 where app_id = $1', [scene.appId, abroad.tenantId])),
    revoke: ({ scene, both }) => revocations.appUser({ ...scene, operator: both }),
    putRight: ({ attacker, scene }) =>
      attacker.write('update app set tenant_id = $2 where app_id = $1', [scene.appId, scene.tenantId]),
  },
  {
    name: 'a trigger swallows the revision',
    prepare: async ({ attacker }) => {
      await attacker.write(
        'create or replace function swallow() returns trigger language plpgsql as $$ begin return null; end $$',
      );
      for (const table of ['revision', 'history', 'revocation', 'watermark']) {
        await attacker.write(
          `create trigger swallow before insert or update on ${table} for each row execute function swallow()`,
        );
      }
      return undefined;
    },
    revoke: ({ scene }) => revocations.user(scene),
    putRight: async ({ attacker }) => {
      await attacker.write('drop function swallow cascade');
    },
  },
];
