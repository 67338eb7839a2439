import type { Attacker } from './attacker.ts';
import { insertKey, ownKey } from './own-keys.ts';
import type { Held, Scene } from './scene.ts';

/** Who is there when a row is attacked. */
export interface RowAttack {
  readonly attacker: Attacker;
  readonly scene: Scene;
  /** Another tenant. */
  readonly abroad: Scene;
  /** The attacker's own token, of low rights. */
  readonly own: Held;
  readonly victim: Held;
}

/** Does what its name says, to the row of the attacker's own token. */
export type NamedRowAttack = readonly [name: string, attack: (at: RowAttack) => Promise<unknown>];

const edit =
  (assignments: string, value?: (at: RowAttack) => unknown) =>
  (at: RowAttack): Promise<unknown> =>
    at.attacker.write(`update token set ${assignments} where id = $1`, value ? [at.own.id, value(at)] : [at.own.id]);

const ofVictim = (column: string) =>
  edit(`${column} = (select ${column} from token where id = $2)`, ({ victim }) => victim.id);

const methodNames = ['reference', 'encrypted', 'consent_key', 'signed', 'split', 'attenuable'];

/** The row of a token, turned into that of one that was made by another method. */
export const methodEdits = (method: string): readonly NamedRowAttack[] =>
  methodNames
    .filter((name) => name !== method.toLowerCase())
    .map((name) => [`method, to ${name}`, edit(`method = '${name}'`)]);

/** Each column that decides, changed to where the holder would get something from it. */
export const edits: readonly NamedRowAttack[] = [
  ['scopes', edit(`scopes = array['orders:read', 'orders:write']`)],
  ['audience', edit('audience = $2', ({ scene }) => scene.confidant.audience)],
  ['expires_at', edit(`expires_at = expires_at + interval '1 hour'`)],
  ['issued_at', edit(`issued_at = issued_at + interval '1 second'`)],
  ['tenant_id', edit('tenant_id = $2', ({ abroad }) => abroad.tenantId)],
  [
    'tenant_id and audience',
    (at) => edit(`tenant_id = $2, audience = '${at.abroad.audience}'`, ({ abroad }) => abroad.tenantId)(at),
  ],
  ['app_id', edit('app_id = $2', ({ scene }) => scene.appId)],
  ['user_handle', ofVictim('user_handle')],
  ['user_handle, removed', edit('user_handle = null')],
  ['consent_id', edit(`consent_id = 'consent-1'`)],
  ["consent_id, to the victim's", ofVictim('consent_id')],
  ['usage', edit(`usage = 'automation'`)],
  ['token_class', edit(`token_class = 'credential'`)],
  ['signing_key_id', edit(`signing_key_id = 'key-1'`)],
  [
    "signing_key_id, to a key of the attacker's",
    async (at) => {
      const own = ownKey();
      await insertKey(at.attacker, own, at.scene.tenantId);
      await edit('signing_key_id = $2', () => own.keyId)(at);
    },
  ],
  ['policy_version', edit('policy_version = 0')],
  ['confirmation', edit(`confirmation = '{}'`)],
  [
    'lineage',
    edit(`lineage = '[{"tokenId":"tok_x","sequence":1,"tenantId":"t","appId":null,"userHandle":null,"audience":"a"}]'`),
  ],
  ['sequence', edit('sequence = sequence + 1000000')],
  ['sealed', ofVictim('sealed')],
  ['seal_key_id', edit('seal_key_id = 2')],
  ['expiry_day, which moves it to another partition', edit('expiry_day = expiry_day + 1')],
  ['expiry_day and expires_at', edit(`expiry_day = expiry_day + 1, expires_at = expires_at + interval '1 day'`)],
  ['id', edit(`id = gen_random_uuid()`)],
];

/** A copy of one row under another id, over whatever was there. */
async function copy({ attacker }: RowAttack, from: string, to: string, changes: object = {}): Promise<void> {
  await attacker.write('delete from token where id = $1', [to]);
  await attacker.write('insert into token select (jsonb_populate_record(t, $2)).* from token t where id = $1', [
    from,
    JSON.stringify({ ...changes, id: to }),
  ]);
}

/** Rows made out of others, for the holder's own string to find. */
export const forgeries: readonly NamedRowAttack[] = [
  ["the victim's row under the holder's id", (at) => copy(at, at.victim.id, at.own.id)],
  [
    "the victim's row under the holder's id, with the holder's seal",
    async (at) => {
      const { sealed } = await at.attacker.read<{ sealed: Buffer }>('select sealed from token where id = $1', [
        at.own.id,
      ]);
      await copy(at, at.victim.id, at.own.id);
      await at.attacker.write('update token set sealed = $2 where id = $1', [at.own.id, sealed]);
    },
  ],
  [
    "the victim's scopes and seal in the holder's row",
    async (at) => {
      await ofVictim('scopes')(at);
      await ofVictim('sealed')(at);
    },
  ],
  ["the holder's row with an empty seal", edit(`sealed = ''`)],
  ["the holder's row with a seal of zeros", edit(`sealed = decode(repeat('00', 64), 'hex')`)],
];
