-- A store as version 1 wrote it, without its files. By tests/custody_check.rs, the_old_store_is_written.
BEGIN;
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
CREATE TABLE track (
  lane TEXT NOT NULL,
  number INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('open', 'passed', 'unread')),
  PRIMARY KEY (lane, number)
) WITHOUT ROWID;
CREATE TABLE read (
  frame INTEGER NOT NULL REFERENCES frame (id),
  number INTEGER NOT NULL,              -- surest plate first
  lane TEXT NOT NULL,
  track INTEGER NOT NULL,
  seen TEXT NOT NULL,                   -- custody/record.rs, StoredRead
  PRIMARY KEY (frame, number),
  FOREIGN KEY (lane, track) REFERENCES track (lane, number)
) WITHOUT ROWID;
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
CREATE TABLE evidence (
  passage INTEGER NOT NULL REFERENCES passage (id),
  number INTEGER NOT NULL,              -- 0: the frame of the winning read; then the film strip in order
  sequence INTEGER NOT NULL,            -- of the frame, in the passage's lane
  captured_ms INTEGER NOT NULL,
  digest BLOB NOT NULL CHECK (length(digest) = 32),
  length INTEGER NOT NULL,
  PRIMARY KEY (passage, number)
) WITHOUT ROWID;
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
CREATE TABLE shed (
  minute_ms INTEGER NOT NULL,
  lane TEXT NOT NULL,
  frames INTEGER NOT NULL,
  PRIMARY KEY (minute_ms, lane)
) WITHOUT ROWID;
CREATE TABLE outbox (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  subject TEXT NOT NULL,
  body TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  delivered_ms INTEGER
);
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
CREATE TABLE car (
  scan INTEGER NOT NULL REFERENCES scan (id),
  position INTEGER NOT NULL,
  mark TEXT,
  score REAL,
  told TEXT NOT NULL,                   -- the object per car of `garita inspect --json`
  PRIMARY KEY (scan, position)
) WITHOUT ROWID;
CREATE TABLE paper (
  id INTEGER PRIMARY KEY,
  portal TEXT NOT NULL,
  key BLOB NOT NULL CHECK (length(key) = 32),   -- the scan's
  kind TEXT NOT NULL CHECK (kind IN ('consist', 'manifest')),
  body TEXT NOT NULL,
  received_ms INTEGER NOT NULL
);
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
INSERT INTO lane (id, next_sequence, next_track) VALUES ('north', 30, 3);
INSERT INTO track (lane, number, state) VALUES ('north', 0, 'passed');
INSERT INTO track (lane, number, state) VALUES ('north', 1, 'passed');
INSERT INTO track (lane, number, state) VALUES ('north', 2, 'open');
INSERT INTO frame (id, lane, sequence, key, digest, sender_sequence, captured_ms, received_ms, skipped, segment, at, length, fault, error) VALUES (1, 'north', 0, X'970B6DF68EF387964AE0FFFDDB6F371D2F5B96ABC9A5A0A632BDAC06853C2D88', X'A57E5846EA606F708EEF830C0C3C4B7546E6E672E5DFB0903D0C450D5CF6D639', 1000, 1700000000000, 1700000000007, 0, 1, 0, 2000, NULL, NULL);
INSERT INTO frame (id, lane, sequence, key, digest, sender_sequence, captured_ms, received_ms, skipped, segment, at, length, fault, error) VALUES (2, 'north', 1, X'1EC99C8FB24C009A242B2F9D405707DCC4F7EF3A40E0E30375E05229DE03EF72', X'52F510390AD1D77C0215134B66856823C45CE8A75AB900DC5E7395C4F9CA069E', 1001, 1700000000500, 1700000000507, 0, 1, 2000, 2037, NULL, NULL);
INSERT INTO frame (id, lane, sequence, key, digest, sender_sequence, captured_ms, received_ms, skipped, segment, at, length, fault, error) VALUES (3, 'north', 2, X'90B190FF938C93725AC80537423165CF7807061836FF3689EBB6133366B2526E', X'61D07785387604D82B1E224317ADA714A56AE5D25167A524856A1E187AEE731E', 1002, 1700000001000, 1700000001007, 0, 1, 4037, 2074, NULL, NULL);
INSERT INTO frame (id, lane, sequence, key, digest, sender_sequence, captured_ms, received_ms, skipped, segment, at, length, fault, error) VALUES (4, 'north', 3, X'A8B0EA4FBFF4AF73B1C7CF90D91848EEBDE9E7F72B7BE40C0189349D727CE6F9', X'143D530AB7AA139AE4CA9FB39335D3A5DF27EDA069236440CBDF54BD891B1FF4', 1003, 1700000001500, 1700000001507, 0, 1, 6111, 2111, NULL, NULL);
INSERT INTO frame (id, lane, sequence, key, digest, sender_sequence, captured_ms, received_ms, skipped, segment, at, length, fault, error) VALUES (5, 'north', 4, X'4E3B332DD2E8001F1DA45F2AC426CCFDE2292CD886F96A772C6FDB05BE40C0C8', X'A517472309EF81A6A3EE337EA94C5E0C6001285F1C415236DDA00EE31FB39A30', 1004, 1700000002000, 1700000002007, 0, 1, 8222, 2148, NULL, NULL);
INSERT INTO frame (id, lane, sequence, key, digest, sender_sequence, captured_ms, received_ms, skipped, segment, at, length, fault, error) VALUES (6, 'north', 5, X'65FA67FE5A31082040321AC0615B11E24AA3D7EF1884C4C9B87392DACB8870AD', X'BFC345E5FE1FCB3D5A6D7515AB08B6182F2B5FAF3098C30E4DB80031415936E3', 1005, 1700000002500, 1700000002507, 0, 1, 10370, 2185, NULL, NULL);
INSERT INTO frame (id, lane, sequence, key, digest, sender_sequence, captured_ms, received_ms, skipped, segment, at, length, fault, error) VALUES (7, 'north', 6, X'7E111650E7C12E61489D8557B3F6F8FA2E7F5D50DCA2597D87FC998156A71985', X'BE83C2F84BA27978016DAA1381F001E224CB357763A9AB10FD784E392783216A', 1006, 1700000003000, 1700000003007, 0, 1, 12555, 2222, NULL, NULL);
INSERT INTO frame (id, lane, sequence, key, digest, sender_sequence, captured_ms, received_ms, skipped, segment, at, length, fault, error) VALUES (8, 'north', 7, X'138432CCF99958B52833A5B4405DFC2843D326C354B482FCF62E23FC3DF00A73', X'1820A0AA844758B3A7C9821D66B2D7795CB4B532CA085F915E17FA7F311752BD', 1007, 1700000003500, 1700000003507, 0, 1, 14777, 2259, NULL, NULL);
INSERT INTO frame (id, lane, sequence, key, digest, sender_sequence, captured_ms, received_ms, skipped, segment, at, length, fault, error) VALUES (9, 'north', 8, X'BCE2D42AF7D9CFBA243D883466B887733EDE36CF3835D63283C3A1F1631328A6', X'08A703D920544E56D8EC358EBF8ACB0F3A8D9797208C8BBBC6643B75D812A3F8', 1008, 1700000004000, 1700000004007, 0, 1, 17036, 2296, NULL, NULL);
INSERT INTO frame (id, lane, sequence, key, digest, sender_sequence, captured_ms, received_ms, skipped, segment, at, length, fault, error) VALUES (10, 'north', 9, X'E2AD94974C0219C0F50877DC88C07C65E086DD51B0FEA6DBF6E1949C0BE94355', X'D3086877DCBDD10A9837520B65F9FD54B19D34528B80F6AE3136E7602D39973E', 1009, 1700000004500, 1700000004507, 0, 1, 19332, 2333, NULL, NULL);
INSERT INTO frame (id, lane, sequence, key, digest, sender_sequence, captured_ms, received_ms, skipped, segment, at, length, fault, error) VALUES (11, 'north', 10, X'CBC4E2CCFAA6F34258336578EE33E55B16224F35DCBF5DBBCCB805F7A15ECABC', X'513649BFDF27D3CC38881E89698D852CD98B2013F7115B13B6F4B5D141D9571A', 1010, 1700000005000, 1700000005007, 0, 1, 21665, 2370, NULL, NULL);
INSERT INTO frame (id, lane, sequence, key, digest, sender_sequence, captured_ms, received_ms, skipped, segment, at, length, fault, error) VALUES (12, 'north', 11, X'B29DA4190E6E878055C36E37D44E743A13DB91113E715ABC22B0CBFEF2E1CDAE', X'E1B7C3898DB811CA193F4120D576E43758E5C5860E62B77932438392028FAC8F', 1011, 1700000005500, 1700000005507, 0, 1, 24035, 2407, NULL, NULL);
INSERT INTO frame (id, lane, sequence, key, digest, sender_sequence, captured_ms, received_ms, skipped, segment, at, length, fault, error) VALUES (13, 'north', 12, X'5389E647E3AC4A11022BCF3F6E735BDE50D08BB34020EBE1431A24F05D51FD30', X'E32D2BD08BBE4ADC3A68A8400A7EADDD8B6AA42D7F980E435EE2B4310A96B9C7', 1012, 1700000006000, 1700000006007, 0, 1, 26442, 2444, NULL, NULL);
INSERT INTO frame (id, lane, sequence, key, digest, sender_sequence, captured_ms, received_ms, skipped, segment, at, length, fault, error) VALUES (14, 'north', 13, X'3629D4BB9D93BB8AA8177667E0F8D0D7CB83A99E772AB70451C3C70E8A0D3880', X'7DE5FD2C1DDB6FC435574F6085E81E326D494972166F1D6F4941533A05CBAD10', 1013, 1700000006500, 1700000006507, 0, 1, 28886, 2481, NULL, NULL);
INSERT INTO frame (id, lane, sequence, key, digest, sender_sequence, captured_ms, received_ms, skipped, segment, at, length, fault, error) VALUES (15, 'north', 14, X'56258FAB48E8AA8F005C29E02F793518B206F620F8B67A0EDD102CA35AC3195C', X'08CE90B9266623D1770A0012037D3BCF98C51D4BF9C272733C9510CA3ECBEF5A', 1014, 1700000007000, 1700000007007, 0, 1, 31367, 2518, NULL, NULL);
INSERT INTO frame (id, lane, sequence, key, digest, sender_sequence, captured_ms, received_ms, skipped, segment, at, length, fault, error) VALUES (16, 'north', 15, X'1F9CED69BFFBA9DE196EE64C80E76FC2C839541F52CBA583FBF692D24D9FDF7F', X'B92AAAF067C1915BA09F3F44E9845E2A8C0719D231A158BE3FE42C3C92CC23AE', 1015, 1700000007500, 1700000007507, 0, 1, 33885, 2555, NULL, NULL);
INSERT INTO frame (id, lane, sequence, key, digest, sender_sequence, captured_ms, received_ms, skipped, segment, at, length, fault, error) VALUES (17, 'north', 16, X'84B290BD0B4BC3EC040F482820DD4BB88B52D9EEDCC29ADC1A86F9750E7F3004', X'5D1A66C3D8D6AEC7F415371DC007F0A16D61B74E3C423DF908C96E2173401872', 1016, 1700000008000, 1700000008007, 0, 1, 36440, 2592, NULL, NULL);
INSERT INTO frame (id, lane, sequence, key, digest, sender_sequence, captured_ms, received_ms, skipped, segment, at, length, fault, error) VALUES (18, 'north', 17, X'B7F47FE6E0BC50262497E46CF3836A121A9B2C8540B22E4E652A2F22F6D33798', X'4515BAFD002E9EF6657708240E320E8BAFB66322A806A8C838E9B4724E89E06E', 1017, 1700000008500, 1700000008507, 0, 1, 39032, 2629, NULL, NULL);
INSERT INTO frame (id, lane, sequence, key, digest, sender_sequence, captured_ms, received_ms, skipped, segment, at, length, fault, error) VALUES (19, 'north', 18, X'0BE0EE1A9D226CBB4427BF0C51A945B02DB989BE96C07F31598F978A314E8C5B', X'B146E8F2D057EFC03EC9BC2370EEE3FE851D6630E51E7045636433D412A229E0', 1018, 1700000009000, 1700000009007, 0, 1, 41661, 2666, NULL, NULL);
INSERT INTO frame (id, lane, sequence, key, digest, sender_sequence, captured_ms, received_ms, skipped, segment, at, length, fault, error) VALUES (20, 'north', 19, X'558EE6A0659A5219F33E7099FECE7CAF588ACB0AB17DD101010C534CC82E470F', X'CD77A1D1FCB23467608289259D90AFFAC51187A614072254AA0D8C669B275BB1', 1019, 1700000009500, 1700000009507, 0, 1, 44327, 2703, NULL, NULL);
INSERT INTO frame (id, lane, sequence, key, digest, sender_sequence, captured_ms, received_ms, skipped, segment, at, length, fault, error) VALUES (21, 'north', 20, X'8B73EB88CF3EC164393A2FDB99763555853FB412F961298E0D41D424D0DFF4FC', X'77FD4C727D3120618773C337C02B4A82C0C3067CC51432C9EBE7681EEB360F80', 1020, 1700000010000, 1700000010007, 0, 1, 47030, 2740, NULL, NULL);
INSERT INTO frame (id, lane, sequence, key, digest, sender_sequence, captured_ms, received_ms, skipped, segment, at, length, fault, error) VALUES (22, 'north', 21, X'6A74E8C374F1041842C5229354C808419E1492EA9739616AD0C6B57AC099AF9C', X'F7ED0AECB945A13777CF3F25B8E3BFE3DBBEAA2BD021EBEE4772DFBE14F0E225', 1021, 1700000010500, 1700000010507, 0, 1, 49770, 2777, NULL, NULL);
INSERT INTO frame (id, lane, sequence, key, digest, sender_sequence, captured_ms, received_ms, skipped, segment, at, length, fault, error) VALUES (23, 'north', 22, X'DA00D88AB1DE9420748C7B7A380273327D37E74FAF0113258B0B61A679321079', X'92D03A73F034E084B904A9EADBB3BDB9337CFCB1C5A8032A06BB3E1D0BB7DB62', 1022, 1700000011000, 1700000011007, 0, 1, 52547, 2814, NULL, NULL);
INSERT INTO frame (id, lane, sequence, key, digest, sender_sequence, captured_ms, received_ms, skipped, segment, at, length, fault, error) VALUES (24, 'north', 23, X'BBE6CB16DAE920C8E7768F93660F54F68DB70B282E6E1EAA9C6A83577AF8E2F9', X'073C69886AC7527DC579417CF54571E36E8CAAF9E7ED0D1123412F4AEE032683', 1023, 1700000011500, 1700000011507, 0, 1, 55361, 2851, NULL, NULL);
INSERT INTO frame (id, lane, sequence, key, digest, sender_sequence, captured_ms, received_ms, skipped, segment, at, length, fault, error) VALUES (25, 'north', 24, X'568DF2AA35EF060012F47196C97D6745C509873F7AFA298D5D6262E47C3F5653', X'9ABC8B6EFD978065C70C0B649050008708CF144E41A7924354C31C9356FE385F', 1024, 1700000012000, 1700000012007, 0, 1, 58212, 2888, NULL, NULL);
INSERT INTO frame (id, lane, sequence, key, digest, sender_sequence, captured_ms, received_ms, skipped, segment, at, length, fault, error) VALUES (26, 'north', 25, X'01FD593BD70EE134D04C9A1C259AFB6274BC3B72E2475752653B8B5A544E6E04', X'AFB7D6B90C00379473B2CFC2F0B6B9E3D563C444D5F738D14C69D56AACB76E61', 1025, 1700000012500, 1700000012507, 0, 1, 61100, 2925, NULL, NULL);
INSERT INTO frame (id, lane, sequence, key, digest, sender_sequence, captured_ms, received_ms, skipped, segment, at, length, fault, error) VALUES (27, 'north', 26, X'30408B7EFE767D141A5B9FD6D30F610E9D63C9E3A0642A7C16BDB18E82250B4D', X'F2CCCCCBC93C82C74A1D53779D9D57B7F6EB0A6374C2AE5AAA66695EBE1154CD', 1026, 1700000013000, 1700000013007, 0, 1, 64025, 2962, NULL, NULL);
INSERT INTO frame (id, lane, sequence, key, digest, sender_sequence, captured_ms, received_ms, skipped, segment, at, length, fault, error) VALUES (28, 'north', 27, X'81B71F6F3F1EEEDC2830AF48DC654D939C1B7ECD23F2D4935A03BC12F337DB98', X'6B48E9E84C55C2B1086C4E0E666B7C0DA23FC9FDC02F43604F6FC9CB1FBAB20B', 1027, 1700000013500, 1700000013507, 0, 1, 66987, 2999, NULL, NULL);
INSERT INTO frame (id, lane, sequence, key, digest, sender_sequence, captured_ms, received_ms, skipped, segment, at, length, fault, error) VALUES (29, 'north', 28, X'B5B3A01EC6BB58D9FBA45147C41FA414B80BE830FAF29CB8A5F26D2A2E946862', X'ED50671DE17B112F294913C3F42394668DB06B6C4A544741A72D01536698EDE2', 1028, 1700000014000, 1700000014007, 0, 1, 69986, 2036, NULL, NULL);
INSERT INTO frame (id, lane, sequence, key, digest, sender_sequence, captured_ms, received_ms, skipped, segment, at, length, fault, error) VALUES (30, 'north', 29, X'C2D34C463596C7F5B58AC21C2799AC92AD58671FEE9B5C157B9B4C8E24962E06', X'AF1790258CAB914B1F8B2B27B6ADE5204F5C380805EBE65A3653CD0C0055109A', 1029, 1700000014500, 1700000014507, 0, 1, 72022, 2073, NULL, NULL);
INSERT INTO read (frame, number, lane, track, seen) VALUES (1, 0, 'north', 0, '{"text":"ABC0000","confidence":0.9,"box":[10.0,10.0,100.0,32.0],"corners":[[10.0,10.0],[110.0,12.0],[110.0,42.0],[10.0,40.0]],"chars":[[["A",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["B",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["C",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]]],"jurisdiction":null,"hits":[],"score":0.9,"probability":0.8,"absent":[0.0,0.0,0.0,0.0,0.0,0.0,0.0],"looked_again":false}');
INSERT INTO read (frame, number, lane, track, seen) VALUES (2, 0, 'north', 0, '{"text":"ABC0000","confidence":0.9,"box":[10.0,10.0,100.0,32.0],"corners":[[10.0,10.0],[110.0,12.0],[110.0,42.0],[10.0,40.0]],"chars":[[["A",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["B",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["C",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]]],"jurisdiction":null,"hits":[],"score":0.9,"probability":0.8,"absent":[0.0,0.0,0.0,0.0,0.0,0.0,0.0],"looked_again":false}');
INSERT INTO read (frame, number, lane, track, seen) VALUES (3, 0, 'north', 0, '{"text":"ABC0000","confidence":0.9,"box":[10.0,10.0,100.0,32.0],"corners":[[10.0,10.0],[110.0,12.0],[110.0,42.0],[10.0,40.0]],"chars":[[["A",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["B",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["C",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]]],"jurisdiction":null,"hits":[],"score":0.9,"probability":0.8,"absent":[0.0,0.0,0.0,0.0,0.0,0.0,0.0],"looked_again":false}');
INSERT INTO read (frame, number, lane, track, seen) VALUES (4, 0, 'north', 0, '{"text":"ABC0000","confidence":0.9,"box":[10.0,10.0,100.0,32.0],"corners":[[10.0,10.0],[110.0,12.0],[110.0,42.0],[10.0,40.0]],"chars":[[["A",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["B",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["C",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]]],"jurisdiction":null,"hits":[],"score":0.9,"probability":0.8,"absent":[0.0,0.0,0.0,0.0,0.0,0.0,0.0],"looked_again":false}');
INSERT INTO read (frame, number, lane, track, seen) VALUES (5, 0, 'north', 0, '{"text":"ABC0000","confidence":0.9,"box":[10.0,10.0,100.0,32.0],"corners":[[10.0,10.0],[110.0,12.0],[110.0,42.0],[10.0,40.0]],"chars":[[["A",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["B",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["C",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]]],"jurisdiction":null,"hits":[],"score":0.9,"probability":0.8,"absent":[0.0,0.0,0.0,0.0,0.0,0.0,0.0],"looked_again":false}');
INSERT INTO read (frame, number, lane, track, seen) VALUES (11, 0, 'north', 1, '{"text":"ABC0001","confidence":0.9,"box":[10.0,10.0,100.0,32.0],"corners":[[10.0,10.0],[110.0,12.0],[110.0,42.0],[10.0,40.0]],"chars":[[["A",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["B",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["C",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["1",0.9],["0",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]]],"jurisdiction":null,"hits":[],"score":0.9,"probability":0.8,"absent":[0.0,0.0,0.0,0.0,0.0,0.0,0.0],"looked_again":false}');
INSERT INTO read (frame, number, lane, track, seen) VALUES (12, 0, 'north', 1, '{"text":"ABC0001","confidence":0.9,"box":[10.0,10.0,100.0,32.0],"corners":[[10.0,10.0],[110.0,12.0],[110.0,42.0],[10.0,40.0]],"chars":[[["A",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["B",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["C",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["1",0.9],["0",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]]],"jurisdiction":null,"hits":[],"score":0.9,"probability":0.8,"absent":[0.0,0.0,0.0,0.0,0.0,0.0,0.0],"looked_again":false}');
INSERT INTO read (frame, number, lane, track, seen) VALUES (13, 0, 'north', 1, '{"text":"ABC0001","confidence":0.9,"box":[10.0,10.0,100.0,32.0],"corners":[[10.0,10.0],[110.0,12.0],[110.0,42.0],[10.0,40.0]],"chars":[[["A",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["B",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["C",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["1",0.9],["0",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]]],"jurisdiction":null,"hits":[],"score":0.9,"probability":0.8,"absent":[0.0,0.0,0.0,0.0,0.0,0.0,0.0],"looked_again":false}');
INSERT INTO read (frame, number, lane, track, seen) VALUES (14, 0, 'north', 1, '{"text":"ABC0001","confidence":0.9,"box":[10.0,10.0,100.0,32.0],"corners":[[10.0,10.0],[110.0,12.0],[110.0,42.0],[10.0,40.0]],"chars":[[["A",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["B",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["C",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["1",0.9],["0",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]]],"jurisdiction":null,"hits":[],"score":0.9,"probability":0.8,"absent":[0.0,0.0,0.0,0.0,0.0,0.0,0.0],"looked_again":false}');
INSERT INTO read (frame, number, lane, track, seen) VALUES (15, 0, 'north', 1, '{"text":"ABC0001","confidence":0.9,"box":[10.0,10.0,100.0,32.0],"corners":[[10.0,10.0],[110.0,12.0],[110.0,42.0],[10.0,40.0]],"chars":[[["A",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["B",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["C",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["1",0.9],["0",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]]],"jurisdiction":null,"hits":[],"score":0.9,"probability":0.8,"absent":[0.0,0.0,0.0,0.0,0.0,0.0,0.0],"looked_again":false}');
INSERT INTO read (frame, number, lane, track, seen) VALUES (21, 0, 'north', 2, '{"text":"ABC0002","confidence":0.9,"box":[10.0,10.0,100.0,32.0],"corners":[[10.0,10.0],[110.0,12.0],[110.0,42.0],[10.0,40.0]],"chars":[[["A",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["B",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["C",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["2",0.9],["0",0.0028571428],["1",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]]],"jurisdiction":null,"hits":[],"score":0.9,"probability":0.8,"absent":[0.0,0.0,0.0,0.0,0.0,0.0,0.0],"looked_again":false}');
INSERT INTO read (frame, number, lane, track, seen) VALUES (22, 0, 'north', 2, '{"text":"ABC0002","confidence":0.9,"box":[10.0,10.0,100.0,32.0],"corners":[[10.0,10.0],[110.0,12.0],[110.0,42.0],[10.0,40.0]],"chars":[[["A",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["B",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["C",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["2",0.9],["0",0.0028571428],["1",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]]],"jurisdiction":null,"hits":[],"score":0.9,"probability":0.8,"absent":[0.0,0.0,0.0,0.0,0.0,0.0,0.0],"looked_again":false}');
INSERT INTO read (frame, number, lane, track, seen) VALUES (23, 0, 'north', 2, '{"text":"ABC0002","confidence":0.9,"box":[10.0,10.0,100.0,32.0],"corners":[[10.0,10.0],[110.0,12.0],[110.0,42.0],[10.0,40.0]],"chars":[[["A",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["B",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["C",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["2",0.9],["0",0.0028571428],["1",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]]],"jurisdiction":null,"hits":[],"score":0.9,"probability":0.8,"absent":[0.0,0.0,0.0,0.0,0.0,0.0,0.0],"looked_again":false}');
INSERT INTO read (frame, number, lane, track, seen) VALUES (24, 0, 'north', 2, '{"text":"ABC0002","confidence":0.9,"box":[10.0,10.0,100.0,32.0],"corners":[[10.0,10.0],[110.0,12.0],[110.0,42.0],[10.0,40.0]],"chars":[[["A",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["B",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["C",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["2",0.9],["0",0.0028571428],["1",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]]],"jurisdiction":null,"hits":[],"score":0.9,"probability":0.8,"absent":[0.0,0.0,0.0,0.0,0.0,0.0,0.0],"looked_again":false}');
INSERT INTO read (frame, number, lane, track, seen) VALUES (25, 0, 'north', 2, '{"text":"ABC0002","confidence":0.9,"box":[10.0,10.0,100.0,32.0],"corners":[[10.0,10.0],[110.0,12.0],[110.0,42.0],[10.0,40.0]],"chars":[[["A",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["B",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["C",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["2",0.9],["0",0.0028571428],["1",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]]],"jurisdiction":null,"hits":[],"score":0.9,"probability":0.8,"absent":[0.0,0.0,0.0,0.0,0.0,0.0,0.0],"looked_again":false}');
INSERT INTO passage (id, lane, track, text, confidence, jurisdiction, jurisdiction_confidence, reads, first_ms, last_ms, sequence, best, seen, sought, stored_ms) VALUES (1, 'north', 0, 'ABC0000', 0.94999998807907105, NULL, NULL, 3, 1700000001000, 1700000001000, 2, '{"text":"ABC0000","confidence":0.9,"box":[10.0,10.0,100.0,32.0],"corners":[[10.0,10.0],[110.0,12.0],[110.0,42.0],[10.0,40.0]],"chars":[[["A",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["B",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["C",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]]],"jurisdiction":null,"hits":[],"score":0.9,"probability":0.8,"absent":[0.0,0.0,0.0,0.0,0.0,0.0,0.0],"looked_again":false}', '[[["A",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["B",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["C",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]]]', 0, 1700000001000);
INSERT INTO passage (id, lane, track, text, confidence, jurisdiction, jurisdiction_confidence, reads, first_ms, last_ms, sequence, best, seen, sought, stored_ms) VALUES (2, 'north', 1, 'ABC0001', 0.94999998807907105, NULL, NULL, 3, 1700000006000, 1700000006000, 12, '{"text":"ABC0001","confidence":0.9,"box":[10.0,10.0,100.0,32.0],"corners":[[10.0,10.0],[110.0,12.0],[110.0,42.0],[10.0,40.0]],"chars":[[["A",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["B",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["C",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["1",0.9],["0",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]]],"jurisdiction":null,"hits":[],"score":0.9,"probability":0.8,"absent":[0.0,0.0,0.0,0.0,0.0,0.0,0.0],"looked_again":false}', '[[["A",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["B",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["C",0.9],["0",0.0028571428],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["0",0.9],["1",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]],[["1",0.9],["0",0.0028571428],["2",0.0028571428],["3",0.0028571428],["4",0.0028571428],["5",0.0028571428],["6",0.0028571428],["7",0.0028571428]]]', 1, 1700000006000);
INSERT INTO evidence (passage, number, sequence, captured_ms, digest, length) VALUES (1, 0, 2, 1700000001000, X'61D07785387604D82B1E224317ADA714A56AE5D25167A524856A1E187AEE731E', 2074);
INSERT INTO evidence (passage, number, sequence, captured_ms, digest, length) VALUES (2, 0, 12, 1700000006000, X'E32D2BD08BBE4ADC3A68A8400A7EADDD8B6AA42D7F980E435EE2B4310A96B9C7', 2444);
INSERT INTO evidence (passage, number, sequence, captured_ms, digest, length) VALUES (2, 1, 10, 1700000005000, X'513649BFDF27D3CC38881E89698D852CD98B2013F7115B13B6F4B5D141D9571A', 2370);
INSERT INTO evidence (passage, number, sequence, captured_ms, digest, length) VALUES (2, 2, 11, 1700000005500, X'E1B7C3898DB811CA193F4120D576E43758E5C5860E62B77932438392028FAC8F', 2407);
INSERT INTO evidence (passage, number, sequence, captured_ms, digest, length) VALUES (2, 3, 13, 1700000006500, X'7DE5FD2C1DDB6FC435574F6085E81E326D494972166F1D6F4941533A05CBAD10', 2481);
INSERT INTO evidence (passage, number, sequence, captured_ms, digest, length) VALUES (2, 4, 14, 1700000007000, X'08CE90B9266623D1770A0012037D3BCF98C51D4BF9C272733C9510CA3ECBEF5A', 2518);
INSERT INTO hit (id, lane, track, passage, state, sequence, list, text, jurisdiction, class, edits, probability, priority, entry, received_ms, stored_ms) VALUES (1, 'north', 1, 2, 'confirmed', 10, 'stolen', 'ABC0001', '', 'exact', 0, 0.97000002861022949, 0, '{"subject":"plate","text":"ABC0001","jurisdiction":"","list":"stolen","category":"","priority":0,"reason":"","source":"","source_version":"","filed_by":"","valid_from":null,"valid_until":null,"caution":"","mode":"alert_on_match","two_person":false,"retention_days":null,"line":0}', 1700000005007, 1700000005007);
INSERT INTO outbox (id, kind, subject, body, created_ms, delivered_ms) VALUES (1, 'hit', 'north/1', '{"row":1}', 1700000005000, NULL);
INSERT INTO outbox (id, kind, subject, body, created_ms, delivered_ms) VALUES (2, 'passage', 'north/0', '{"row":1}', 1700000001000, NULL);
INSERT INTO outbox (id, kind, subject, body, created_ms, delivered_ms) VALUES (3, 'passage', 'north/1', '{"row":2}', 1700000006000, NULL);
CREATE INDEX frame_by_time ON frame (received_ms) WHERE segment IS NOT NULL;
CREATE INDEX frame_by_segment ON frame (segment) WHERE segment IS NOT NULL;
CREATE INDEX open_track ON track (lane, number) WHERE state = 'open';
CREATE INDEX unread_track ON track (lane, number) WHERE state = 'unread';
CREATE INDEX read_by_track ON read (lane, track);
CREATE INDEX passage_by_time ON passage (last_ms);
CREATE INDEX passage_by_age ON passage (sought, stored_ms);
CREATE INDEX passage_by_text ON passage (text, last_ms);
CREATE INDEX evidence_by_digest ON evidence (digest);
CREATE INDEX hit_by_time ON hit (stored_ms);
CREATE INDEX hit_by_passage ON hit (passage);
CREATE INDEX outbox_waiting ON outbox (id) WHERE delivered_ms IS NULL;
CREATE INDEX scan_to_do ON scan (state, id) WHERE state IN ('passing', 'waiting');
CREATE INDEX scan_by_time ON scan (received_ms);
CREATE INDEX car_by_mark ON car (mark) WHERE mark IS NOT NULL;
CREATE INDEX paper_by_scan ON paper (portal, key, kind, id);
CREATE INDEX scan_hit_by_time ON scan_hit (stored_ms);
PRAGMA application_id = 1196577857;
PRAGMA user_version = 1;
COMMIT;
