import { randomBytes } from 'node:crypto';
import { TokenMethod } from '@touchstone/contracts';
import type { Attacker } from './attacker.ts';
import type { Scene } from './scene.ts';

/** Where a consent is attacked: user mallory has permitted an app to read, for a while. */
export interface ConsentAttack {
  readonly attacker: Attacker;
  readonly scene: Scene;
  readonly abroad: Scene;
  /** Mallory's consent to the app that may have everything, and one that ended after a second. */
  readonly consentId: string;
  readonly endedId: string;
}

export interface NamedConsentAttack {
  readonly name: string;
  attack(at: ConsentAttack): Promise<unknown>;
  /** What the attacker then asks for, and what he is answered. */
  gain(at: ConsentAttack): Promise<unknown>;
  readonly answer: string;
}

const set =
  (assignments: string, value: (at: ConsentAttack) => unknown, of: 'consentId' | 'endedId' = 'consentId') =>
  (at: ConsentAttack): Promise<unknown> =>
    at.attacker.write(`update consent set ${assignments} where consent_id = $1`, [at[of], value(at)]);

const issue =
  (over: (at: ConsentAttack) => Record<string, unknown> = () => ({})) =>
  (at: ConsentAttack): Promise<unknown> =>
    at.scene.issue({ appId: at.scene.manyApp, userId: 'mallory', consentId: at.consentId, ...over(at) });

const write = issue(() => ({ scopes: ['orders:write'] }));
const wide = ({ scene }: ConsentAttack) =>
  JSON.stringify([{ audience: scene.audience, scopes: ['orders:read', 'orders:write'] }]);
const unknown = 'NotFound CONSENT_UNKNOWN';
// As where its key is moved meanwhile; what matters is that nothing is issued.
const unopened = 'Unavailable STORE_UNAVAILABLE';
// A fault of ours, for nobody else should write there.
const keyless = 'Internal INTERNAL';

const consentKeyToken = issue(() => ({ method: TokenMethod.CONSENT_KEY }));
const victims = ({ scene }: ConsentAttack) => scene.consents.victim;

/** A consent changed to where it would permit more than the user did. */
export const consentAttacks: readonly NamedConsentAttack[] = [
  { name: 'its grants', attack: set('grants = $2', wide), gain: write, answer: unknown },
  {
    name: 'its grants and mac, from another consent',
    attack: set('(grants, mac) = (select grants, mac from consent where consent_id = $2)', victims),
    gain: write,
    answer: unknown,
  },
  {
    name: 'the row of another consent under its id',
    attack: async ({ attacker, consentId, scene }) => {
      await attacker.write('delete from consent where consent_id = $1', [consentId]);
      await attacker.write(
        `insert into consent select (jsonb_populate_record(c, jsonb_build_object('consent_id', $1::text, 'idempotency_key', $1::text))).*
           from consent c where consent_id = $2`,
        [consentId, scene.consents.victim],
      );
    },
    gain: issue(() => ({ userId: 'grace' })),
    answer: unknown,
  },
  {
    name: 'its end',
    attack: set(`expires_at = now() + $2::interval`, () => '1 hour', 'endedId'),
    gain: issue(({ endedId }) => ({ consentId: endedId })),
    answer: unknown,
  },
  {
    name: 'its beginning',
    attack: set(`recorded_at = now() + $2::interval`, () => '1 hour', 'endedId'),
    gain: issue(({ endedId }) => ({ consentId: endedId })),
    answer: unknown,
  },
  {
    name: 'its user',
    attack: set('user_handle = (select user_handle from consent where consent_id = $2)', victims),
    gain: issue(() => ({ userId: 'grace' })),
    answer: unknown,
  },
  {
    name: 'its app',
    attack: set('app_id = $2', ({ scene }) => scene.lowApp),
    gain: issue(({ scene }) => ({ appId: scene.lowApp })),
    answer: unknown,
  },
  {
    name: 'its tenant',
    attack: set('tenant_id = $2', ({ abroad }) => abroad.tenantId),
    gain: (at) => at.abroad.issue({ appId: at.abroad.manyApp, userId: 'mallory', consentId: at.consentId }),
    answer: unknown,
  },
  { name: 'its mac', attack: set('mac = $2', () => '00'.repeat(32)), gain: issue(), answer: unknown },
  {
    name: 'its idempotency key, to where a consent that is recorded would be this one',
    attack: set('idempotency_key = $2', () => 'consent of tomorrow'),
    gain: ({ scene }) =>
      scene.consent({ appId: scene.manyApp, userId: 'mallory', idempotencyKey: 'consent of tomorrow' }),
    answer: 'FailedPrecondition IDEMPOTENCY_KEY_REUSED',
  },
  {
    name: 'its key, to one of his own',
    attack: ({ attacker, consentId }) =>
      attacker.write('update consent_key set wrapped = $2 where consent_id = $1', [consentId, randomBytes(60)]),
    gain: consentKeyToken,
    answer: unopened,
  },
  {
    name: "its key and another consent's, exchanged",
    attack: ({ attacker, consentId, scene }) =>
      attacker.write(
        `update consent_key k set wrapped = o.wrapped, data_key_id = o.data_key_id from consent_key o
          where k.consent_id = any($1) and o.consent_id = any($1) and o.consent_id <> k.consent_id`,
        [[consentId, scene.consents.victim]],
      ),
    gain: consentKeyToken,
    answer: unopened,
  },
  {
    name: 'its data key, to one that is not there',
    attack: ({ attacker, consentId }) =>
      attacker.write(`update consent_key set data_key_id = 'elsewhere' where consent_id = $1`, [consentId]),
    gain: consentKeyToken,
    answer: unopened,
  },
  {
    name: 'its key, which he deletes',
    attack: ({ attacker, consentId }) => attacker.write('delete from consent_key where consent_id = $1', [consentId]),
    gain: consentKeyToken,
    answer: keyless,
  },
];

/** Whoever has withdrawn a consent, and an attacker who has a dump from before. */
export interface NamedConsentRevival {
  readonly name: string;
  attack(attacker: Attacker, consentId: string, dumped: string): Promise<unknown>;
}

const notWithdrawn: NamedConsentRevival['attack'] = (attacker, consentId) =>
  attacker.write('update consent set disabled_revision = null where consent_id = $1', [consentId]);
const keyBack: NamedConsentRevival['attack'] = (attacker, consentId, dumped) =>
  attacker.write(`insert into consent_key select * from ${dumped}.consent_key where consent_id = $1`, [consentId]);

export const consentRevivals: readonly NamedConsentRevival[] = [
  { name: 'it is said not to be withdrawn', attack: notWithdrawn },
  { name: 'its key is put back', attack: keyBack },
  {
    name: 'its key is put back, and it is said not to be withdrawn',
    attack: async (attacker, consentId, dumped) => {
      await keyBack(attacker, consentId, dumped);
      await notWithdrawn(attacker, consentId, dumped);
    },
  },
  {
    name: 'its row and its key are put back',
    attack: async (attacker, consentId, dumped) => {
      await attacker.write('delete from consent where consent_id = $1', [consentId]);
      await attacker.write(`insert into consent select * from ${dumped}.consent where consent_id = $1`, [consentId]);
      await keyBack(attacker, consentId, dumped);
    },
  },
];
