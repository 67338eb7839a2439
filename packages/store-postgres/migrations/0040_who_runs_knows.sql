-- Services compare what has been migrated with what they know.
grant select on migration to touchstone_issuer, touchstone_validator, touchstone_revocation;
