-- How many tokens of the minute have been taken. Unlogged: what is lost with a crash is one minute's count.
create unlogged table rate (
  key text primary key,
  points integer not null default 0,
  -- Milliseconds since 1970.
  expire bigint
);

create index on rate (expire);

grant select, insert, update on rate to touchstone_issuer;
grant select (expire), delete on rate to touchstone_upkeep;
