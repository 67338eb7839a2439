-- Who makes room takes out what has been revoked: it is read by everyone who wants some.
grant delete on live_token to touchstone_issuer;
