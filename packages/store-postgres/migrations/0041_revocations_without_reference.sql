-- Both rows are written by one statement, nobody deletes either, and a revocation's row is sealed with the hash of its
-- revision. The look at the reference cost a tenth of what the row costs, and wrote to the revision once a row.
-- It takes both tables for itself, and whoever reads revisions would wait behind it: for a replica that starts, or a dump. Rather it
-- fails, and is tried again.
set local lock_timeout = '1s';
alter table revocation drop constraint revocation_revision_fkey;
