-- A revision of some dozens of revocations stays in its row: apart from it, each replica that reads it looks for it once more, and
-- whoever writes it has tried in vain to pack it.
alter table revision set (toast_tuple_target = 8160);
