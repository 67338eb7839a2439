import pg from 'pg';

/** Settings without which Postgres may lose what it has committed. */
const durable = ['fsync', 'synchronous_commit', 'full_page_writes'] as const;

/** What the running server says of itself. */
export interface PostgresFacts {
  readonly version: string;
  readonly settings: Readonly<Record<(typeof durable)[number], string>>;
}

/** Numbers of a server that may forget are worth nothing. */
export class NotDurable extends Error {
  override readonly name = 'NotDurable';
}

/** Reads how safe the server keeps what it commits. @throws NotDurable when one of the settings is not on. */
export async function requireDurability(adminUrl: string): Promise<PostgresFacts> {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    const settings: Record<string, string> = {};
    for (const name of durable) settings[name] = await show(client, name);
    const off = durable.filter((name) => settings[name] !== 'on');
    if (off.length > 0) throw new NotDurable(`Postgres runs with ${off.map((name) => `${name} = ${settings[name]}`)}`);
    return { version: await show(client, 'server_version'), settings: settings as PostgresFacts['settings'] };
  } finally {
    await client.end();
  }
}

async function show(client: pg.Client, name: string): Promise<string> {
  return (await client.query<Record<string, string>>(`show ${name}`)).rows[0]?.[name] ?? '';
}
