import { randomBytes } from 'node:crypto';
import pg from 'pg';

/** The roles that are granted to logins, each with only the rights of its service or command. */
const serviceRoles = ['issuer', 'validator', 'revocation', 'upkeep', 'keys'] as const;
export type ServiceRole = (typeof serviceRoles)[number];

/**
 * Makes a login for each role, with a new password at each call.
 *
 * @returns the database's URL for each login. They hold the passwords: not for logs or arguments.
 */
export async function makeLogins(adminUrl: string): Promise<Readonly<Record<ServiceRole, string>>> {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    const urls = [];
    for (const role of serviceRoles) urls.push([role, await makeLogin(client, adminUrl, role)]);
    return Object.fromEntries(urls);
  } finally {
    await client.end();
  }
}

async function makeLogin(client: pg.Client, adminUrl: string, role: ServiceRole): Promise<string> {
  const login = `touchstone_${role}_login`;
  const password = randomBytes(24).toString('base64url');
  const { rowCount } = await client.query('select from pg_roles where rolname = $1', [login]);
  if (!rowCount) await client.query(`create role ${login} login in role touchstone_${role}`);
  // A password can't be a parameter of this statement; this one is of letters, digits, - and _.
  await client.query(`alter role ${login} password '${password}'`);
  const url = new URL(adminUrl);
  url.username = login;
  url.password = password;
  return url.href;
}
