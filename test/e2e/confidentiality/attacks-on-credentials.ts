import { type Clients, unique } from '../../harness/world.ts';
import type { RowAttack } from './attacks-on-rows.ts';

/** A credential of few rights, and what its holder makes of its row. */
export interface NamedCredentialAttack {
  readonly name: string;
  attack(at: RowAttack): Promise<unknown>;
  /** What the holder must not get by it. */
  gain(own: Clients, at: RowAttack): Promise<unknown>;
}

const edit =
  (assignments: string, value?: (at: RowAttack) => unknown) =>
  (at: RowAttack): Promise<unknown> =>
    at.attacker.write(`update token set ${assignments} where id = $1`, value ? [at.own.id, value(at)] : [at.own.id]);

const issueForUser: NamedCredentialAttack['gain'] = (own, { scene }) => own.issuer.issueToken(scene.request());
const register: NamedCredentialAttack['gain'] = (own, { scene }) =>
  own.registry.createResourceServer({
    resourceServer: { audience: unique('api'), tenantId: scene.tenantId, scopes: [{ name: 'x' }] },
  });
const revokeTenant: NamedCredentialAttack['gain'] = (own, { scene: { tenantId } }) =>
  own.revocation.revokeTokens({
    target: { target: { case: 'tenant', value: { tenantId } } },
    reason: 'x',
    idempotencyKey: unique('incident'),
  });

const operatorScopes = `array['registry:write','tokens:revoke','tokens:issue','tokens:issue:self','tokens:validate']`;
const operatorRow = `(select id from token where token_class = 'credential' and 'registry:write' = any(scopes) limit 1)`;

/** The row of an app's credential, changed to where it would be another's. */
export const credentialAttacks: readonly NamedCredentialAttack[] = [
  { name: 'more scopes, to issue for users', attack: edit(`scopes = array['tokens:issue']`), gain: issueForUser },
  { name: "an operator's scopes, to register", attack: edit(`scopes = ${operatorScopes}`), gain: register },
  { name: "an operator's scopes, to revoke", attack: edit(`scopes = ${operatorScopes}`), gain: revokeTenant },
  {
    name: "an operator's seal and scopes",
    attack: edit(`(scopes, sealed) = (select scopes, sealed from token where id = ${operatorRow})`),
    gain: register,
  },
  {
    name: "an operator's row under its id",
    attack: async ({ attacker, own }) => {
      await attacker.write('delete from token where id = $1', [own.id]);
      await attacker.write(
        `insert into token select (jsonb_populate_record(t, jsonb_build_object('id', $1::text))).* from token t where id = ${operatorRow}`,
        [own.id],
      );
    },
    gain: register,
  },
  {
    name: 'the row of a token turned into that of a credential',
    attack: ({ attacker, own, victim }) =>
      attacker.write(
        `update token set token_class = 'credential', audience = 'touchstone', scopes = ${operatorScopes} where id in ($1, $2)`,
        [own.id, victim.id],
      ),
    gain: register,
  },
];
