-- The tokens of apps and users of which only so many may be alive at once.
create table live_token (
  expiry_day integer not null,
  id uuid primary key,
  app_id text not null,
  -- Empty: the app acts for itself.
  user_handle text not null,
  expires_at timestamptz(3) not null
);

create index on live_token (app_id, user_handle, expires_at);
create index on live_token (expires_at);

grant select, insert on live_token to touchstone_issuer;
grant select (expires_at), delete on live_token to touchstone_upkeep;
