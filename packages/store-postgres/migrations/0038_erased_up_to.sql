-- What of a user goes is told by the revocation that ended it all, and not by clocks: they can be set. Revocation services from
-- before this can erase nobody after it.
alter table erasure add column ceiling bigint, add column revision bigint;
update erasure e set (ceiling, revision) = (
    select v.ceiling, v.revision from revocation v
     where v.tenant_id = e.tenant_id and v.target_kind = 'user' and v.target_key = e.user_handle and v.ceiling is not null
     order by v.revision desc limit 1)
 where erased_at is null and user_handle is not null;
alter table erasure add check (erased_at is not null or num_nonnulls(user_handle, ceiling, revision) in (0, 3));

grant select (disabled_revision) on consent to touchstone_upkeep;
revoke select (recorded_at) on consent from touchstone_upkeep;
