import { randomBytes } from 'node:crypto';
import type { Attacker } from './attacker.ts';
import { insertKey, type OwnKey } from './own-keys.ts';
import type { Scene } from './scene.ts';

export interface KeyAttack {
  readonly attacker: Attacker;
  /** A tenant with keys that sign. */
  readonly scene: Scene;
  /** Another one. */
  readonly abroad: Scene;
  /** The key that signs there. */
  readonly activeId: string;
  /** The attacker's own. */
  readonly own: OwnKey;
}

export interface NamedKeyAttack {
  readonly name: string;
  attack(at: KeyAttack): Promise<unknown>;
  /** What is answered afterwards: to who asks for a token that takes a key, and to who rotates the keys. */
  readonly issuing: string;
  readonly rotating: string;
}

const madeUpMac = { mac: '00'.repeat(32) };

/** Changes the row of the key that signs. */
const onActive =
  (assignments: string, value: (at: KeyAttack) => unknown) =>
  (at: KeyAttack): Promise<unknown> =>
    at.attacker.write(`update signing_key set ${assignments} where signing_key_id = $1`, [at.activeId, value(at)]);

/** Takes a key of the tenant's away from where it is; the attacker's own comes there. */
const inPlaceOf =
  (state: 'active' | 'next') =>
  async ({ attacker, own, scene: { tenantId } }: KeyAttack): Promise<void> => {
    await attacker.write(
      `update signing_key set state = 'retired', retired_at = now() where tenant_id = $1 and state = $2`,
      [tenantId, state],
    );
    await insertKey(attacker, own, tenantId, { state, retired_at: null, activated_at: new Date() });
  };

const goesOn = { issuing: 'ok', rotating: 'ok' } as const;
// A fault of ours, for nobody else should write there; what matters is that nothing is signed.
const unopened = { issuing: 'Internal INTERNAL', rotating: 'ok' } as const;

/** What the attacker may do to the keys of a tenant so that one of his own is taken for theirs. */
export const keyAttacks: readonly NamedKeyAttack[] = [
  {
    name: 'a key of his own is inserted, with the mac of another',
    attack: ({ attacker, own, scene }) => insertKey(attacker, own, scene.tenantId),
    ...goesOn,
  },
  {
    name: 'a key of his own is inserted, with a mac that he made up',
    attack: ({ attacker, own, scene }) => insertKey(attacker, own, scene.tenantId, madeUpMac),
    ...goesOn,
  },
  {
    name: 'a key of his own is inserted under the id of the key that signs, whose row goes',
    attack: async ({ attacker, own, scene, activeId }) => {
      await insertKey(attacker, own, scene.tenantId);
      await attacker.write('delete from signing_key where signing_key_id = $1', [activeId]);
      await attacker.write(
        `update signing_key set signing_key_id = $2, state = 'active', retired_at = null where signing_key_id = $1`,
        [own.keyId, activeId],
      );
    },
    ...goesOn,
  },
  // The key that was to be next signs, for the one in this place is not believed.
  { name: 'a key of his own is the one that signs', attack: inPlaceOf('active'), ...goesOn },
  {
    name: "the public key of the one that signs is the attacker's",
    attack: onActive('public_jwk = $2', ({ own }) => own.publicJwk),
    ...goesOn,
  },
  {
    name: 'the algorithm of the one that signs is another',
    attack: onActive('algorithm = $2', () => 'ES256'),
    ...goesOn,
  },
  {
    name: 'the key that signs is made to be of another tenant',
    attack: async (at) => {
      await at.attacker.write(`update signing_key set state = 'retired' where tenant_id = $1 and state = 'active'`, [
        at.abroad.tenantId,
      ]);
      await onActive('tenant_id = $2', ({ abroad }) => abroad.tenantId)(at);
    },
    ...goesOn,
  },
  {
    name: 'the private key of the one that signs is wrapped by the attacker',
    attack: onActive('wrapped = $2', () => randomBytes(160)),
    ...unopened,
  },
  {
    name: "the private key of the one that signs is another tenant's",
    attack: onActive(
      `wrapped = (select wrapped from signing_key where tenant_id = $2 and state = 'active' limit 1)`,
      ({ abroad }) => abroad.tenantId,
    ),
    ...unopened,
  },
  {
    name: "the private key of the one that signs is the next one's",
    attack: onActive(
      `wrapped = (select wrapped from signing_key where tenant_id = $2 and state = 'next')`,
      ({ scene }) => scene.tenantId,
    ),
    ...unopened,
  },
  {
    name: 'the data key of the one that signs is one that is not there',
    attack: onActive('data_key_id = $2', () => 'elsewhere'),
    ...unopened,
  },
];

export interface NamedKeyRevival {
  readonly name: string;
  attack(at: Pick<KeyAttack, 'attacker' | 'scene' | 'activeId'>, dumped: string): Promise<unknown>;
}

/** Says of a revoked key that it has not been revoked. */
export const keyRevivals: readonly NamedKeyRevival[] = [
  {
    name: 'it is said not to be revoked',
    attack: ({ attacker, activeId }) =>
      attacker.write('update signing_key set disabled_revision = null where signing_key_id = $1', [activeId]),
  },
  {
    name: 'it is said to have been retired just now',
    attack: ({ attacker, activeId }) =>
      attacker.write(
        `update signing_key set disabled_revision = null, state = 'retired', retired_at = now() where signing_key_id = $1`,
        [activeId],
      ),
  },
  {
    name: 'its row is put back from a dump',
    attack: async ({ attacker, activeId }, dumped) => {
      await attacker.write('delete from signing_key where signing_key_id = $1', [activeId]);
      await attacker.write(`insert into signing_key select * from ${dumped}.signing_key where signing_key_id = $1`, [
        activeId,
      ]);
    },
  },
];
