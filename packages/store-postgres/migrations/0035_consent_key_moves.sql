-- For the command that moves keys of consents to a younger data key: it sees no consent but when it ends, and no token.
do $$
begin
  create role touchstone_keys nologin;
exception when duplicate_object or unique_violation then
  null;
end
$$;

grant usage on schema touchstone to touchstone_keys;
grant select, insert on data_key to touchstone_keys;
grant select, update (data_key_id, wrapped), delete on consent_key to touchstone_keys;
grant select (consent_id, expires_at) on consent to touchstone_keys;
-- Its work is about all tenants.
create policy keys on consent_key to touchstone_keys using (true);
create policy keys on consent to touchstone_keys using (true);
