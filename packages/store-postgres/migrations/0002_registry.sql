-- Each entry's mac is keyed: without the service's key no entry can be made or changed.
create table tenant (
  tenant_id text primary key,
  display_name text not null,
  token_ttl_max integer not null check (token_ttl_max > 0),
  mac text not null,
  -- Rises with every change in the tenant, by a random step.
  registry_version bigint not null default 1,
  disabled_revision bigint,
  created_at timestamptz not null default now()
);

create table resource_server (
  audience text primary key,
  tenant_id text not null references tenant,
  display_name text not null,
  scopes jsonb not null check (jsonb_array_length(scopes) > 0),
  released_claims jsonb not null,
  token_ttl_max integer check (token_ttl_max > 0),
  mac text not null,
  disabled_revision bigint,
  created_at timestamptz not null default now()
);

create table app (
  app_id text primary key,
  tenant_id text not null references tenant,
  display_name text not null,
  client_type text not null,
  hosting_type text not null,
  grants jsonb not null,
  methods jsonb not null,
  token_ttl_max integer check (token_ttl_max > 0),
  mac text not null,
  disabled_revision bigint,
  created_at timestamptz not null default now()
);

create index on app (tenant_id);
create index on resource_server (tenant_id);

-- For which operators credentials have been bootstrapped.
create table bootstrap (
  operator_name text primary key,
  bootstrapped_at timestamptz not null default now()
);

grant select, insert on tenant, app, resource_server to touchstone_issuer;
grant update (registry_version, disabled_revision) on tenant to touchstone_issuer;
grant update (disabled_revision) on app, resource_server to touchstone_issuer;
grant select on tenant, app to touchstone_revocation;
grant select on resource_server to touchstone_validator, touchstone_revocation;
