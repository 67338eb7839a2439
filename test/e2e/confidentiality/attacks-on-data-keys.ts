import type { Attacker } from './attacker.ts';

export interface NamedDataKeyAttack {
  readonly name: string;
  attack(attacker: Attacker): Promise<unknown>;
  /** A replica that starts now: it begins, or never says that it is ready. */
  readonly fresh: 'begins' | 'does not begin';
  /** What it answers, where it begins, to who shows it a token that takes the key of a consent. */
  readonly consentKey?: 'active' | 'Unavailable' | 'NOT_HONOURED';
}

const run =
  (...statements: readonly string[]) =>
  async (attacker: Attacker): Promise<void> => {
    for (const statement of statements) await attacker.write(statement);
  };

/** Data keys exchanged for what the attacker has, or has seen. */
export const dataKeyAttacks: readonly NamedDataKeyAttack[] = [
  {
    name: 'all are wrapped by the attacker',
    attack: run(`update data_key set wrapped = sha256(wrapped) || wrapped`),
    fresh: 'does not begin',
  },
  {
    name: 'all say that another key encryption wrapped them',
    attack: run(`update data_key set key_encryption_id = 'file:0123456789abcdef'`),
    fresh: 'does not begin',
  },
  {
    name: 'that of consents is taken for that of the installation',
    attack: run(
      `update data_key set wrapped = (select wrapped from data_key where purpose = 'consent') where purpose = 'installation'`,
    ),
    fresh: 'does not begin',
  },
  {
    name: 'that of consents, its id included, is taken for that of the installation',
    attack: run(
      `delete from data_key where purpose = 'installation'`,
      `update data_key set purpose = 'installation' where purpose = 'consent'`,
    ),
    fresh: 'does not begin',
  },
  {
    name: 'a later one of the installation is inserted',
    attack: run(
      `insert into data_key select 'later', purpose, key_encryption_id, wrapped, generation + 1, now() from data_key where purpose = 'installation'`,
    ),
    fresh: 'does not begin',
  },
  { name: 'all are gone', attack: run('delete from data_key'), fresh: 'does not begin' },
  {
    name: 'that of consents is wrapped by the attacker',
    attack: run(`update data_key set wrapped = sha256(wrapped) || wrapped where purpose = 'consent'`),
    fresh: 'begins',
    consentKey: 'Unavailable',
  },
  {
    name: 'that of signing keys is taken for that of consents',
    attack: run(
      `update data_key set wrapped = (select wrapped from data_key where purpose = 'signing') where purpose = 'consent'`,
    ),
    fresh: 'begins',
    consentKey: 'Unavailable',
  },
  {
    name: 'that of consents is gone',
    attack: run(`delete from data_key where purpose = 'consent'`),
    fresh: 'begins',
    consentKey: 'NOT_HONOURED',
  },
  {
    name: 'that of signing keys is wrapped by the attacker: who only verifies needs none',
    attack: run(`update data_key set wrapped = sha256(wrapped) || wrapped where purpose = 'signing'`),
    fresh: 'begins',
    consentKey: 'active',
  },
];
