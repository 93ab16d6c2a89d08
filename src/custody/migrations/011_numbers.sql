-- A row's number that somebody was told never comes back, even when all that bore one have had their time: theirs are given out from here.

CREATE TABLE numbered (
  kind TEXT PRIMARY KEY,                -- the table
  last INTEGER NOT NULL                 -- the highest number ever given
) WITHOUT ROWID;
-- Of those that are gone, the audit trail knows some.
INSERT INTO numbered VALUES
  ('frame', (SELECT coalesce(max(id), 0) FROM frame)),
  ('passage', max((SELECT coalesce(max(id), 0) FROM passage),
    (SELECT coalesce(max(gone.value), 0) FROM audit, json_each(audit.details, '$.passages') AS gone WHERE audit.subject = 'passages' AND audit.action = 'deleted'))),
  ('hit', max((SELECT coalesce(max(id), 0) FROM hit),
    (SELECT coalesce(max(CAST(substr(subject, 5) AS INTEGER)), 0) FROM audit WHERE subject >= 'hit ' AND subject < 'hit!'))),
  ('scan', max((SELECT coalesce(max(id), 0) FROM scan),
    (SELECT coalesce(max(gone.value), 0) FROM audit, json_each(audit.details, '$.scans') AS gone WHERE audit.subject = 'scans' AND audit.action = 'deleted'))),
  ('scan_hit', (SELECT coalesce(max(id), 0) FROM scan_hit)),
  ('edge_read', (SELECT coalesce(max(id), 0) FROM edge_read));

CREATE TRIGGER a_numbered_frame AFTER INSERT ON frame BEGIN
  UPDATE numbered SET last = max(last, NEW.id) WHERE kind = 'frame';
END;
CREATE TRIGGER a_numbered_passage AFTER INSERT ON passage BEGIN
  UPDATE numbered SET last = max(last, NEW.id) WHERE kind = 'passage';
END;
CREATE TRIGGER a_numbered_hit AFTER INSERT ON hit BEGIN
  UPDATE numbered SET last = max(last, NEW.id) WHERE kind = 'hit';
END;
CREATE TRIGGER a_numbered_scan AFTER INSERT ON scan BEGIN
  UPDATE numbered SET last = max(last, NEW.id) WHERE kind = 'scan';
END;
CREATE TRIGGER a_numbered_scan_hit AFTER INSERT ON scan_hit BEGIN
  UPDATE numbered SET last = max(last, NEW.id) WHERE kind = 'scan_hit';
END;
CREATE TRIGGER a_numbered_edge_read AFTER INSERT ON edge_read BEGIN
  UPDATE numbered SET last = max(last, NEW.id) WHERE kind = 'edge_read';
END;

-- How many of its reads were stored when it had passed: fewer than `reads` where frames were refused or had their time; NULL of passages of before.
ALTER TABLE passage ADD COLUMN stored_reads INTEGER;
