-- Of a whole tenant: without a user.
alter table erasure alter column user_handle drop not null;

grant select (tenant_id) on consent to touchstone_upkeep;
grant select (app_id), delete on scope_use to touchstone_upkeep;
grant select (app_id, tenant_id), delete on app to touchstone_upkeep;
grant select (tenant_id), delete on resource_server, policy, signing_key, tenant_key to touchstone_upkeep;
grant select (tenant_id), update (entry, mac) on tenant to touchstone_upkeep;
