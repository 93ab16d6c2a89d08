-- Times are milliseconds since the Unix epoch; digests are SHA-256; JSON as `garita read --json` tells it.

-- Where a lane's numbers go on, so that none comes back when its rows have had their time.
CREATE TABLE lane (
  id TEXT PRIMARY KEY,
  next_sequence INTEGER NOT NULL,
  next_track INTEGER NOT NULL
) WITHOUT ROWID;

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
CREATE INDEX frame_by_time ON frame (received_ms) WHERE segment IS NOT NULL;
CREATE INDEX frame_by_segment ON frame (segment) WHERE segment IS NOT NULL;

-- One vehicle in a lane's view.
CREATE TABLE track (
  lane TEXT NOT NULL,
  number INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('open', 'passed', 'unread')),
  PRIMARY KEY (lane, number)
) WITHOUT ROWID;
CREATE INDEX open_track ON track (lane, number) WHERE state = 'open';
CREATE INDEX unread_track ON track (lane, number) WHERE state = 'unread';

CREATE TABLE read (
  frame INTEGER NOT NULL REFERENCES frame (id),
  number INTEGER NOT NULL,              -- surest plate first
  lane TEXT NOT NULL,
  track INTEGER NOT NULL,
  seen TEXT NOT NULL,                   -- custody/record.rs, StoredRead
  PRIMARY KEY (frame, number),
  FOREIGN KEY (lane, track) REFERENCES track (lane, number)
) WITHOUT ROWID;
CREATE INDEX read_by_track ON read (lane, track);

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
  stored_ms INTEGER NOT NULL,
  UNIQUE (lane, track),
  FOREIGN KEY (lane, track) REFERENCES track (lane, number)
);
CREATE INDEX passage_by_time ON passage (last_ms);
CREATE INDEX passage_by_age ON passage (sought, stored_ms);
CREATE INDEX passage_by_text ON passage (text, last_ms);

CREATE TABLE evidence (
  passage INTEGER NOT NULL REFERENCES passage (id),
  number INTEGER NOT NULL,              -- 0: the frame of the winning read; then the film strip in order
  sequence INTEGER NOT NULL,            -- of the frame, in the passage's lane
  captured_ms INTEGER NOT NULL,
  digest BLOB NOT NULL CHECK (length(digest) = 32),
  length INTEGER NOT NULL,
  PRIMARY KEY (passage, number)
) WITHOUT ROWID;
CREATE INDEX evidence_by_digest ON evidence (digest);

-- An entry that met a vehicle: told at the first read that met it, settled with the passage.
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
CREATE INDEX hit_by_time ON hit (stored_ms);
CREATE INDEX hit_by_passage ON hit (passage);   -- else each passage deleted looks at all hits

-- Frames displaced before anybody looked at them: how many, in which lane and minute.
CREATE TABLE shed (
  minute_ms INTEGER NOT NULL,
  lane TEXT NOT NULL,
  frames INTEGER NOT NULL,
  PRIMARY KEY (minute_ms, lane)
) WITHOUT ROWID;

-- What must leave the site; written with what it speaks of, in one commit.
CREATE TABLE outbox (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  subject TEXT NOT NULL,
  body TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  delivered_ms INTEGER
);
CREATE INDEX outbox_waiting ON outbox (id) WHERE delivered_ms IS NULL;

-- One train at a portal.
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
  summary TEXT,                         -- the object per scan of `garita inspect --json`
  UNIQUE (portal, key),
  CHECK ((file IS NULL) = (state = 'passing') AND (digest IS NULL) = (file IS NULL) AND (length IS NULL) = (file IS NULL))
);
CREATE INDEX scan_to_do ON scan (state, id) WHERE state IN ('passing', 'waiting');
CREATE INDEX scan_by_time ON scan (received_ms);

CREATE TABLE car (
  scan INTEGER NOT NULL REFERENCES scan (id),
  position INTEGER NOT NULL,
  mark TEXT,
  score REAL,
  told TEXT NOT NULL,                   -- the object per car of `garita inspect --json`
  PRIMARY KEY (scan, position)
) WITHOUT ROWID;
CREATE INDEX car_by_mark ON car (mark) WHERE mark IS NOT NULL;

-- What is said of a train: may come before its scan. The newest of a kind counts.
CREATE TABLE paper (
  id INTEGER PRIMARY KEY,
  portal TEXT NOT NULL,
  key BLOB NOT NULL CHECK (length(key) = 32),   -- the scan's
  kind TEXT NOT NULL CHECK (kind IN ('consist', 'manifest')),
  body TEXT NOT NULL,
  received_ms INTEGER NOT NULL
);
CREATE INDEX paper_by_scan ON paper (portal, key, kind, id);

-- An entry that met a train's list: told when a car of it has passed, settled with the scan.
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
CREATE INDEX scan_hit_by_time ON scan_hit (stored_ms);
