-- The names of an erased tenant's apps and resource servers stay taken, as its own does: who verifies signed tokens by itself
-- would take those that another tenant issues under a name for the former one's. Revocation services from before this can erase
-- no tenant after it.
revoke delete on app, resource_server from touchstone_upkeep;
grant update (entry, mac) on app, resource_server to touchstone_upkeep;
