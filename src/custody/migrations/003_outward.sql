-- What leaves the site: events for others, and answers to searches.

-- An event's number never comes back, even when all that bore one have been deleted: receivers know events by it.
CREATE TABLE outbox_numbered (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL,
  subject TEXT NOT NULL,                -- what it speaks of; events of one subject are told in order
  body TEXT NOT NULL,                   -- names rows instead of repeating them: what is deleted there is told no more
  created_ms INTEGER NOT NULL
);
INSERT INTO outbox_numbered SELECT id, kind, subject, body, created_ms FROM outbox;
DROP TABLE outbox;
ALTER TABLE outbox_numbered RENAME TO outbox;
CREATE INDEX outbox_by_age ON outbox (created_ms);
CREATE INDEX outbox_by_passage ON outbox (subject);   -- gone with the table that it was of

-- Whose events they are, among the events of all stores.
CREATE TABLE store (
  id TEXT NOT NULL,
  beat_ms INTEGER NOT NULL              -- when the service was last seen running; 0 before it ever was
);
INSERT INTO store VALUES (lower(hex(randomblob(8))), 0);

-- The webhooks of the site file.
CREATE TABLE webhook (
  id TEXT PRIMARY KEY,
  kinds TEXT NOT NULL                   -- the events that it wants, a JSON array; empty for all
) WITHOUT ROWID;

-- Events that a webhook has not taken yet. What was delivered has no row.
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
CREATE INDEX delivery_due ON delivery (webhook, state, next_ms, event);
CREATE INDEX delivery_in_order ON delivery (webhook, subject, event);
CREATE INDEX delivery_by_event ON delivery (event);

-- In the commit that makes an event, whoever makes it.
CREATE TRIGGER outbox_to_webhooks AFTER INSERT ON outbox BEGIN
  INSERT INTO delivery (webhook, event, subject, state, since_ms)
  SELECT id, NEW.id, NEW.subject, 'waiting', NEW.created_ms FROM webhook
  WHERE json_array_length(kinds) = 0 OR NEW.kind IN (SELECT value FROM json_each(kinds));
END;

-- When a lane saw nothing.
CREATE TABLE outage (
  id INTEGER PRIMARY KEY,
  lane TEXT NOT NULL,
  from_ms INTEGER NOT NULL,
  until_ms INTEGER,                     -- none while it lasts
  why TEXT NOT NULL
);
CREATE INDEX outage_by_end ON outage (lane, until_ms);

-- Searches: by text from its beginning and from its end, and by time; each with all that narrows a search down, so that only rows that are told are looked up.
ALTER TABLE passage ADD COLUMN reversed TEXT GENERATED ALWAYS AS (
  substr(text, 16, 1) || substr(text, 15, 1) || substr(text, 14, 1) || substr(text, 13, 1) || substr(text, 12, 1) || substr(text, 11, 1) ||
  substr(text, 10, 1) || substr(text, 9, 1) || substr(text, 8, 1) || substr(text, 7, 1) || substr(text, 6, 1) || substr(text, 5, 1) ||
  substr(text, 4, 1) || substr(text, 3, 1) || substr(text, 2, 1) || substr(text, 1, 1)) VIRTUAL;
DROP INDEX passage_by_text;
CREATE INDEX passage_by_text ON passage (text, last_ms, lane, jurisdiction);
CREATE INDEX passage_by_end ON passage (reversed, last_ms, lane, jurisdiction);
DROP INDEX passage_by_time;
CREATE INDEX passage_by_time ON passage (last_ms, id, text, lane, jurisdiction);
CREATE INDEX hit_by_list ON hit (list, passage);
CREATE INDEX scan_hit_by_list ON scan_hit (list, scan);

-- Old passages against new entries of a list.
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
CREATE INDEX lookback_match_by_passage ON lookback_match (passage);
