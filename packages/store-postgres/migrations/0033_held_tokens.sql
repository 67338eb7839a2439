-- Validators hold tokens that are there against the rules of their tenant's policy that say so.
grant select on policy, app to touchstone_validator;
