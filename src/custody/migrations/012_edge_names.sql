-- All that a camera's event says, where its sender has a name for it: another event of that name is refused. NULL without a name, and of reads of before.
ALTER TABLE edge_read ADD COLUMN event BLOB CHECK (length(event) = 32);
