-- New versions of lists that somebody proposed over HTTP, and what became of them. The index of an open one lies in `lists/` under `file`.

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
CREATE INDEX proposal_open ON proposal (proposed_ms) WHERE state = 'proposed';

CREATE TRIGGER a_proposal_begins_undecided BEFORE INSERT ON proposal WHEN NEW.state <> 'proposed' BEGIN
  SELECT RAISE(ABORT, 'a list is activated by a second person');
END;
CREATE TRIGGER a_proposal_stays_its_own BEFORE UPDATE ON proposal
WHEN NEW.proposed_by <> OLD.proposed_by OR NEW.changes <> OLD.changes OR NEW.file <> OLD.file OR NEW.list <> OLD.list
  OR (OLD.state <> 'proposed' AND (NEW.state <> OLD.state OR NEW.decided_by IS NOT OLD.decided_by)) BEGIN
  SELECT RAISE(ABORT, 'what was proposed, by whom, and what was decided does not change');
END;
