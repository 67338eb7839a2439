-- In whose terms a resource server is told who the user is, under its mac. Null: by the user's id.
alter table resource_server add column pairwise_sector text;

grant update (display_name, scopes, released_claims, pairwise_sector, exchanges, token_ttl_max, mac) on resource_server
  to touchstone_issuer;
