import type { World } from '../../harness/world.ts';
import { unique } from '../../harness/world.ts';
import type { Attacker, Loot } from './attacker.ts';
import type { Held, Scene } from './scene.ts';

/** A token that has been revoked, and what the attacker has. */
export interface Revival {
  readonly attacker: Attacker;
  readonly scene: Scene;
  readonly victim: Held;
  /** A dump from before the revocation. */
  readonly before: Loot;
  /** A token that the attacker may revoke, as everyone may what he holds. */
  readonly own: Held;
}

export interface NamedRevival {
  readonly name: string;
  /** How the token was revoked. */
  readonly revoked: keyof typeof revocations;
  attack(at: Revival): Promise<unknown>;
}

const many = (world: World, target: object): Promise<unknown> =>
  world.operator.revocation.revokeTokens({
    target: { target } as never,
    reason: 'test',
    idempotencyKey: unique('incident'),
  });

/** The ways in which a token is revoked. */
export const revocations = {
  token: (world: World, { token }: Held): Promise<unknown> =>
    world.operator.revocation.revokeToken({ tokenOrId: { case: 'token', value: token }, reason: 'test' }),
  user: (world: World): Promise<unknown> =>
    many(world, { case: 'user', value: { tenantId: world.tenantId, userId: 'grace' } }),
  appUser: (world: World): Promise<unknown> =>
    many(world, { case: 'appUser', value: { appId: world.appId, userId: 'grace' } }),
  app: (world: World): Promise<unknown> => many(world, { case: 'app', value: { appId: world.appId } }),
  tenant: (world: World): Promise<unknown> => many(world, { case: 'tenant', value: { tenantId: world.tenantId } }),
} as const;

const run =
  (...statements: readonly string[]) =>
  async ({ attacker }: Revival): Promise<void> => {
    for (const statement of statements) await attacker.write(statement);
  };

const last = '(select max(revision) from revision)';
const noMark = `delete from watermark where (ceiling is null or ceiling > 0)`;

/** What could bring a revoked token back to life. */
export const revivals: readonly NamedRevival[] = [
  {
    name: 'the row is put back from the dump',
    revoked: 'token',
    attack: ({ attacker, victim, before }) => attacker.putRowBack(before, victim.id),
  },
  {
    name: "the token's sequence is raised above the ceiling",
    revoked: 'user',
    attack: ({ attacker, victim }) =>
      attacker.write('update token set sequence = sequence + 1000000 where id = $1', [victim.id]),
  },
  {
    name: "the token's user handle is taken away",
    revoked: 'user',
    attack: ({ attacker, victim }) => attacker.write('update token set user_handle = null where id = $1', [victim.id]),
  },
  { name: 'the watermarks are deleted', revoked: 'user', attack: run(noMark) },
  {
    name: 'the watermark is lowered',
    revoked: 'user',
    attack: run('update watermark set ceiling = 1 where ceiling > 1'),
  },
  {
    name: 'an infinite watermark gets a ceiling',
    revoked: 'token',
    attack: run('update watermark set ceiling = 1 where ceiling is null'),
  },
  {
    name: 'the watermark is told to spare the token',
    revoked: 'tenant',
    attack: ({ attacker, victim }) =>
      attacker.write('update watermark set spared_token_id = $1, spared_ceiling = 0', [victim.tokenId]),
  },
  {
    name: "the watermark's target is another",
    revoked: 'app',
    attack: ({ attacker, scene }) =>
      attacker.write(`update watermark set key = key || '-other' where key = $1`, [scene.appId]),
  },
  {
    name: 'the watermark is for another class',
    revoked: 'appUser',
    attack: run(`update watermark set token_class = 'credential' where kind = 'app_user'`),
  },
  { name: 'the revocations are deleted', revoked: 'user', attack: run('delete from revocation') },
  {
    name: 'the revocations are lifted',
    revoked: 'user',
    attack: run(`update revocation set effect = 'lift', ceiling = 0, until = now()`),
  },
  {
    name: 'the last revision is deleted',
    revoked: 'user',
    attack: run(`delete from revision where revision = ${last}`),
  },
  { name: 'all revisions are deleted', revoked: 'user', attack: run('delete from revision') },
  {
    name: 'the last revision is made to say what the one before said',
    revoked: 'user',
    attack: run(
      `update revision set content = (select content from revision order by revision desc limit 1 offset 1) where revision = ${last}`,
    ),
  },
  {
    name: "the head is the dump's, and the revision gone",
    revoked: 'user',
    attack: async ({ attacker, before }) => {
      await attacker.putBack(before, ['history', 'revision']);
    },
  },
  { name: "the head's number is lowered", revoked: 'user', attack: run('update history set revision = revision - 1') },
  { name: "the head's number is raised", revoked: 'user', attack: run('update history set revision = revision + 5') },
  { name: 'the head is gone', revoked: 'user', attack: run('delete from history') },
  {
    name: "the watermarks are the dump's",
    revoked: 'user',
    attack: ({ attacker, before }) => attacker.putBack(before, ['watermark']),
  },
  {
    name: "the watermarks and their digest are the dump's",
    revoked: 'user',
    attack: async ({ attacker, before }) => {
      await attacker.putBack(before, ['watermark']);
      await attacker.write(`update history set digest = (select digest from ${before.schema}.history)`);
    },
  },
  {
    name: "the watermarks and their digest are the dump's, and a revocation of the attacker's own token seals them",
    revoked: 'user',
    attack: async ({ attacker, before, scene, own }) => {
      await attacker.putBack(before, ['watermark']);
      await attacker.write(`update history set digest = (select digest from ${before.schema}.history)`);
      // Refused or not: it may be that the service notices.
      await scene.app.revocation.revokeToken({ tokenOrId: { case: 'token', value: own.token } }).catch(() => undefined);
    },
  },
  {
    name: "the service's database login may do everything",
    revoked: 'user',
    attack: run(
      'alter role touchstone_validator_login superuser',
      'grant all on all tables in schema touchstone to touchstone_validator',
      noMark,
    ),
  },
];
