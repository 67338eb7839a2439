import type pg from 'pg';

/** What decides about tokens; the partitions of `token` come with it. */
const tables = [
  'history',
  'revision',
  'revocation',
  'watermark',
  'tenant',
  'resource_server',
  'app',
  'data_key',
  'signing_key',
  'consent',
  'consent_key',
  'token',
] as const;
export type Table = (typeof tables)[number];

/** What the database held at one time: a dump. */
export interface Loot {
  readonly schema: string;
}

/**
 * Someone who has read everything in the database and may write anything there, in whatever order and against every
 * constraint; without the master key.
 */
export interface Attacker {
  /** Runs a statement. @returns how many rows it wrote or read. @throws when it did nothing: no attack at all. */
  write(text: string, values?: readonly unknown[]): Promise<number>;
  /** The first row, by column. */
  read<Row extends object = Record<string, never>>(text: string, values?: readonly unknown[]): Promise<Row>;
  /** Dumps all tables that decide about tokens. */
  dump(): Promise<Loot>;
  /** Puts tables back to what they were, in one transaction. */
  putBack(loot: Loot, which?: readonly Table[]): Promise<void>;
  /** Puts one token's row back; one that is there goes. */
  putRowBack(loot: Loot, id: string): Promise<void>;
}

export async function openAttacker(client: pg.Client): Promise<Attacker> {
  // Neither foreign keys nor triggers stand in the way.
  await client.query('set session_replication_role = replica');
  let dumps = 0;

  async function write(text: string, values: readonly unknown[] = []): Promise<number> {
    const { rowCount, command } = await client.query(text, [...values]);
    const isDefinition = /^(create|alter|drop|grant|revoke)/i.test(command);
    if (!rowCount && !isDefinition) throw new Error(`this changed nothing: ${text}`);
    return rowCount ?? 0;
  }

  async function inTransaction(statements: readonly string[]): Promise<void> {
    await client.query('begin');
    for (const statement of statements) await client.query(statement);
    await client.query('commit');
  }

  return {
    write,
    async read(text, values = []) {
      const { rows } = await client.query(text, [...values]);
      if (rows.length === 0) throw new Error(`this found nothing: ${text}`);
      return rows[0];
    },
    async dump() {
      const schema = `loot_${++dumps}`;
      const copies = tables.map((table) => `create table ${schema}.${table} as table touchstone.${table}`);
      await inTransaction(['set transaction isolation level repeatable read', `create schema ${schema}`, ...copies]);
      return { schema };
    },
    async putBack({ schema }, which = tables) {
      await inTransaction(
        which.flatMap((table) => [
          `delete from touchstone.${table}`,
          `insert into touchstone.${table} select * from ${schema}.${table}`,
        ]),
      );
    },
    async putRowBack({ schema }, id) {
      await client.query('delete from touchstone.token where id = $1', [id]);
      await write(`insert into touchstone.token select * from ${schema}.token where id = $1`, [id]);
    },
  };
}
