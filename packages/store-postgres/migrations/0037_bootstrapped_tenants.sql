-- The tenants of all credentials that were bootstrapped for the operator: whoever replaces them cuts them off in each.
alter table bootstrap add column tenant_ids text[] not null default '{}';
-- Of those from before it is not known which they were.
update bootstrap set tenant_ids = array(select tenant_id from tenant);
