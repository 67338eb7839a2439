create sequence outbox_id as bigint cache 1;

-- Audit events that wait to be published, written in the transaction of the act itself. Ids don't commit in order, so the
-- relay reads by transaction, and only what no open transaction can still come before. (Revisions need no outbox: they
-- are without gaps, and published from their own table.)
create table outbox (
  id bigint not null default nextval('outbox_id'),
  transaction_id xid8 not null default pg_current_xact_id(),
  event_id uuid not null,
  tenant_id text,
  payload bytea not null,
  occurred_at timestamptz(3) not null,
  writer text not null,
  writer_sequence bigint not null
) partition by range (id);

create index on outbox (transaction_id, id);

alter table outbox owner to touchstone_upkeep;

-- How far the relay has come.
create table relay_position (
  is_only boolean primary key default true check (is_only),
  revision bigint not null default 0,
  transaction_id xid8 not null default '0',
  outbox_id bigint not null default 0
);
insert into relay_position default values;

grant usage, select on sequence outbox_id to touchstone_issuer, touchstone_revocation;
grant select on sequence outbox_id to touchstone_upkeep;
grant insert on outbox to touchstone_issuer, touchstone_revocation;
grant select on outbox to touchstone_revocation;
grant select, update on relay_position to touchstone_revocation;
grant select on relay_position to touchstone_upkeep;
