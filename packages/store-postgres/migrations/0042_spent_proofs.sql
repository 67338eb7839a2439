-- The end of the last of the DPoP proofs and assertions that have been deleted: one row. None that ends by then is taken, whatever
-- the clock says: set back, it would be fresh again, and nobody knows any more whether it was taken.
create table proof_spent (
  is_only boolean primary key default true check (is_only),
  until timestamptz(3) not null
);

insert into proof_spent (until) values ('-infinity');

grant select (until) on proof_spent to touchstone_issuer, touchstone_validator, touchstone_revocation;
grant select (until), update (until) on proof_spent to touchstone_upkeep;
