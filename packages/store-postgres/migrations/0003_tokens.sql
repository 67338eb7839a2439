-- CACHE 1: a block kept by a connection would hold numbers below a ceiling that is set meanwhile.
create sequence token_sequence as bigint cache 1;

-- One row a token, in the partition of the day on which it expires (counted from 1970): a read touches one partition,
-- and expired tokens go by dropping partitions.
create table token (
  expiry_day integer not null,
  id uuid not null,
  token_class text not null check (token_class in ('token', 'credential')),
  tenant_id text not null,
  app_id text,
  user_handle text,
  consent_id text,
  audience text not null,
  scopes text[] not null check (cardinality(scopes) > 0),
  usage text,
  method text not null,
  signing_key_id text,
  policy_version bigint not null,
  confirmation text,
  lineage jsonb,
  sequence bigint not null,
  issued_at timestamptz(3) not null,
  expires_at timestamptz(3) not null,
  token_hash bytea not null,
  tag_key_id smallint not null,
  seal_key_id smallint not null,
  sealed bytea not null,
  revoked_revision bigint,
  primary key (id, expiry_day)
) partition by list (expiry_day);

alter table token owner to touchstone_upkeep;

grant usage on sequence token_sequence to touchstone_issuer;
grant select on sequence token_sequence to touchstone_issuer, touchstone_revocation;
grant select, insert on token to touchstone_issuer;
grant select on token to touchstone_validator, touchstone_revocation;
grant update (revoked_revision) on token to touchstone_revocation;
