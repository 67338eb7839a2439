-- The timeline that this server writes: each promotion begins one, a restart does not.
create function current_timeline() returns text language sql
  as $$ select left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) $$;

-- Since when tokens and revocations may be written: one row, which the first replica to commit its row in the census on
-- another timeline replaces.
create table promotion (
  is_only boolean primary key default true check (is_only),
  timeline text not null,
  writes_from timestamptz not null
);

insert into promotion (timeline, writes_from) values (current_timeline(), '-infinity');

-- A primary that has just been promoted takes neither until the fence has run out: until then a validator may still
-- answer from the one before.
create function require_settled() returns trigger language plpgsql as $$
begin
  perform from touchstone.promotion where timeline = touchstone.current_timeline() and writes_from <= now();
  if not found then
    raise exception 'this server has been promoted a moment ago' using errcode = 'cannot_connect_now';
  end if;
  return null;
end
$$;

create trigger settled before insert on token for each statement execute function require_settled();
create trigger settled before insert on revision for each statement execute function require_settled();

revoke execute on function current_timeline(), require_settled() from public;
grant execute on function current_timeline()
  to touchstone_issuer, touchstone_validator, touchstone_revocation, touchstone_upkeep;
grant select, update on promotion to touchstone_issuer, touchstone_validator, touchstone_revocation;
-- As the owner of token it may insert, and then the trigger looks.
grant select on promotion to touchstone_upkeep;
