-- A role for each service, with only the rights that it needs. They can't log in: a deployment makes its own logins and
-- grants them one role each. Roles belong to the whole server, so another database may have made them already.
do $$
declare
  role text;
begin
  foreach role in array array['touchstone_issuer', 'touchstone_validator', 'touchstone_revocation', 'touchstone_upkeep']
  loop
    begin
      execute format('create role %I nologin', role);
    exception when duplicate_object or unique_violation then
      null;
    end;
  end loop;
end
$$;

grant usage on schema touchstone
  to touchstone_issuer, touchstone_validator, touchstone_revocation, touchstone_upkeep;
-- Upkeep makes and drops partitions; it owns the partitioned tables and nothing else.
grant create on schema touchstone to touchstone_upkeep;
