-- The key of each tenant, wrapped, under which its users' handles are made. It goes when the tenant is erased.
create table tenant_key (
  tenant_id text primary key references tenant,
  data_key_id text not null references data_key,
  wrapped bytea not null
);

alter table data_key drop constraint data_key_purpose_check;
alter table data_key add constraint data_key_purpose_check
  check (purpose in ('installation', 'signing', 'consent', 'tenant'));

grant select, insert on tenant_key to touchstone_issuer;
grant select on tenant_key to touchstone_validator, touchstone_revocation;
