import type { Writable } from 'node:stream';
import { StoreUnavailable } from '@touchstone/core';
import pg from 'pg';

export interface DatabaseOptions {
  /** A postgres:// URL; its role is a login that has been granted one of the touchstone_* roles. */
  readonly url: string;
  /** Shown by the server beside each connection. */
  readonly applicationName: string;
  /** The most connections. */
  readonly connectionsMax: number;
  /** What happens to connections, for the log. */
  readonly onError?: (error: Error) => void;
}

/** Milliseconds. A statement that takes longer is given up: its caller must not wait for ever. */
export const statementMilliseconds = 5_000;
/** How much later its answer may come. */
const answerMilliseconds = 1_000;
const connectMilliseconds = 2_000;
const closeMilliseconds = 1_000;

const types = new pg.TypeOverrides();
// Sequences and revisions stay far below 2^53.
types.setTypeParser(pg.types.builtins.INT8, Number);

export type Row = readonly unknown[];

/** One statement; with a name it is prepared once a connection. */
export interface Statement {
  readonly name?: string;
  readonly text: string;
  readonly values?: readonly unknown[];
}

/** Runs a statement and returns its rows as arrays. @throws StoreUnavailable, StatementRefused */
export type Query = (statement: Statement) => Promise<Row[]>;

/** The tenants whose rows are seen and written; `*`: all of them, where the database lets that be. */
export type ActingFor = readonly string[] | '*';

/** What is of tenants: of those that were named, and of no other. */
export interface TenantRows {
  /** Reads. */
  readonly query: Query;
  /**
   * Commits what `work` did, or nothing of it. Where it reads first, those reads are sent together with the beginning: what
   * it writes has to wait for what they tell.
   */
  transaction<Result>(work: (query: Query) => Promise<Result>, order?: 'reads first'): Promise<Result>;
}

/** The server took the statement and refused it, by its SQLSTATE: a constraint, a missing table. Stays in this package. */
export class StatementRefused extends Error {
  readonly sqlState: string;
  readonly constraint: string | undefined;
  constructor(error: pg.DatabaseError) {
    super(`statement refused: ${error.code}`, { cause: error });
    this.sqlState = error.code ?? '';
    this.constraint = error.constraint;
  }
}

export const insufficientPrivilege = '42501';
export const undefinedTable = '42P01';
export const undefinedColumn = '42703';
export const undefinedFunction = '42883';
export const uniqueViolation = '23505';
export const lockNotAvailable = '55P03';
export const queryCanceled = '57014';
const readOnlySqlTransaction = '25006';
export const objectNotInPrerequisiteState = '55000';

/** Whether the database lacks what a migration makes, or the login its role. */
export const isNotSetUp = (error: unknown): boolean =>
  error instanceof StatementRefused &&
  [insufficientPrivilege, undefinedTable, undefinedColumn, undefinedFunction].includes(error.sqlState);

export interface Database extends AsyncDisposable {
  /** Without it nothing that is of a tenant is seen or written: see migration 0031. */
  of(tenantIds: ActingFor): TenantRows;
  readonly query: Query;
  /** A statement that commits by itself. Once it resolves, what it wrote is safe wherever a commit must be. */
  readonly write: Query;
  /** Commits what `work` did, or nothing of it. */
  transaction<Result>(work: (query: Query) => Promise<Result>, mode?: 'repeatable read'): Promise<Result>;
  /**
   * A connection of its own, for locks and notifications that last, and for what takes longer; `close` ends it.
   * @param statementMillisecondsMax how long a statement may take until it is given up; 0: for ever.
   */
  connect(statementMillisecondsMax?: number): Promise<pg.Client>;
}

/**
 * Without the timeouts the server would keep working for a client that has gone; of one whose host has gone it would keep the
 * session, and the relay's lock with it, for two hours. On its warnings see `committed`.
 */
const session = {
  search_path: 'touchstone',
  timezone: 'UTC',
  client_min_messages: 'warning',
  statement_timeout: statementMilliseconds,
  idle_in_transaction_session_timeout: statementMilliseconds,
  lock_timeout: statementMilliseconds,
  tcp_keepalives_idle: 10,
  tcp_keepalives_interval: 5,
  tcp_keepalives_count: 3,
};

const optionsOf = (settings: Readonly<Record<string, string | number>>): string =>
  Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${value}`)
    .join(' ');

/** Opens a pool. Connects when first used: an absent server shows as StoreUnavailable then, and heals by itself. */
export function openDatabase({ url, applicationName, connectionsMax, onError }: DatabaseOptions): Database {
  const settings: pg.ClientConfig = {
    connectionString: withoutSession(url),
    application_name: applicationName,
    connectionTimeoutMillis: connectMilliseconds,
    query_timeout: statementMilliseconds + answerMilliseconds,
    types,
    // What is asked at once on one connection is sent at once, and answered in order.
    pipeline: true,
    options: optionsOf(session),
  };
  const pool = new pg.Pool({ ...settings, max: connectionsMax, idleTimeoutMillis: 60_000 });
  // A connection can break while it is in use, too; the pool tells of idle ones only, and takes them out.
  pool.on('connect', (client) => client.on('error', (error) => onError?.(error)));
  pool.on('error', () => undefined);

  return {
    of: (tenantIds) => ({
      query: (statement) => translated(() => readFor(pool, tenantIds, statement)),
      transaction: (work, order) => translated(() => inTransaction(pool, work, actingFor('begin', tenantIds), order)),
    }),
    // Not the pool's own, which gives up the connection with whatever is refused on it.
    query: (statement) => translated(() => onConnection(pool, (client) => run(client, statement))),
    write: (statement) => translated(() => writeOnce(pool, statement)),
    transaction: (work, mode) =>
      translated(() => inTransaction(pool, work, mode ? `begin isolation level ${mode}` : 'begin')),
    connect: (statementMillisecondsMax = statementMilliseconds) =>
      translated(async () => {
        const client = new pg.Client({
          ...settings,
          options: optionsOf({ ...session, statement_timeout: statementMillisecondsMax }),
          query_timeout: statementMillisecondsMax && statementMillisecondsMax + answerMilliseconds,
          keepAlive: true,
          keepAliveInitialDelayMillis: 10_000,
        });
        client.on('error', (error) => onError?.(error));
        await client.connect();
        return client;
      }),
    [Symbol.asyncDispose]: () => pool.end(),
  };
}

/** What a URL says goes before what is said beside it, and who looks for the services finds them by their names. */
function withoutSession(url: string): string {
  const [address, query] = url.split('?', 2);
  const parameters = new URLSearchParams(query);
  for (const name of ownParameters) parameters.delete(name);
  return parameters.size > 0 ? `${address}?${parameters}` : (address as string);
}
const ownParameters = [
  'application_name',
  'options',
  'statement_timeout',
  'lock_timeout',
  'idle_in_transaction_session_timeout',
  'query_timeout',
];

/** Runs one statement on a connection. */
export async function run(client: pg.ClientBase, { name, text, values }: Statement): Promise<Row[]> {
  const query = {
    text,
    values: values as unknown[],
    rowMode: 'array' as const,
    ...(name === undefined ? {} : { name }),
  };
  return (await ask(client, query)).rows;
}

/** Ends a connection of `connect`. A server that says nothing any more does not end one: it is given up. */
export async function close(client: pg.ClientBase & { end(): Promise<void> }): Promise<void> {
  const givenUp = setTimeout(() => streamOf(client).destroy(), closeMilliseconds);
  await client.end().finally(() => clearTimeout(givenUp));
}

const streamOf = (client: pg.ClientBase): Writable =>
  (client as pg.ClientBase & { readonly connection: { readonly stream: Writable } }).connection.stream;

/** What one turn of the event loop asks of a connection is sent in one piece: each costs both ends more than what is in it. */
function ask(client: pg.ClientBase, query: string | pg.QueryArrayConfig): Promise<pg.QueryArrayResult<unknown[]>> {
  const stream = streamOf(client);
  stream.cork();
  process.nextTick(() => stream.uncork());
  return client.query(query as pg.QueryArrayConfig);
}

/** Ends with the transaction that it begins. */
const actingFor = (begin: string, tenantIds: ActingFor): string =>
  `${begin}; set local touchstone.tenants = ${pg.escapeLiteral(JSON.stringify(tenantIds))}`;

/** All is sent at once. Where the beginning failed, the statement sees nothing of any tenant. */
const readFor = (pool: pg.Pool, tenantIds: ActingFor, statement: Statement): Promise<Row[]> =>
  onConnection(pool, async (client) => {
    const begun = ask(client, actingFor('begin read only', tenantIds));
    const [, rows] = await Promise.all([begun, run(client, statement), ask(client, 'commit')]);
    return rows;
  });

const writeOnce = (pool: pg.Pool, statement: Statement): Promise<Row[]> =>
  onConnection(pool, (client) => committed(client, () => run(client, statement)));

async function onConnection<Result>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<Result>): Promise<Result> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    return await work(client);
  } catch (error) {
    if (!isSound(error)) broken = error as Error;
    throw error;
  } finally {
    client.release(broken);
  }
}

async function inTransaction<Result>(
  pool: pg.Pool,
  work: (query: Query) => Promise<Result>,
  begin: string,
  order?: 'reads first',
): Promise<Result> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    const beginning = ask(client, begin);
    if (order !== 'reads first') await beginning;
    beginning.catch(() => {}); // Told by whatever was asked after it.
    // Where it did not begin nothing that was read counts, and so nothing is written.
    const result = await work(async (statement) => (await Promise.all([run(client, statement), beginning]))[0]);
    await committed(client, () => client.query('commit'));
    return result;
  } catch (error) {
    if (!isSound(error)) broken = error as Error;
    else {
      await client.query('rollback').catch((failure) => {
        broken = failure;
      });
    }
    throw error;
  } finally {
    client.release(broken);
  }
}

/**
 * Whether the connection is as good as before. Where nothing was said its state is not known; where time ran out, or
 * nothing may be written, it may lead to a server that is not in force, and the next one to the server that is.
 */
const isSound = (error: unknown): boolean =>
  error instanceof pg.DatabaseError ? !leadsAstray.includes(error.code ?? '') : error instanceof Error && isOurs(error);
const leadsAstray: readonly string[] = [queryCanceled, readOnlySqlTransaction];

/**
 * A commit whose wait for the standby was cancelled is committed here and nowhere else: the server only warns of it, and
 * it must not be taken for a success.
 */
async function committed<Result>(client: pg.PoolClient, work: () => Promise<Result>): Promise<Result> {
  let warning: string | undefined;
  // Of what else it warns - that a database is to be vacuumed, with each transaction - nothing is the worse.
  const listen = ({ message, routine }: { message?: string | undefined; routine?: string | undefined }) => {
    if (routine === 'SyncRepWaitForLSN') warning = message;
  };
  client.on('notice', listen);
  try {
    const result = await work();
    if (warning !== undefined) throw new Error(warning);
    return result;
  } finally {
    client.off('notice', listen);
  }
}

/** SQLSTATE classes that say that the server, not the statement, is the trouble. */
const serverTrouble = ['08', '28', '3D', '53', '55', '57', '58', 'XX', '25', '40'];

async function translated<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof pg.DatabaseError && !serverTrouble.includes(error.code?.slice(0, 2) ?? '')) {
      throw new StatementRefused(error);
    }
    throw error instanceof Error && isOurs(error) ? error : new StoreUnavailable(error);
  }
}

/** What our own code threw inside a transaction goes on as it is. */
const isOurs = (error: Error): boolean =>
  'code' in error && typeof error.code === 'string' && /^[a-z_]+$/.test(error.code);
