-- When somebody opened a case, and which of its pictures the audit record of that names: one record for all of them, not one for each.
CREATE TABLE opening (
  hit INTEGER NOT NULL REFERENCES hit (id) ON DELETE CASCADE,
  person TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  pictures TEXT NOT NULL,               -- SHA-256, hexadecimal: a JSON array
  PRIMARY KEY (hit, person)
) WITHOUT ROWID;
