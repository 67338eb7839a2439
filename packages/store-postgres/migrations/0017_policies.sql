-- What tenants let their apps have. Each version is a row, written once, under a mac as the entries of the registry are.
create table policy (
  tenant_id text not null references tenant,
  version integer not null check (version > 0),
  entry text not null,
  mac text not null,
  recorded_at timestamptz(3) not null default now(),
  primary key (tenant_id, version)
);

grant select, insert on policy to touchstone_issuer;
