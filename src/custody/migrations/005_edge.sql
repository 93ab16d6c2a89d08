-- What cameras read by themselves: a second opinion beside ours, never a passage (src/custody/edge_reads.rs).
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
CREATE INDEX edge_read_by_time ON edge_read (captured_ms, id);
CREATE INDEX edge_read_alone ON edge_read (lane, captured_ms) WHERE track IS NULL;
CREATE INDEX edge_read_by_track ON edge_read (lane, track) WHERE track IS NOT NULL;
CREATE INDEX edge_read_by_passage ON edge_read (passage) WHERE passage IS NOT NULL;
CREATE INDEX edge_read_by_digest ON edge_read (digest) WHERE digest IS NOT NULL;
CREATE INDEX edge_read_by_age ON edge_read (received_ms) WHERE passage IS NULL;
