-- What people make of hits. Written in the same commit as the audit record of whoever did it (src/review/).

-- Every hit is a case from the commit that stores it on.
CREATE TABLE review (
  hit INTEGER PRIMARY KEY REFERENCES hit (id) ON DELETE CASCADE,
  state TEXT NOT NULL CHECK (state IN ('open', 'second', 'supervisor', 'confirmed', 'rejected', 'withdrawn')),
  owner TEXT, owner_name TEXT,          -- who has it in hand
  lease_until_ms INTEGER,               -- and until when others may not take it
  claimed_ms INTEGER,                   -- since when
  CHECK ((owner IS NULL) = (lease_until_ms IS NULL) AND (owner IS NULL) = (owner_name IS NULL) AND (owner IS NULL) = (claimed_ms IS NULL))
);
CREATE INDEX review_to_do ON review (hit) WHERE state IN ('open', 'second', 'supervisor');
CREATE INDEX review_by_owner ON review (owner) WHERE owner IS NOT NULL;

-- What somebody decided, in the order in which they did.
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
CREATE INDEX disposition_by_hit ON disposition (hit, id);
CREATE INDEX disposition_by_time ON disposition (decided_ms);
-- Nobody decides twice on one hit: the second person is never the first.
CREATE UNIQUE INDEX disposition_once ON disposition (hit, person) WHERE undone_ms IS NULL;

-- What was sent to whom: a picture of a case, for the first time.
CREATE TABLE viewing (
  hit INTEGER NOT NULL REFERENCES hit (id) ON DELETE CASCADE,
  person TEXT NOT NULL,
  evidence BLOB NOT NULL CHECK (length(evidence) = 32),
  at_ms INTEGER NOT NULL,
  PRIMARY KEY (hit, person, evidence)
) WITHOUT ROWID;

CREATE TABLE note (
  id INTEGER PRIMARY KEY,
  hit INTEGER NOT NULL REFERENCES hit (id) ON DELETE CASCADE,
  person TEXT NOT NULL, name TEXT NOT NULL,
  body TEXT NOT NULL CHECK (length(body) BETWEEN 1 AND 2000),
  at_ms INTEGER NOT NULL
);
CREATE INDEX note_by_hit ON note (hit, id);

-- Which case changed, in order: what screens are told. As many as the trigger leaves; a screen that was away for longer asks for everything.
CREATE TABLE review_change (id INTEGER PRIMARY KEY, hit INTEGER NOT NULL);

INSERT INTO review (hit, state) SELECT id, CASE state WHEN 'withdrawn' THEN 'withdrawn' ELSE 'open' END FROM hit;

CREATE TRIGGER a_hit_is_a_case AFTER INSERT ON hit BEGIN
  INSERT INTO review (hit, state) VALUES (NEW.id, CASE NEW.state WHEN 'withdrawn' THEN 'withdrawn' ELSE 'open' END);
END;

-- The vote of its passage takes a hit back: there is nothing to decide, unless somebody has.
CREATE TRIGGER a_settled_hit AFTER UPDATE OF state ON hit WHEN NEW.state IS NOT OLD.state BEGIN
  UPDATE review SET state = 'withdrawn', owner = NULL, owner_name = NULL, lease_until_ms = NULL, claimed_ms = NULL
    WHERE NEW.state = 'withdrawn' AND hit = NEW.id AND state = 'open';
  INSERT INTO review_change (hit) VALUES (NEW.id);
END;

CREATE TRIGGER a_new_case AFTER INSERT ON review BEGIN
  INSERT INTO review_change (hit) VALUES (NEW.hit);
END;

-- A lease that is only prolonged is nobody's news.
CREATE TRIGGER a_changed_case AFTER UPDATE ON review WHEN NEW.state IS NOT OLD.state OR NEW.owner IS NOT OLD.owner BEGIN
  INSERT INTO review_change (hit) VALUES (NEW.hit);
END;

CREATE TRIGGER a_noted_case AFTER INSERT ON note BEGIN
  INSERT INTO review_change (hit) VALUES (NEW.hit);
END;

CREATE TRIGGER changes_are_few AFTER INSERT ON review_change BEGIN
  DELETE FROM review_change WHERE id = NEW.id - 20000;
END;

-- An entry that wants two persons is never confirmed by one, whatever the program thinks.
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
