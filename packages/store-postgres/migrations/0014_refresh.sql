-- How an app's tokens may be renewed, under its mac. Default: not at all.
alter table app add column refresh jsonb;

-- Refresh tokens that have been used. What each use was answered with is sealed for whoever has the token.
create table refresh_use (
  id uuid primary key,
  used_at timestamptz(3) not null,
  request text not null,
  answer bytea not null,
  -- When the family ends: then the token is refused anyway.
  expires_at timestamptz(3) not null
);

create index on refresh_use (expires_at);

grant select, insert on refresh_use to touchstone_issuer;
grant select (expires_at), delete on refresh_use to touchstone_upkeep;
