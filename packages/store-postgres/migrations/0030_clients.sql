-- Callers can show who they are by what is registered of them, to every service; and assertions are good once, as DPoP proofs
-- are. So they are kept with these, by a hash of another kind.
grant select on app, tenant to touchstone_validator;
grant select (hash), insert on dpop_proof to touchstone_revocation;

comment on table dpop_proof is 'DPoP proofs and assertions of clients that have been taken';
