-- A store as version 8 wrote it, with one train of five cars: the migrations up to 008, then rows by hand, dumped by SQLite.
PRAGMA foreign_keys = OFF;
BEGIN TRANSACTION;
CREATE TABLE annotation (
  id INTEGER PRIMARY KEY,
  scan INTEGER NOT NULL REFERENCES scan (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  person TEXT NOT NULL, name TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('box', 'arrow', 'text')),
  from_column INTEGER NOT NULL, from_detector INTEGER NOT NULL, to_column INTEGER NOT NULL, to_detector INTEGER NOT NULL,
  body TEXT NOT NULL CHECK (length(body) BETWEEN 1 AND 2000),
  at_ms INTEGER NOT NULL,
  removed_ms INTEGER                    -- no longer shown
);
CREATE TABLE audit (
  id INTEGER PRIMARY KEY,               -- 1, 2, 3, …, without a gap
  at_ms INTEGER NOT NULL,
  who TEXT NOT NULL,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  details TEXT NOT NULL,                -- JSON
  digest BLOB NOT NULL CHECK (length(digest) = 32)
);
CREATE TABLE car (
  scan INTEGER NOT NULL REFERENCES scan (id),
  position INTEGER NOT NULL,
  mark TEXT,
  score REAL,
  told TEXT NOT NULL,                   -- the object per car of `garita inspect --json`
  PRIMARY KEY (scan, position)
) WITHOUT ROWID;
INSERT INTO "car" VALUES(1,1,'RBOX 1',1.0,'{"kind":"boxcar","columns":[0,9],"findings":[{"kind":"box","probability":0.9},{"kind":"box","probability":0.3}]}');
INSERT INTO "car" VALUES(1,2,'RBOX 2',1.0,'{"kind":"boxcar","columns":[0,9],"findings":[{"kind":"person","probability":0.8}]}');
INSERT INTO "car" VALUES(1,3,'RBOX 3',1.0,'{"kind":"boxcar","columns":[0,9],"findings":[{"kind":"box","probability":0.2}]}');
INSERT INTO "car" VALUES(1,4,'RBOX 4',1.0,'{"kind":"boxcar","columns":[0,9],"findings":[{"kind":"box","probability":0.7},{"kind":"wall","probability":0.6}]}');
INSERT INTO "car" VALUES(1,5,'RBOX 5',1.0,'{"kind":"boxcar","columns":[0,9],"findings":[{"kind":"box","probability":0.95}]}');
CREATE TABLE delivery (
  webhook TEXT NOT NULL REFERENCES webhook (id) ON DELETE CASCADE,
  event INTEGER NOT NULL REFERENCES outbox (id) ON DELETE CASCADE,
  subject TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'dead')),
  attempts INTEGER NOT NULL DEFAULT 0,
  since_ms INTEGER NOT NULL,            -- since when it waits: it is given up a day later
  next_ms INTEGER NOT NULL DEFAULT 0,   -- not tried before; 0 at once
  error TEXT,                           -- of the last attempt
  PRIMARY KEY (webhook, event)
) WITHOUT ROWID;
CREATE TABLE disposition (
  id INTEGER PRIMARY KEY,
  hit INTEGER NOT NULL REFERENCES hit (id) ON DELETE CASCADE,
  stage TEXT NOT NULL CHECK (stage IN ('open', 'second', 'supervisor')),   -- the case's state when it was decided
  person TEXT NOT NULL, name TEXT NOT NULL,
  verdict TEXT NOT NULL CHECK (verdict IN ('confirmed', 'rejected', 'referred')),
  reason TEXT CHECK (reason IN ('misread', 'other_jurisdiction', 'other_vehicle', 'entry_outdated', 'duplicate', 'not_a_plate', 'other')),
  evidence BLOB NOT NULL CHECK (length(evidence) = 32),   -- SHA-256 of the picture that was on the screen
  looked_ms INTEGER NOT NULL,           -- from its painting to the decision
  claimed_ms INTEGER NOT NULL, decided_ms INTEGER NOT NULL,
  undone_ms INTEGER,                    -- taken back by the same person
  CHECK ((verdict = 'rejected') = (reason IS NOT NULL)),
  FOREIGN KEY (hit, person, evidence) REFERENCES viewing (hit, person, evidence)   -- nobody decides on what they were not sent
);
CREATE TABLE edge_read (
  id INTEGER PRIMARY KEY,
  lane TEXT NOT NULL,
  key BLOB NOT NULL CHECK (length(key) = 32),   -- what makes two events the same
  text TEXT NOT NULL,                   -- letters and digits alone
  written TEXT NOT NULL,                -- as the camera writes it
  confidence REAL,                      -- by its own measure
  jurisdiction TEXT NOT NULL,           -- empty where it does not say
  direction TEXT CHECK (direction IN ('approaching', 'leaving')),
  captured_ms INTEGER NOT NULL, received_ms INTEGER NOT NULL,
  frame INTEGER,                        -- of its picture, which may have had its time
  track INTEGER,                        -- our vehicle that it speaks of
  passage INTEGER REFERENCES passage (id),
  ours TEXT,                            -- our text of it: of the read that was nearest, by vote once the vehicle has passed
  digest BLOB CHECK (length(digest) = 32), length INTEGER,   -- its picture among the evidence, where no read of ours was to be had
  entries TEXT NOT NULL,                -- whom it may be by itself, where no read of ours was to be had: a JSON array
  UNIQUE (lane, key),
  CHECK ((track IS NULL) = (ours IS NULL) AND (digest IS NULL) = (length IS NULL) AND (passage IS NULL OR track IS NOT NULL))
);
CREATE TABLE evidence (
  passage INTEGER NOT NULL REFERENCES passage (id),
  number INTEGER NOT NULL,              -- 0: the frame of the winning read; then the film strip in order
  sequence INTEGER NOT NULL,            -- of the frame, in the passage's lane
  captured_ms INTEGER NOT NULL,
  digest BLOB NOT NULL CHECK (length(digest) = 32),
  length INTEGER NOT NULL,
  PRIMARY KEY (passage, number)
) WITHOUT ROWID;
CREATE TABLE finding_disposition (
  id INTEGER PRIMARY KEY,
  scan INTEGER NOT NULL REFERENCES scan (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  finding TEXT NOT NULL,
  person TEXT NOT NULL, name TEXT NOT NULL,
  verdict TEXT NOT NULL CHECK (verdict IN ('confirmed', 'rejected')),
  reason TEXT CHECK (reason IN ('structure', 'cargo', 'declared', 'artefact', 'seen_before', 'other')),
  note TEXT CHECK (length(note) BETWEEN 1 AND 2000),
  decided_ms INTEGER NOT NULL,
  undone_ms INTEGER,                    -- taken back by the same person
  CHECK ((verdict = 'rejected') = (reason IS NOT NULL)),
  CHECK (reason IS NOT 'other' OR note IS NOT NULL)
);
INSERT INTO "finding_disposition" VALUES(1,1,2,'{"kind":"person","probability":0.8}','ann','Ann','confirmed',NULL,NULL,3000,NULL);
INSERT INTO "finding_disposition" VALUES(2,1,4,'{"kind":"box","probability":0.7}','ann','Ann','rejected','cargo',NULL,3000,3500);
INSERT INTO "finding_disposition" VALUES(3,1,4,'{"kind":"box","probability":0.7}','bob','Bob','rejected','cargo',NULL,3000,NULL);
INSERT INTO "finding_disposition" VALUES(4,1,4,'{"kind":"wall","probability":0.6}','bob','Bob','rejected','structure',NULL,3000,NULL);
INSERT INTO "finding_disposition" VALUES(5,1,5,'{"kind":"box","probability":0.95}','ann','Ann','confirmed',NULL,NULL,3000,NULL);
CREATE TABLE frame (
  id INTEGER PRIMARY KEY,
  lane TEXT NOT NULL,
  sequence INTEGER NOT NULL,            -- the door's, rising in a lane; order is kept by it
  key BLOB NOT NULL CHECK (length(key) = 32),
  digest BLOB NOT NULL CHECK (length(digest) = 32),
  sender_sequence INTEGER,
  captured_ms INTEGER NOT NULL,
  received_ms INTEGER NOT NULL,
  skipped INTEGER NOT NULL,             -- displaced since the frame before
  segment INTEGER, at INTEGER,          -- where its bytes lie in the journal; NULL once deleted
  length INTEGER NOT NULL,
  fault TEXT, error TEXT,               -- of a bad frame
  UNIQUE (lane, sequence),
  UNIQUE (lane, key)
);
CREATE TABLE hit (
  id INTEGER PRIMARY KEY,
  lane TEXT NOT NULL,
  track INTEGER NOT NULL,
  passage INTEGER REFERENCES passage (id),
  state TEXT NOT NULL CHECK (state IN ('sighted', 'confirmed', 'withdrawn')),   -- by the passage's vote; an operator's disposition is another matter
  sequence INTEGER NOT NULL,            -- of the frame that met it first, in the lane
  list TEXT NOT NULL,
  text TEXT NOT NULL,                   -- the entry's
  jurisdiction TEXT NOT NULL,           -- the entry's; empty for any
  class TEXT NOT NULL,
  edits INTEGER NOT NULL,
  probability REAL NOT NULL,
  priority INTEGER NOT NULL,
  entry TEXT NOT NULL,                  -- all of it, as it stood then
  received_ms INTEGER NOT NULL,         -- when that frame came in
  stored_ms INTEGER NOT NULL,
  UNIQUE (lane, track, list, text, jurisdiction),
  FOREIGN KEY (lane, track) REFERENCES track (lane, number)
);
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
CREATE TABLE keeping (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  rules BLOB NOT NULL,                  -- their digest
  passage INTEGER,
  scan INTEGER
);
CREATE TABLE lane (
  id TEXT PRIMARY KEY,
  next_sequence INTEGER NOT NULL,
  next_track INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE lookback (
  id INTEGER PRIMARY KEY,
  list TEXT NOT NULL,
  reason TEXT NOT NULL,
  case_number TEXT NOT NULL,
  person TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('running', 'done', 'cut', 'ended')),   -- cut: not all entries, or not all matches; ended: with the service, or called off
  from_ms INTEGER NOT NULL,             -- the oldest passage that it looks at
  entries INTEGER NOT NULL,             -- to look for
  looked INTEGER NOT NULL DEFAULT 0,    -- of them, so far
  began_ms INTEGER NOT NULL,
  ended_ms INTEGER
);
CREATE TABLE lookback_match (
  lookback INTEGER NOT NULL REFERENCES lookback (id) ON DELETE CASCADE,
  passage INTEGER NOT NULL REFERENCES passage (id) ON DELETE CASCADE,
  entry TEXT NOT NULL,                  -- all of it
  class TEXT NOT NULL,
  edits INTEGER NOT NULL,
  probability REAL NOT NULL,
  PRIMARY KEY (lookback, passage, entry)
) WITHOUT ROWID;
CREATE TABLE note (
  id INTEGER PRIMARY KEY,
  hit INTEGER NOT NULL REFERENCES hit (id) ON DELETE CASCADE,
  person TEXT NOT NULL, name TEXT NOT NULL,
  body TEXT NOT NULL CHECK (length(body) BETWEEN 1 AND 2000),
  at_ms INTEGER NOT NULL
);
CREATE TABLE opening (
  hit INTEGER NOT NULL REFERENCES hit (id) ON DELETE CASCADE,
  person TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  pictures TEXT NOT NULL,               -- SHA-256, hexadecimal: a JSON array
  PRIMARY KEY (hit, person)
) WITHOUT ROWID;
CREATE TABLE outage (
  id INTEGER PRIMARY KEY,
  lane TEXT NOT NULL,
  from_ms INTEGER NOT NULL,
  until_ms INTEGER,                     -- none while it lasts
  why TEXT NOT NULL
);
CREATE TABLE "outbox" (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL,
  subject TEXT NOT NULL,                -- what it speaks of; events of one subject are told in order
  body TEXT NOT NULL,                   -- names rows instead of repeating them: what is deleted there is told no more
  created_ms INTEGER NOT NULL
);
CREATE TABLE paper (
  id INTEGER PRIMARY KEY,
  portal TEXT NOT NULL,
  key BLOB NOT NULL CHECK (length(key) = 32),   -- the scan's
  kind TEXT NOT NULL CHECK (kind IN ('consist', 'manifest')),
  body TEXT NOT NULL,
  received_ms INTEGER NOT NULL
);
CREATE TABLE passage (
  id INTEGER PRIMARY KEY,
  lane TEXT NOT NULL,
  track INTEGER NOT NULL,
  text TEXT NOT NULL,
  confidence REAL NOT NULL,
  jurisdiction TEXT, jurisdiction_confidence REAL,
  reads INTEGER NOT NULL,
  first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL,
  sequence INTEGER NOT NULL,            -- of the frame that the winning read came from
  best TEXT NOT NULL,                   -- the winning read, StoredRead
  seen TEXT NOT NULL,                   -- per position the voted alternatives
  sought INTEGER NOT NULL CHECK (sought IN (0, 1)),   -- 1: a hit names it; kept as long as hits are
  stored_ms INTEGER NOT NULL, expires_ms INTEGER, reversed TEXT GENERATED ALWAYS AS (
  substr(text, 16, 1) || substr(text, 15, 1) || substr(text, 14, 1) || substr(text, 13, 1) || substr(text, 12, 1) || substr(text, 11, 1) ||
  substr(text, 10, 1) || substr(text, 9, 1) || substr(text, 8, 1) || substr(text, 7, 1) || substr(text, 6, 1) || substr(text, 5, 1) ||
  substr(text, 4, 1) || substr(text, 3, 1) || substr(text, 2, 1) || substr(text, 1, 1)) VIRTUAL,
  UNIQUE (lane, track),
  FOREIGN KEY (lane, track) REFERENCES track (lane, number)
);
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
CREATE TABLE proposal (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  list TEXT NOT NULL,                   -- the site file's name of it
  state TEXT NOT NULL CHECK (state IN ('proposed', 'activated', 'refused', 'expired')),
  file TEXT NOT NULL,
  changes BLOB NOT NULL CHECK (length(changes) = 32),   -- SHA-256 of what it would change: what is activated is what was shown
  told TEXT NOT NULL,                   -- what it would change, counted, and the first of each: JSON; emptied when nobody can decide any more
  note TEXT NOT NULL,
  proposed_by TEXT NOT NULL, proposed_name TEXT NOT NULL, proposed_ms INTEGER NOT NULL,
  decided_by TEXT, decided_name TEXT, decided_ms INTEGER,
  why TEXT NOT NULL DEFAULT '',         -- it was refused
  in_force_ms INTEGER,                  -- since when; none of an activated one: the service ended in between, and goes on when it starts
  CHECK ((state = 'proposed') = (decided_ms IS NULL)),
  CHECK (state NOT IN ('activated', 'refused') OR (decided_by IS NOT NULL AND decided_name IS NOT NULL)),
  -- A second person, whatever the program thinks.
  CHECK (state <> 'activated' OR decided_by <> proposed_by)
);
CREATE TABLE read (
  frame INTEGER NOT NULL REFERENCES frame (id),
  number INTEGER NOT NULL,              -- surest plate first
  lane TEXT NOT NULL,
  track INTEGER NOT NULL,
  seen TEXT NOT NULL,                   -- custody/record.rs, StoredRead
  PRIMARY KEY (frame, number),
  FOREIGN KEY (lane, track) REFERENCES track (lane, number)
) WITHOUT ROWID;
CREATE TABLE review (
  hit INTEGER PRIMARY KEY REFERENCES hit (id) ON DELETE CASCADE,
  state TEXT NOT NULL CHECK (state IN ('open', 'second', 'supervisor', 'confirmed', 'rejected', 'withdrawn')),
  owner TEXT, owner_name TEXT,          -- who has it in hand
  lease_until_ms INTEGER,               -- and until when others may not take it
  claimed_ms INTEGER,                   -- since when
  CHECK ((owner IS NULL) = (lease_until_ms IS NULL) AND (owner IS NULL) = (owner_name IS NULL) AND (owner IS NULL) = (claimed_ms IS NULL))
);
CREATE TABLE review_change (id INTEGER PRIMARY KEY, hit INTEGER NOT NULL);
CREATE TABLE scan (
  id INTEGER PRIMARY KEY,
  portal TEXT NOT NULL,
  key BLOB NOT NULL CHECK (length(key) = 32),   -- of the sender's name for it, else of its contents
  name TEXT,                            -- what the sender calls it
  upload TEXT NOT NULL UNIQUE,          -- what it was received as
  state TEXT NOT NULL CHECK (state IN ('passing', 'waiting', 'inspected', 'bad')),
  file TEXT,                            -- in scans/; none while the train passes: then it is uploads/UPLOAD.stream
  digest BLOB CHECK (length(digest) = 32),
  length INTEGER,
  received_ms INTEGER NOT NULL,
  cut_short TEXT,                       -- why it ends before the train did
  revision INTEGER NOT NULL DEFAULT 0,  -- raised by each paper: what an inspection has not seen
  attempts INTEGER NOT NULL DEFAULT 0,  -- inspections begun since it is waiting
  inspected_ms INTEGER,
  error TEXT,                           -- of a bad one
  summary TEXT, expires_ms INTEGER,                         -- the object per scan of `garita inspect --json`
  UNIQUE (portal, key),
  CHECK ((file IS NULL) = (state = 'passing') AND (digest IS NULL) = (file IS NULL) AND (length IS NULL) = (file IS NULL))
);
INSERT INTO "scan" VALUES(1,'bridge',X'0000000000000000000000000000000000000000000000000000000000000000','monday','u1','inspected','1.tif',X'0000000000000000000000000000000000000000000000000000000000000000',10,1000,NULL,0,0,2000,NULL,NULL,NULL);
CREATE TABLE scan_hit (
  id INTEGER PRIMARY KEY,
  scan INTEGER NOT NULL REFERENCES scan (id),
  position INTEGER,                     -- of the car; none where the list's car was not found in the picture
  state TEXT NOT NULL CHECK (state IN ('sighted', 'confirmed', 'withdrawn')),
  subject TEXT NOT NULL CHECK (subject IN ('mark', 'container')),
  seen TEXT NOT NULL,                   -- the mark or container as the train's list has it
  list TEXT NOT NULL,
  text TEXT NOT NULL,                   -- the entry's
  jurisdiction TEXT NOT NULL,           -- the entry's; empty for any
  class TEXT NOT NULL,
  edits INTEGER NOT NULL,
  probability REAL NOT NULL,
  priority INTEGER NOT NULL,
  entry TEXT NOT NULL,                  -- all of it, as it stood then
  stored_ms INTEGER NOT NULL,
  UNIQUE (scan, subject, seen, list, text, jurisdiction)
);
INSERT INTO "scan_hit" VALUES(1,1,2,'confirmed','mark','RBOX 2','stolen','RBOX 2','','exact',0,1.0,4,'{"text": "RBOX 2", "two_person": true}',2000);
CREATE TABLE session (
  digest BLOB PRIMARY KEY CHECK (length(digest) = 32),   -- of the cookie's value, which is nowhere else
  person TEXT NOT NULL REFERENCES person (id),
  made_ms INTEGER NOT NULL,
  seen_ms INTEGER NOT NULL,             -- when the person did something last, to the minute
  must_change INTEGER NOT NULL CHECK (must_change IN (0, 1))   -- 1: nothing but a new password is taken
) WITHOUT ROWID;
CREATE TABLE shed (
  minute_ms INTEGER NOT NULL,
  lane TEXT NOT NULL,
  frames INTEGER NOT NULL,
  PRIMARY KEY (minute_ms, lane)
) WITHOUT ROWID;
CREATE TABLE store (
  id TEXT NOT NULL,
  beat_ms INTEGER NOT NULL              -- when the service was last seen running; 0 before it ever was
);
INSERT INTO "store" VALUES('0123456789abcdef',0);
CREATE TABLE track (
  lane TEXT NOT NULL,
  number INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('open', 'passed', 'unread')),
  PRIMARY KEY (lane, number)
) WITHOUT ROWID;
CREATE TABLE viewing (
  hit INTEGER NOT NULL REFERENCES hit (id) ON DELETE CASCADE,
  person TEXT NOT NULL,
  evidence BLOB NOT NULL CHECK (length(evidence) = 32),
  at_ms INTEGER NOT NULL,
  PRIMARY KEY (hit, person, evidence)
) WITHOUT ROWID;
CREATE TABLE webhook (
  id TEXT PRIMARY KEY,
  kinds TEXT NOT NULL                   -- the events that it wants, a JSON array; empty for all
) WITHOUT ROWID;
CREATE INDEX frame_by_time ON frame (received_ms) WHERE segment IS NOT NULL;
CREATE INDEX frame_by_segment ON frame (segment) WHERE segment IS NOT NULL;
CREATE INDEX open_track ON track (lane, number) WHERE state = 'open';
CREATE INDEX unread_track ON track (lane, number) WHERE state = 'unread';
CREATE INDEX read_by_track ON read (lane, track);
CREATE INDEX evidence_by_digest ON evidence (digest);
CREATE INDEX hit_by_time ON hit (stored_ms);
CREATE INDEX hit_by_passage ON hit (passage);
CREATE INDEX scan_to_do ON scan (state, id) WHERE state IN ('passing', 'waiting');
CREATE INDEX scan_by_time ON scan (received_ms);
CREATE INDEX car_by_mark ON car (mark) WHERE mark IS NOT NULL;
CREATE INDEX paper_by_scan ON paper (portal, key, kind, id);
CREATE INDEX scan_hit_by_time ON scan_hit (stored_ms);
CREATE INDEX session_by_person ON session (person);
CREATE INDEX audit_by_subject ON audit (subject, id);
CREATE INDEX audit_by_who ON audit (who, id);
CREATE INDEX passage_by_expiry ON passage (expires_ms);
CREATE INDEX scan_by_expiry ON scan (expires_ms);
CREATE TRIGGER hit_counts AFTER INSERT ON hit WHEN NEW.passage IS NOT NULL BEGIN
  UPDATE passage SET expires_ms = NULL WHERE id = NEW.passage;
END;
CREATE TRIGGER scan_hit_counts AFTER INSERT ON scan_hit BEGIN
  UPDATE scan SET expires_ms = NULL WHERE id = NEW.scan;
END;
CREATE TRIGGER scan_hit_goes AFTER DELETE ON scan_hit BEGIN
  UPDATE scan SET expires_ms = NULL WHERE id = OLD.scan;
END;
CREATE INDEX hold_in_force ON hold (kind, subject) WHERE released_ms IS NULL;
CREATE INDEX outbox_by_age ON outbox (created_ms);
CREATE INDEX outbox_by_passage ON outbox (subject);
CREATE INDEX delivery_due ON delivery (webhook, state, next_ms, event);
CREATE INDEX delivery_in_order ON delivery (webhook, subject, event);
CREATE INDEX delivery_by_event ON delivery (event);
CREATE TRIGGER outbox_to_webhooks AFTER INSERT ON outbox BEGIN
  INSERT INTO delivery (webhook, event, subject, state, since_ms)
  SELECT id, NEW.id, NEW.subject, 'waiting', NEW.created_ms FROM webhook
  WHERE json_array_length(kinds) = 0 OR NEW.kind IN (SELECT value FROM json_each(kinds));
END;
CREATE INDEX outage_by_end ON outage (lane, until_ms);
CREATE INDEX passage_by_text ON passage (text, last_ms, lane, jurisdiction);
CREATE INDEX passage_by_end ON passage (reversed, last_ms, lane, jurisdiction);
CREATE INDEX passage_by_time ON passage (last_ms, id, text, lane, jurisdiction);
CREATE INDEX hit_by_list ON hit (list, passage);
CREATE INDEX scan_hit_by_list ON scan_hit (list, scan);
CREATE INDEX lookback_match_by_passage ON lookback_match (passage);
CREATE INDEX review_to_do ON review (hit) WHERE state IN ('open', 'second', 'supervisor');
CREATE INDEX review_by_owner ON review (owner) WHERE owner IS NOT NULL;
CREATE INDEX disposition_by_hit ON disposition (hit, id);
CREATE INDEX disposition_by_time ON disposition (decided_ms);
CREATE UNIQUE INDEX disposition_once ON disposition (hit, person) WHERE undone_ms IS NULL;
CREATE INDEX note_by_hit ON note (hit, id);
CREATE TRIGGER a_hit_is_a_case AFTER INSERT ON hit BEGIN
  INSERT INTO review (hit, state) VALUES (NEW.id, CASE NEW.state WHEN 'withdrawn' THEN 'withdrawn' ELSE 'open' END);
END;
CREATE TRIGGER a_settled_hit AFTER UPDATE OF state ON hit WHEN NEW.state IS NOT OLD.state BEGIN
  UPDATE review SET state = 'withdrawn', owner = NULL, owner_name = NULL, lease_until_ms = NULL, claimed_ms = NULL
    WHERE NEW.state = 'withdrawn' AND hit = NEW.id AND state = 'open';
  INSERT INTO review_change (hit) VALUES (NEW.id);
END;
CREATE TRIGGER a_new_case AFTER INSERT ON review BEGIN
  INSERT INTO review_change (hit) VALUES (NEW.hit);
END;
CREATE TRIGGER a_changed_case AFTER UPDATE ON review WHEN NEW.state IS NOT OLD.state OR NEW.owner IS NOT OLD.owner BEGIN
  INSERT INTO review_change (hit) VALUES (NEW.hit);
END;
CREATE TRIGGER a_noted_case AFTER INSERT ON note BEGIN
  INSERT INTO review_change (hit) VALUES (NEW.hit);
END;
CREATE TRIGGER changes_are_few AFTER INSERT ON review_change BEGIN
  DELETE FROM review_change WHERE id = NEW.id - 20000;
END;
CREATE TRIGGER two_persons BEFORE UPDATE OF state ON review
WHEN NEW.state = 'confirmed' AND
  (SELECT count(DISTINCT person) FROM disposition WHERE hit = NEW.hit AND verdict = 'confirmed' AND undone_ms IS NULL)
    < (SELECT CASE json_extract(entry, '$.two_person') WHEN 1 THEN 2 ELSE 1 END FROM hit WHERE id = NEW.hit)
BEGIN
  SELECT RAISE(ABORT, 'this entry wants two persons to confirm a hit');
END;
CREATE TRIGGER no_case_begins_confirmed BEFORE INSERT ON review WHEN NEW.state = 'confirmed' BEGIN
  SELECT RAISE(ABORT, 'a case is confirmed by its dispositions');
END;
CREATE INDEX edge_read_by_time ON edge_read (captured_ms, id);
CREATE INDEX edge_read_alone ON edge_read (lane, captured_ms) WHERE track IS NULL;
CREATE INDEX edge_read_by_track ON edge_read (lane, track) WHERE track IS NOT NULL;
CREATE INDEX edge_read_by_passage ON edge_read (passage) WHERE passage IS NOT NULL;
CREATE INDEX edge_read_by_digest ON edge_read (digest) WHERE digest IS NOT NULL;
CREATE INDEX edge_read_by_age ON edge_read (received_ms) WHERE passage IS NULL;
CREATE UNIQUE INDEX finding_once ON finding_disposition (scan, position, finding) WHERE undone_ms IS NULL;
CREATE INDEX annotation_by_car ON annotation (scan, position, id);
CREATE INDEX proposal_open ON proposal (proposed_ms) WHERE state = 'proposed';
CREATE TRIGGER a_proposal_begins_undecided BEFORE INSERT ON proposal WHEN NEW.state <> 'proposed' BEGIN
  SELECT RAISE(ABORT, 'a list is activated by a second person');
END;
CREATE TRIGGER a_proposal_stays_its_own BEFORE UPDATE ON proposal
WHEN NEW.proposed_by <> OLD.proposed_by OR NEW.changes <> OLD.changes OR NEW.file <> OLD.file OR NEW.list <> OLD.list
  OR (OLD.state <> 'proposed' AND (NEW.state <> OLD.state OR NEW.decided_by IS NOT OLD.decided_by)) BEGIN
  SELECT RAISE(ABORT, 'what was proposed, by whom, and what was decided does not change');
END;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('outbox',0);
COMMIT;
PRAGMA application_id = 1196577857;
PRAGMA user_version = 8;
