-- The DPoP proofs that have been taken: by hash, and for as long as they would be fresh. All replicas that take proofs do it
-- here, so each is good once. Logged like any table: what a crash forgot could be used again.
create table dpop_proof (
  hash bytea primary key,
  expires_at timestamptz(3) not null
);

create index on dpop_proof (expires_at);

grant select (hash), insert on dpop_proof to touchstone_issuer, touchstone_validator;
grant select, delete on dpop_proof to touchstone_upkeep;
