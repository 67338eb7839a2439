-- Users of whom nothing is to be kept. Upkeep deletes what there is.
create table erasure (
  erasure_id text primary key,
  tenant_id text not null references tenant,
  user_handle text not null,
  requested_at timestamptz(3) not null default now(),
  erased_at timestamptz(3)
);

create index on erasure (requested_at) where erased_at is null;

grant select, insert on erasure to touchstone_revocation;
grant select, update (erased_at) on erasure to touchstone_upkeep;
grant select (consent_id, user_handle, recorded_at), delete on consent to touchstone_upkeep;
grant select (consent_id), delete on consent_key, consent_use to touchstone_upkeep;
grant select (id) on live_token to touchstone_upkeep;
grant select (id) on refresh_use to touchstone_upkeep;
