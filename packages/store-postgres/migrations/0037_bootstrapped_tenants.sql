-- The tenants of all credentials that were bootstrapped for the operator: whoever replaces them cuts them off in each. Of those
-- from before it is not known which they were: to replace one of them, name its tenants.
alter table bootstrap add column tenant_ids text[] not null default '{}';
