-- Cars in which something was found are cases as hits are: claimed, decided, taken back; by two persons where an entry or the portal wants it (src/review/cars.rs).

-- What was sent to whom: pixels of a car, for the first time.
CREATE TABLE car_viewing (
  scan INTEGER NOT NULL REFERENCES scan (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  person TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  PRIMARY KEY (scan, position, person)
) WITHOUT ROWID;
-- Until now nobody could decide on a car that they had not opened: the audit trail says so.
INSERT INTO car_viewing SELECT scan, position, person, min(decided_ms) FROM finding_disposition GROUP BY scan, position, person;

ALTER TABLE finding_disposition RENAME TO finding_disposition_of_one;
CREATE TABLE finding_disposition (
  id INTEGER PRIMARY KEY,
  scan INTEGER NOT NULL REFERENCES scan (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  finding TEXT NOT NULL,                -- what was judged, as the store had it: what a later inspection says anew is judged anew
  stage TEXT NOT NULL CHECK (stage IN ('open', 'second', 'supervisor')),   -- where the finding stood when it was decided
  person TEXT NOT NULL, name TEXT NOT NULL,
  verdict TEXT NOT NULL CHECK (verdict IN ('confirmed', 'rejected', 'referred')),
  reason TEXT CHECK (reason IN ('structure', 'cargo', 'declared', 'artefact', 'seen_before', 'other')),
  note TEXT CHECK (length(note) BETWEEN 1 AND 2000),
  looked_ms INTEGER,                    -- from the painting of its pixels to the decision; not known of the oldest
  decided_ms INTEGER NOT NULL,
  undone_ms INTEGER,                    -- taken back by the same person
  CHECK ((verdict = 'rejected') = (reason IS NOT NULL)),
  CHECK (reason IS NOT 'other' OR note IS NOT NULL),
  FOREIGN KEY (scan, position, person) REFERENCES car_viewing (scan, position, person)   -- nobody decides on what they were not sent
);
INSERT INTO finding_disposition (id, scan, position, finding, stage, person, name, verdict, reason, note, decided_ms, undone_ms)
  SELECT id, scan, position, finding, 'open', person, name, verdict, reason, note, decided_ms, undone_ms FROM finding_disposition_of_one;
DROP TABLE finding_disposition_of_one;
CREATE INDEX finding_disposition_by_car ON finding_disposition (scan, position, finding);
-- Nobody decides twice on one finding: the second person is never the first.
CREATE UNIQUE INDEX finding_once ON finding_disposition (scan, position, finding, person) WHERE undone_ms IS NULL;

CREATE TABLE car_case (
  id INTEGER PRIMARY KEY,
  scan INTEGER NOT NULL REFERENCES scan (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('open', 'second', 'supervisor', 'confirmed', 'rejected', 'withdrawn')),
  priority INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 100),
  two_person INTEGER NOT NULL CHECK (two_person IN (0, 1)),
  stored_ms INTEGER NOT NULL,
  owner TEXT, owner_name TEXT,          -- who has it in hand
  lease_until_ms INTEGER,               -- and until when others may not take it
  claimed_ms INTEGER,                   -- since when
  UNIQUE (scan, position),
  CHECK ((owner IS NULL) = (lease_until_ms IS NULL) AND (owner IS NULL) = (owner_name IS NULL) AND (owner IS NULL) = (claimed_ms IS NULL))
);
CREATE INDEX car_case_to_do ON car_case (priority, id) WHERE state IN ('open', 'second', 'supervisor');
CREATE INDEX car_case_by_owner ON car_case (owner) WHERE owner IS NOT NULL;

-- What was found before. 0.5 and the priority: as src/review/cars.rs has them.
INSERT INTO car_case (scan, position, state, priority, two_person, stored_ms)
  SELECT scan, position,
    CASE WHEN undecided > 0 THEN 'open' WHEN confirmed > 0 AND two THEN 'second' WHEN confirmed > 0 THEN 'confirmed' ELSE 'rejected' END,
    min(coalesce(listed, 100), 10 + CAST(round(100 * (1 - most)) AS INTEGER)), two, stored_ms
  FROM (SELECT car.scan, car.position, coalesce(scan.inspected_ms, scan.received_ms) AS stored_ms,
      max(f.value ->> 'probability') AS most,
      sum(f.value ->> 'probability' >= 0.5 AND d.id IS NULL) AS undecided, sum(d.verdict IS 'confirmed') AS confirmed,
      (SELECT min(priority) FROM scan_hit AS h WHERE h.scan = car.scan AND h.position = car.position AND h.state <> 'withdrawn') AS listed,
      EXISTS (SELECT 1 FROM scan_hit AS h WHERE h.scan = car.scan AND h.position = car.position AND h.state <> 'withdrawn' AND json_extract(h.entry, '$.two_person') = 1) AS two
    FROM car JOIN scan ON scan.id = car.scan, json_each(car.told, '$.findings') AS f
    LEFT JOIN finding_disposition AS d ON d.scan = car.scan AND d.position = car.position AND d.finding = f.value AND d.undone_ms IS NULL
    WHERE f.value ->> 'probability' >= 0.5 OR d.id IS NOT NULL
    GROUP BY car.scan, car.position);

-- Which case changed: a hit's or a car's.
CREATE TABLE changed_hits AS SELECT id, hit FROM review_change;
DROP TABLE review_change;
CREATE TABLE review_change (id INTEGER PRIMARY KEY, hit INTEGER, car INTEGER, CHECK ((hit IS NULL) <> (car IS NULL)));
INSERT INTO review_change (id, hit) SELECT id, hit FROM changed_hits;
DROP TABLE changed_hits;
CREATE TRIGGER changes_are_few AFTER INSERT ON review_change BEGIN
  DELETE FROM review_change WHERE id = NEW.id - 20000;
END;
CREATE TRIGGER a_new_car_case AFTER INSERT ON car_case BEGIN
  INSERT INTO review_change (car) VALUES (NEW.id);
END;
-- A lease that is only prolonged is nobody's news.
CREATE TRIGGER a_changed_car_case AFTER UPDATE ON car_case
WHEN NEW.state IS NOT OLD.state OR NEW.owner IS NOT OLD.owner OR NEW.priority IS NOT OLD.priority OR NEW.two_person IS NOT OLD.two_person BEGIN
  INSERT INTO review_change (car) VALUES (NEW.id);
END;
-- One of several findings is decided, and the car goes on waiting.
CREATE TRIGGER a_judged_car AFTER INSERT ON finding_disposition BEGIN
  INSERT INTO review_change (car) SELECT id FROM car_case WHERE scan = NEW.scan AND position = NEW.position;
END;

-- A car that wants two persons is never confirmed by one, whatever the program thinks; and what wanted two goes on wanting them.
CREATE TRIGGER two_persons_for_a_car BEFORE UPDATE OF state ON car_case
WHEN NEW.state = 'confirmed' AND NOT EXISTS (
  SELECT 1 FROM finding_disposition WHERE scan = NEW.scan AND position = NEW.position AND verdict = 'confirmed' AND undone_ms IS NULL
  GROUP BY finding
  HAVING count(DISTINCT person) > max(NEW.two_person, EXISTS (
    SELECT 1 FROM scan_hit AS h WHERE h.scan = NEW.scan AND h.position = NEW.position AND h.state <> 'withdrawn' AND json_extract(h.entry, '$.two_person') = 1)))
BEGIN
  SELECT RAISE(ABORT, 'this car wants two persons to confirm a finding');
END;
CREATE TRIGGER two_persons_stay_two BEFORE UPDATE OF two_person ON car_case WHEN NEW.two_person < OLD.two_person BEGIN
  SELECT RAISE(ABORT, 'what wanted two persons goes on wanting them');
END;
CREATE TRIGGER no_car_begins_confirmed BEFORE INSERT ON car_case WHEN NEW.state = 'confirmed' BEGIN
  SELECT RAISE(ABORT, 'a car is confirmed by dispositions on its findings');
END;
