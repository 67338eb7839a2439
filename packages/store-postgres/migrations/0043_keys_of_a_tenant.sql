-- Who rotates a tenant's keys goes through those that have retired, too: without it through those of all tenants.
-- Writers of keys wait while it is made; where somebody holds the table it rather fails, and is tried again.
set local lock_timeout = '1s';
create index on signing_key (tenant_id);
