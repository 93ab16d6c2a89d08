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
