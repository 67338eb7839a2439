-- What revokes a token is its watermark: its row is written once, by whoever issues it, and never again.
alter table token drop column revoked_revision;

create or replace function attach_token_partition(day integer) returns void language plpgsql as $$
declare
  name text := format('token_%s', day);
begin
  if to_regclass('touchstone.' || name) is not null then return; end if;
  execute format('create table touchstone.%I (like touchstone.token including all, check (expiry_day = %s))', name, day);
  execute format('grant select, insert on touchstone.%I to touchstone_issuer', name);
  execute format('grant select on touchstone.%I to touchstone_validator, touchstone_revocation', name);
  -- Whoever made it: upkeep will drop it.
  execute format('alter table touchstone.%I owner to touchstone_upkeep', name);
  execute format('alter table touchstone.token attach partition touchstone.%I for values in (%s)', name, day);
end
$$;
