-- Nobody reads across tenants, whatever a statement of ours says. What is of a tenant is seen and written only for the
-- tenants that the transaction names, as JSON; without that there is none of it.
do $$
declare
  acting constant text := $sql$(select nullif(current_setting('touchstone.tenants', true), '')::jsonb)$sql$;
  owned constant text := acting || ' ? tenant_id';
  what text;
  condition text;
begin
  for what, condition in values
    ('tenant', owned), ('app', owned), ('resource_server', owned), ('policy', owned), ('consent', owned),
    ('signing_key', owned), ('tenant_key', owned), ('erasure', owned),
    -- Of the consents that are seen.
    ('consent_key', 'exists (select from consent c where c.consent_id = consent_key.consent_id)'),
    -- What revokes the tokens of all tenants is of the platform's own.
    ('revocation', acting || $sql$ ? coalesce(tenant_id, 'touchstone')$sql$)
  loop
    execute format('alter table %I enable row level security', what);
    execute format(
      'create policy acting on %I to touchstone_issuer, touchstone_validator, touchstone_revocation using (%s)', what, condition);
    -- Its work is about all tenants.
    execute format('create policy upkeep on %I to touchstone_upkeep using (true)', what);
  end loop;
  -- Public keys are published, and rotated, of all tenants: for who says so.
  execute format($sql$create policy every on signing_key for select to touchstone_issuer using (%s = '"*"')$sql$, acting);
end
$$;

-- Records are read through the function of their partition, and in no other way: those of which both tenant and id are
-- known; without the tenant, credentials alone, for they are what tells whose a caller is. Names in it are bound when it is
-- made, whatever the search path is when it is called. Each id is looked for by itself, and `limit` holds the planner to the
-- index: the plan that it makes while the partition is empty is kept. STABLE, or it would read later than the statement that
-- calls it.
create function make_record_reader(day integer) returns void language plpgsql as $$
declare
  name text := format('touchstone.token_%s_records(text[], uuid[])', day);
begin
  execute format($sql$
    create or replace function touchstone.token_%1$s_records(tenants text[], ids uuid[]) returns setof json
    language sql stable security definer
    begin atomic
      select r.record
        from unnest(tenants, ids) as w (tenant_id, id)
        cross join lateral (
          select json_build_array(
                   t.expiry_day, t.id, t.token_class, t.tenant_id, t.app_id, t.user_handle, t.consent_id, t.audience,
                   t.scopes, t.usage, t.method, t.signing_key_id, t.policy_version, t.confirmation, t.lineage, t.sequence,
                   (date_part('epoch', t.issued_at) * 1000)::bigint, (date_part('epoch', t.expires_at) * 1000)::bigint,
                   t.seal_key_id, encode(t.sealed, 'hex'),
                   case when t.method = 'consent_key' then
                     (select json_build_array(k.data_key_id, encode(k.wrapped, 'hex'))
                        from touchstone.consent_key k where k.consent_id = t.consent_id)
                   end) as record
            from touchstone.token_%1$s t
           where t.id = w.id and (t.tenant_id = w.tenant_id or w.tenant_id is null and t.token_class = 'credential')
           limit 1) as r;
    end $sql$, day);
  execute format('revoke execute on function %s from public', name);
  execute format('grant execute on function %s to touchstone_issuer, touchstone_validator, touchstone_revocation', name);
  execute format('alter function %s owner to touchstone_upkeep', name);
end
$$;

create or replace function attach_token_partition(day integer) returns void language plpgsql as $$
declare
  name text := format('token_%s', day);
begin
  if to_regclass('touchstone.' || name) is not null then return; end if;
  execute format('create table touchstone.%I (like touchstone.token including all, check (expiry_day = %s))', name, day);
  perform touchstone.make_record_reader(day);
  -- Whoever made it: upkeep will drop it.
  execute format('alter table touchstone.%I owner to touchstone_upkeep', name);
  execute format('alter table touchstone.token attach partition touchstone.%I for values in (%s)', name, day);
end
$$;

alter function make_record_reader(integer) owner to touchstone_upkeep;
revoke execute on function make_record_reader(integer) from public;
-- What the records of tokens that were made under a consent come with.
grant select on consent_key to touchstone_upkeep;

do $$
declare
  partition text;
begin
  for partition in
    select relname from pg_class
     where relnamespace = 'touchstone'::regnamespace and relkind = 'r' and relname ~ '^token_[0-9]+$'
  loop
    perform make_record_reader(substring(partition from '[0-9]+')::integer);
    execute format('revoke all on %I from touchstone_issuer, touchstone_validator, touchstone_revocation', partition);
  end loop;
end
$$;
revoke select on token from touchstone_issuer, touchstone_validator, touchstone_revocation;
revoke select on consent_key from touchstone_validator, touchstone_revocation;
grant select (consent_id) on consent_key to touchstone_revocation;

-- How many of a tenant's tokens have more than one of the limits allows. Goes through all tokens there are: there is no
-- index by tenant, since nothing that is often asked needs one.
create function tokens_beyond(tenant text, limits json) returns table (at integer, tokens bigint)
language sql stable security definer
begin atomic
  with wanted as (
    select * from json_to_recordset(limits) as l
      (at int, app_id text, audience text, usage text, scopes text[], ttl_max bigint, methods text[], confirmations text[])
  )
  select l.at, count(*)
    from touchstone.token t join wanted l using (app_id, audience, usage)
   where t.tenant_id = tenant and t.token_class = 'token' and t.expires_at > now()
     and (not t.scopes <@ l.scopes or floor(extract(epoch from t.expires_at - t.issued_at)) > l.ttl_max
          or t.method <> all (l.methods)
          or l.confirmations is not null
             and coalesce(case when t.confirmation like '{"jkt"%' then 'key' when t.confirmation is not null then 'certificate' end, '')
                 <> all (l.confirmations))
   group by l.at;
end;
alter function tokens_beyond(text, json) owner to touchstone_upkeep;

-- What an insert of tokens of several tenants compares: the versions of their registries,
create function registry_versions(tenants text[]) returns table (tenant_id text, version bigint)
language sql stable security definer
begin atomic
  select t.tenant_id, t.registry_version from touchstone.tenant t where t.tenant_id = any (tenants);
end;

-- and which of the consents that they stand on have not been withdrawn. Each is looked for by its id, as records are.
create function consents_given(tenants text[], consents text[]) returns table (tenant_id text, consent_id text)
language sql stable security definer
begin atomic
  select c.tenant_id, c.consent_id
    from unnest(tenants, consents) as w (tenant_id, consent_id)
    cross join lateral (
      select o.tenant_id, o.consent_id, o.disabled_revision from touchstone.consent o
       where o.consent_id = w.consent_id limit 1) as c
   where c.tenant_id = w.tenant_id and c.disabled_revision is null;
end;

-- The entries of callers, by their ids: whose a caller is that shows no credential, its entry tells. The last column: whether
-- its tenant is disabled.
create function client_entries(tenants text[], apps text[], resource_servers text[])
returns table (what text, id text, tenant_id text, entry text, mac text, disabled boolean, tenant_disabled boolean)
language sql stable security definer
begin atomic
  select e.what, e.id, e.tenant_id, e.entry, e.mac, e.disabled_revision is not null, t.disabled_revision is not null
    from (
      select 'tenant' as what, e.tenant_id as id, e.tenant_id, e.entry, e.mac, e.disabled_revision
        from touchstone.tenant e where e.tenant_id = any (tenants)
      union all
      select 'app', e.app_id, e.tenant_id, e.entry, e.mac, e.disabled_revision
        from touchstone.app e where e.app_id = any (apps)
      union all
      select 'resource_server', e.audience, e.tenant_id, e.entry, e.mac, e.disabled_revision
        from touchstone.resource_server e where e.audience = any (resource_servers)
    ) as e
    join touchstone.tenant t on t.tenant_id = e.tenant_id;
end;

revoke execute on function tokens_beyond(text, json), registry_versions(text[]), consents_given(text[], text[]),
  client_entries(text[], text[], text[]) from public;
grant execute on function tokens_beyond(text, json), registry_versions(text[]), consents_given(text[], text[])
  to touchstone_issuer;
grant execute on function client_entries(text[], text[], text[])
  to touchstone_issuer, touchstone_validator, touchstone_revocation;
revoke select on app, tenant from touchstone_validator;
