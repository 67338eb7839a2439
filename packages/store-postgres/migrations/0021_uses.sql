-- About when what was granted was used last: to the hour, by any validator.
create table scope_use (
  app_id text not null,
  audience text not null,
  scope text not null,
  last_used_at timestamptz(0) not null,
  primary key (app_id, audience, scope)
);

create table consent_use (
  consent_id text primary key,
  last_used_at timestamptz(0) not null
);

grant select, insert, update on scope_use, consent_use to touchstone_validator;
grant select on scope_use, consent_use to touchstone_issuer;
