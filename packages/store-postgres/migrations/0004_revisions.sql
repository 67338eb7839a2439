-- Everything that can narrow an answer, in one order. Append-only; kept longer than any backup.
create table revision (
  revision bigint primary key,
  previous_hash text not null,
  content bytea not null,
  hash text not null,
  recorded_at timestamptz not null
);

-- Where the history stands: one row, locked by whoever adds a revision until it has committed, so that revisions are
-- without gaps and in the order of their commits. Made by the bootstrap command, which has the key for the mac.
create table history (
  is_only boolean primary key default true check (is_only),
  revision bigint not null,
  hash text not null,
  digest text not null,
  mac text not null
);

create table revocation (
  revocation_id text primary key,
  revision bigint not null references revision,
  target_kind text not null,
  target_key text not null,
  tenant_id text,
  -- Null: no ceiling; the target is dead for good.
  ceiling bigint,
  effect text not null default 'final' check (effect in ('final', 'quarantine', 'lift')),
  until timestamptz,
  include_credentials boolean not null,
  reason text not null,
  actor_kind text not null,
  actor_name text not null,
  actor_credential_id text not null,
  idempotency_key text,
  request_text text not null,
  recorded_at timestamptz(3) not null,
  -- Keyed, as in the registry.
  mac text not null
);

-- Names of actors are unique within a tenant only.
create unique index on revocation (actor_kind, actor_name, idempotency_key, coalesce(tenant_id, ''))
  where idempotency_key is not null;
create index on revocation (target_kind, target_key) where ceiling is null;

-- What folding the revocations of one target gives.
create table watermark (
  token_class text not null,
  kind text not null,
  key text not null,
  ceiling bigint,
  spared_token_id text,
  spared_ceiling bigint,
  covers_until timestamptz(3),
  -- Kept apart from the final ceiling: a quarantine can be lifted.
  quarantine_ceiling bigint,
  quarantine_until timestamptz,
  primary key (token_class, kind, key)
);

grant select on revision, history, watermark to touchstone_validator;
grant select, insert on revision, revocation to touchstone_issuer, touchstone_revocation;
grant select, insert, update on watermark to touchstone_issuer, touchstone_revocation;
grant select, update on history to touchstone_issuer, touchstone_revocation;
