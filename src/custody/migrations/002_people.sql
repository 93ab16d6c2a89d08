-- Who works here, and what they did. Times are milliseconds since the Unix epoch.

CREATE TABLE person (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'supervisor', 'list-manager', 'auditor', 'admin')),
  password TEXT,                        -- argon2id, as PHC writes it; NULL: nobody can log in as this person
  once INTEGER NOT NULL CHECK (once IN (0, 1)),       -- 1: the password is good for one login, and that one sets another
  totp TEXT,                            -- secret of the second factor, base32; NULL: none
  totp_step INTEGER NOT NULL DEFAULT 0, -- the last time step whose code was used: none is used twice
  failures INTEGER NOT NULL DEFAULT 0,  -- attempts since the last login, the one under way included
  locked_until_ms INTEGER NOT NULL DEFAULT 0,
  disabled INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
  settings TEXT NOT NULL DEFAULT '{}',  -- the page's own, JSON
  made_ms INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE session (
  digest BLOB PRIMARY KEY CHECK (length(digest) = 32),   -- of the cookie's value, which is nowhere else
  person TEXT NOT NULL REFERENCES person (id),
  made_ms INTEGER NOT NULL,
  seen_ms INTEGER NOT NULL,             -- when the person did something last, to the minute
  must_change INTEGER NOT NULL CHECK (must_change IN (0, 1))   -- 1: nothing but a new password is taken
) WITHOUT ROWID;
CREATE INDEX session_by_person ON session (person);

-- Each record's digest covers the one before it: src/audit.
CREATE TABLE audit (
  id INTEGER PRIMARY KEY,               -- 1, 2, 3, …, without a gap
  at_ms INTEGER NOT NULL,
  who TEXT NOT NULL,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  details TEXT NOT NULL,                -- JSON
  digest BLOB NOT NULL CHECK (length(digest) = 32)
);
CREATE INDEX audit_by_subject ON audit (subject, id);
CREATE INDEX audit_by_who ON audit (who, id);

-- Until when what is stored is kept, reckoned from the rules of the site file (src/custody/keeping.rs); NULL: not reckoned yet.
ALTER TABLE passage ADD COLUMN expires_ms INTEGER;
CREATE INDEX passage_by_expiry ON passage (expires_ms);
DROP INDEX passage_by_age;
ALTER TABLE scan ADD COLUMN expires_ms INTEGER;
CREATE INDEX scan_by_expiry ON scan (expires_ms);
CREATE INDEX outbox_by_passage ON outbox (subject);

CREATE TRIGGER hit_counts AFTER INSERT ON hit WHEN NEW.passage IS NOT NULL BEGIN
  UPDATE passage SET expires_ms = NULL WHERE id = NEW.passage;
END;
CREATE TRIGGER scan_hit_counts AFTER INSERT ON scan_hit BEGIN
  UPDATE scan SET expires_ms = NULL WHERE id = NEW.scan;
END;
CREATE TRIGGER scan_hit_goes AFTER DELETE ON scan_hit BEGIN
  UPDATE scan SET expires_ms = NULL WHERE id = OLD.scan;
END;

-- The rules that everything was reckoned by, or is being reckoned anew by: up to which row. NULL: all of it.
CREATE TABLE keeping (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  rules BLOB NOT NULL,                  -- their digest
  passage INTEGER,
  scan INTEGER
);

-- What is kept whatever its time.
CREATE TABLE hold (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('passage', 'scan', 'plate')),
  subject TEXT NOT NULL,                -- the number of a passage or scan; a plate's text
  reason TEXT NOT NULL,
  case_number TEXT NOT NULL,
  placed_by TEXT NOT NULL,
  placed_ms INTEGER NOT NULL,
  released_by TEXT,
  released_ms INTEGER
);
CREATE INDEX hold_in_force ON hold (kind, subject) WHERE released_ms IS NULL;
