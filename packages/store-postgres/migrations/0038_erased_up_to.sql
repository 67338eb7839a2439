-- What of a user goes is told by the revocation that ended it all, and not by clocks: they can be set.
alter table erasure add column ceiling bigint, add column revision bigint;
update erasure set ceiling = (select last_value from token_sequence), revision = (select revision from history)
 where erased_at is null and user_handle is not null;
alter table erasure add check (erased_at is not null or (user_handle is null) = (ceiling is null and revision is null));

grant select (disabled_revision) on consent to touchstone_upkeep;
revoke select (recorded_at) on consent from touchstone_upkeep;
