import type pg from 'pg';

/** What a login may do, by what it may do it to: `table token: insert select`. */
export type Rights = Readonly<Record<string, string>>;

// A partition has the rights of all partitions of its table, or is listed by its own name.
const tablesQuery = `
  with relation as (
    select c.oid, c.relkind,
           case when i.inhparent is null then c.relname else p.relname || ' partition' end as name
      from pg_class c
      left join pg_inherits i on i.inhrelid = c.oid
      left join pg_class p on p.oid = i.inhparent
     where c.relnamespace = 'touchstone'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f')
  ),
  whole as (
    select oid, name, lower(privilege) as right
      from relation, unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER,MAINTAIN}'::text[]) privilege
     where has_table_privilege($1, oid, privilege)
  ),
  columns as (
    select r.oid, r.name, lower(privilege) || '(' || string_agg(a.attname, ',' order by a.attname) || ')' as right
      from relation r join pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped,
           unnest('{SELECT,INSERT,UPDATE,REFERENCES}'::text[]) privilege
     where has_column_privilege($1, r.oid, a.attnum, privilege) and not has_table_privilege($1, r.oid, privilege)
     group by r.oid, r.name, privilege
  ),
  owned as (
    select r.oid, r.name, 'own' as right from relation r join pg_class c using (oid) where pg_has_role($1, c.relowner, 'usage')
  ),
  rights as (
    select r.name, coalesce(string_agg(x.right, ' ' order by x.right), '') as rights
      from relation r left join (table whole union all table columns union all table owned) x using (oid)
     group by r.oid, r.name
  )
  select distinct 'table ' || name, rights from rights where rights <> ''`;

const sequencesQuery = `
  select 'sequence ' || relname, string_agg(lower(privilege), ' ' order by privilege)
    from pg_class, unnest('{USAGE,SELECT,UPDATE}'::text[]) privilege
   where relnamespace = 'touchstone'::regnamespace and relkind = 'S' and has_sequence_privilege($1, oid, privilege)
   group by relname`;

// Each partition of `token` has one that gives its records.
const functionsQuery = `
  select distinct 'function ' || regexp_replace(proname, '^token_[0-9]+_', 'token '),
         'execute' || case when prosecdef then ' security definer' else '' end
    from pg_proc where pronamespace = 'touchstone'::regnamespace and has_function_privilege($1, oid, 'EXECUTE')`;

const schemasQuery = `
  select 'schema ' || nspname, string_agg(lower(privilege), ' ' order by privilege)
    from pg_namespace, unnest('{USAGE,CREATE}'::text[]) privilege
   where nspname !~ '^pg_toast|^pg_temp' and has_schema_privilege($1, oid, privilege) group by nspname`;

const databaseQuery = `
  select 'database', string_agg(lower(privilege), ' ' order by privilege)
    from unnest('{CREATE,CONNECT,TEMPORARY}'::text[]) privilege where has_database_privilege($1, current_database(), privilege)`;

const roleQuery = `
  select 'role', concat_ws(' ', case when rolsuper then 'superuser' end, case when rolcreaterole then 'createrole' end,
           case when rolcreatedb then 'createdb' end, case when rolreplication then 'replication' end,
           case when rolbypassrls then 'bypassrls' end, (
             select string_agg(g.rolname || case when m.admin_option then ' (admin)' else '' end, ' ' order by g.rolname)
               from pg_auth_members m join pg_roles g on g.oid = m.roleid where m.member = r.oid))
    from pg_roles r where rolname = $1`;

// Of the server's own: what is not everybody's.
const catalogueQuery = `
  select 'catalogue ' || relname, 'select' from pg_class c
   where relnamespace = 'pg_catalog'::regnamespace and relname in
         ('pg_authid', 'pg_user_mapping', 'pg_statistic', 'pg_largeobject', 'pg_subscription', 'pg_hba_file_rules')
     and has_table_privilege($1, oid, 'SELECT')`;

/** All that a login may do in the database beyond what PostgreSQL lets everybody do. */
export async function rightsOf(superuser: pg.Client, login: string): Promise<Rights> {
  const rights: [string, string][] = [];
  for (const text of [
    tablesQuery,
    sequencesQuery,
    functionsQuery,
    schemasQuery,
    databaseQuery,
    roleQuery,
    catalogueQuery,
  ]) {
    const { rows } = await superuser.query<[string, string]>({ text, values: [login], rowMode: 'array' });
    for (const [name, what] of rows)
      rights.push([rights.some(([other]) => other === name) ? `${name}, another` : name, what]);
  }
  return Object.fromEntries(rights.sort());
}
