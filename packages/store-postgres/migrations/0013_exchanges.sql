-- Where tokens for a resource server may be exchanged to, under its mac. Default: nowhere.
alter table resource_server add column exchanges jsonb not null default '[]';
