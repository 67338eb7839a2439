-- Partitions are made apart and attached: attaching an empty table whose check says what it will hold takes no lock that
-- readers or writers wait for.
create function attach_token_partition(day integer) returns void language plpgsql as $$
declare
  name text := format('token_%s', day);
begin
  if to_regclass('touchstone.' || name) is not null then return; end if;
  -- Room in each page, so that marking a row as revoked needs no new index entry.
  execute format('create table touchstone.%I (like touchstone.token including all, check (expiry_day = %s)) with (fillfactor = 90)', name, day);
  execute format('grant select, insert on touchstone.%I to touchstone_issuer', name);
  execute format('grant select on touchstone.%I to touchstone_validator, touchstone_revocation', name);
  execute format('grant update (revoked_revision) on touchstone.%I to touchstone_revocation', name);
  -- Whoever made it: upkeep will drop it.
  execute format('alter table touchstone.%I owner to touchstone_upkeep', name);
  execute format('alter table touchstone.token attach partition touchstone.%I for values in (%s)', name, day);
end
$$;

create function attach_outbox_partition(block bigint, rows bigint) returns void language plpgsql as $$
declare
  name text := format('outbox_%s', block);
  first bigint := block * rows;
begin
  if to_regclass('touchstone.' || name) is not null then return; end if;
  execute format('create table touchstone.%I (like touchstone.outbox including all, check (id >= %s and id < %s))', name, first, first + rows);
  execute format('grant insert on touchstone.%I to touchstone_issuer', name);
  execute format('grant select, insert on touchstone.%I to touchstone_revocation', name);
  execute format('alter table touchstone.%I owner to touchstone_upkeep', name);
  execute format('alter table touchstone.outbox attach partition touchstone.%I for values from (%s) to (%s)', name, first, first + rows);
end
$$;

alter function attach_token_partition(integer) owner to touchstone_upkeep;
alter function attach_outbox_partition(bigint, bigint) owner to touchstone_upkeep;
revoke execute on function attach_token_partition(integer), attach_outbox_partition(bigint, bigint) from public;
