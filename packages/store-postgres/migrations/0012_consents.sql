-- What users have permitted apps. The mac covers all of it but its end.
create table consent (
  consent_id text primary key,
  tenant_id text not null references tenant,
  app_id text not null references app,
  user_handle text not null,
  grants jsonb not null check (jsonb_array_length(grants) > 0),
  recorded_at timestamptz(3) not null,
  expires_at timestamptz(3) not null,
  idempotency_key text not null,
  mac text not null,
  disabled_revision bigint,
  unique (tenant_id, idempotency_key)
);

create index on consent (user_handle, recorded_at, consent_id);

-- The key of each consent, wrapped. It goes when the consent is withdrawn.
create table consent_key (
  consent_id text primary key references consent,
  data_key_id text not null references data_key,
  wrapped bytea not null
);

grant select, insert on consent, consent_key to touchstone_issuer;
-- It comes with the record of a token that was made under it.
grant select on consent_key to touchstone_validator, touchstone_revocation;
grant select (consent_id, tenant_id, mac, app_id, user_handle, grants, recorded_at, expires_at, disabled_revision)
  on consent to touchstone_revocation;
grant update (disabled_revision) on consent to touchstone_revocation;
grant delete on consent_key to touchstone_revocation;

-- Whether a tenant's own apps get tokens for users without their consent.
alter table tenant add column first_party_without_consent boolean not null default false;
