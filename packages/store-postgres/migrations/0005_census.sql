-- Who answers for tokens, on which revision. Each replica commits its row every second: that it can is the proof that
-- this database is the one in force.
create table census (
  instance_id text primary key,
  service text not null,
  address text not null,
  build text not null,
  applied_revision bigint not null,
  beat_at timestamptz not null
);

grant select, insert, update on census to touchstone_issuer, touchstone_validator, touchstone_revocation;
-- The rows of replicas that are gone.
grant select, delete on census to touchstone_upkeep;
