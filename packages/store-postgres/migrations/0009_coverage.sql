-- A replica answers nothing from then on, unless it has committed its row again.
alter table census add column answers_until timestamptz not null default now();
alter table census alter column answers_until drop default;
-- It stopped by itself.
alter table census add column has_left boolean not null default false;

-- From when on every live validator has applied a revision, and with it all before it. At most a row a revision, and kept
-- as long.
create table coverage (
  revision bigint primary key,
  complete_at timestamptz(3) not null
);

grant select, insert on coverage to touchstone_revocation;
