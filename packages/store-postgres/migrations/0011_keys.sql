-- Keys that wrap others, themselves wrapped by a key encryption that is kept elsewhere. Deleting one shreds what it wrapped.
create table data_key (
  data_key_id text primary key,
  purpose text not null check (purpose in ('installation', 'signing', 'consent')),
  key_encryption_id text not null,
  wrapped bytea not null,
  -- The order in which those of a purpose came: the last is the current one.
  generation integer not null check (generation > 0),
  created_at timestamptz(3) not null default now(),
  unique (purpose, generation)
);

-- Made by the bootstrap command; those of consents' periods, and the one of signing keys, by issuers.
grant select on data_key to touchstone_issuer, touchstone_validator, touchstone_revocation;
grant insert on data_key to touchstone_issuer;

-- Public keys of everyone who signed, and private ones wrapped. The mac covers what verifiers are told.
create table signing_key (
  signing_key_id text primary key,
  tenant_id text not null references tenant,
  algorithm text not null check (algorithm in ('EdDSA', 'ES256', 'RS256')),
  public_jwk text not null,
  data_key_id text not null references data_key,
  wrapped bytea not null,
  state text not null check (state in ('next', 'active', 'retired')),
  created_at timestamptz(3) not null,
  activated_at timestamptz(3),
  retired_at timestamptz(3),
  mac text not null,
  disabled_revision bigint
);

create unique index on signing_key (tenant_id) where state = 'active' and disabled_revision is null;
create unique index on signing_key (tenant_id) where state = 'next' and disabled_revision is null;

grant select, insert on signing_key to touchstone_issuer;
grant update (state, activated_at, retired_at) on signing_key to touchstone_issuer;
-- Private keys are the issuer's business alone.
grant select (signing_key_id, tenant_id, algorithm, public_jwk, state, created_at, activated_at, retired_at, mac, disabled_revision)
  on signing_key to touchstone_revocation;
grant update (disabled_revision) on signing_key to touchstone_revocation;
-- The version of the registry rises with every change of a tenant's keys.
grant update (registry_version) on tenant to touchstone_revocation;
