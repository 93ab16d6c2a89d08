-- What people make of cars. Written in the same commit as the audit record of whoever did it (src/review/cars.rs).

-- What somebody decided on a finding. `finding` is what was judged, as the store had it: what a later inspection says anew is judged anew.
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
CREATE UNIQUE INDEX finding_once ON finding_disposition (scan, position, finding) WHERE undone_ms IS NULL;

-- What somebody drew beside the pixels of a car, never in them: from one pixel of the scan to another.
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
CREATE INDEX annotation_by_car ON annotation (scan, position, id);
