-- About when a token was used last, of those that validators have noted: a row goes with the token.
create table token_use (
  id uuid primary key,
  expires_at timestamptz(3) not null,
  last_used_at timestamptz(0) not null
);

create index on token_use (expires_at);

grant select, insert, update on token_use to touchstone_validator;
grant select on token_use to touchstone_issuer;
grant select (id, expires_at), delete on token_use to touchstone_upkeep;
