-- The journal, first edition. States, stages and marks are the words of state.py.
--
-- asset     one row for each thing the person shot; it moves along lanes
-- original  the files it came as
-- standing  where it stands now: one row for each open lane
-- history   every transition ever made, with what was seen; never changed, each row sealed to the one before
-- tally_*   counts kept by triggers, so that status costs the same at a million assets

PRAGMA application_id = 0x6D656469;

CREATE TABLE asset (
  id INTEGER PRIMARY KEY,
  name ANY NOT NULL,              -- BLOB where the name is no UTF-8
  kind TEXT NOT NULL,
  source TEXT NOT NULL,
  seen_at INTEGER NOT NULL,
  identity BLOB CHECK (identity IS NULL OR length(identity) = 32),
  captured_local TEXT,
  captured_offset TEXT,
  captured_source TEXT,
  captured_at INTEGER,
  keeper INTEGER REFERENCES asset (id),
  absorbed_by INTEGER REFERENCES asset (id),
  condition TEXT NOT NULL DEFAULT 'active' CHECK (condition IN
    ('active', 'completed', 'failed', 'held', 'duplicate', 'quarantined', 'absorbed'))
) STRICT;
CREATE UNIQUE INDEX asset_identity ON asset (identity) WHERE identity IS NOT NULL;
CREATE INDEX asset_condition ON asset (condition, id);

CREATE TABLE original (
  id INTEGER PRIMARY KEY,
  asset INTEGER NOT NULL REFERENCES asset (id),
  role TEXT NOT NULL,
  name ANY NOT NULL,
  source_key ANY NOT NULL,
  spool_key ANY NOT NULL DEFAULT '',
  size INTEGER NOT NULL,
  mtime_ns INTEGER NOT NULL,
  taken INTEGER NOT NULL DEFAULT 0 CHECK (taken IN (0, 1)),  -- 1: no longer awaited in incoming/
  digest BLOB CHECK (digest IS NULL OR length(digest) = 32),
  media TEXT,
  inspection TEXT,
  group_key ANY NOT NULL,
  content_id TEXT
) STRICT;
CREATE INDEX original_asset ON original (asset);
CREATE UNIQUE INDEX original_awaited ON original (source_key) WHERE taken = 0;
CREATE INDEX original_source ON original (source_key);
CREATE INDEX original_spool ON original (spool_key);
CREATE INDEX original_digest ON original (digest) WHERE digest IS NOT NULL;
CREATE INDEX original_group ON original (group_key);
CREATE INDEX original_content ON original (content_id) WHERE content_id IS NOT NULL;
CREATE INDEX original_name ON original (name);

CREATE TABLE copy (
  original INTEGER NOT NULL REFERENCES original (id),
  site TEXT NOT NULL,
  key ANY NOT NULL,
  digest BLOB NOT NULL CHECK (length(digest) = 32),
  verified_at INTEGER NOT NULL,
  method TEXT NOT NULL,
  PRIMARY KEY (original, site, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX copy_place ON copy (site, key);

CREATE TABLE rendition (
  original INTEGER NOT NULL REFERENCES original (id),
  recipe TEXT NOT NULL,
  site TEXT NOT NULL,
  key ANY NOT NULL,
  digest BLOB NOT NULL CHECK (length(digest) = 32),
  size INTEGER NOT NULL,
  figures TEXT NOT NULL DEFAULT '{}',
  PRIMARY KEY (original, recipe)
) STRICT, WITHOUT ROWID;
CREATE INDEX rendition_place ON rendition (site, key);

CREATE TABLE legal (
  stage TEXT NOT NULL,
  at TEXT NOT NULL,
  next TEXT NOT NULL,
  PRIMARY KEY (stage, at, next)
) STRICT, WITHOUT ROWID;
CREATE INDEX legal_step ON legal (at, next);

CREATE TABLE standing (
  asset INTEGER NOT NULL REFERENCES asset (id),
  lane TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state GLOB lane || '.*'),
  mark TEXT NOT NULL CHECK (mark IN
    ('ready', 'waiting', 'retry', 'failed', 'held', 'gated', 'final')),
  due INTEGER CHECK ((due IS NULL) = (mark IN ('failed', 'held', 'gated', 'final'))),
  attempts INTEGER NOT NULL DEFAULT 0,
  why TEXT NOT NULL DEFAULT '',
  code TEXT NOT NULL DEFAULT '',
  remedy TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (asset, lane)
) STRICT, WITHOUT ROWID;
CREATE INDEX standing_due ON standing (state, due, asset) WHERE due IS NOT NULL;
CREATE INDEX standing_mark ON standing (state, mark, asset);

CREATE TRIGGER standing_lawful BEFORE UPDATE OF state ON standing
WHEN OLD.state <> NEW.state
  AND NOT EXISTS (SELECT 1 FROM legal WHERE at = OLD.state AND next = NEW.state)
BEGIN
  SELECT RAISE(ABORT, 'unlawful transition');
END;

CREATE TABLE history (
  seq INTEGER PRIMARY KEY,
  asset INTEGER NOT NULL REFERENCES asset (id),
  at INTEGER NOT NULL,
  stage TEXT NOT NULL,
  from_state TEXT NOT NULL,
  to_state TEXT NOT NULL,
  skipped INTEGER NOT NULL CHECK (skipped IN (0, 1)),  -- by configuration or by hand
  evidence TEXT NOT NULL,
  chain BLOB NOT NULL CHECK (length(chain) = 32),
  FOREIGN KEY (stage, from_state, to_state) REFERENCES legal (stage, at, next)
) STRICT;
CREATE INDEX history_asset ON history (asset);

CREATE TRIGGER history_stays BEFORE UPDATE ON history
BEGIN
  SELECT RAISE(ABORT, 'history is never changed');
END;
CREATE TRIGGER history_is_kept BEFORE DELETE ON history
BEGIN
  SELECT RAISE(ABORT, 'history is never deleted');
END;

CREATE TABLE tally_standing (
  state TEXT NOT NULL, mark TEXT NOT NULL, n INTEGER NOT NULL CHECK (n >= 0),
  PRIMARY KEY (state, mark)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER standing_in AFTER INSERT ON standing
BEGIN
  INSERT INTO tally_standing VALUES (NEW.state, NEW.mark, 1)
    ON CONFLICT (state, mark) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER standing_moved AFTER UPDATE OF state, mark ON standing
WHEN OLD.state <> NEW.state OR OLD.mark <> NEW.mark
BEGIN
  UPDATE tally_standing SET n = n - 1 WHERE state = OLD.state AND mark = OLD.mark;
  INSERT INTO tally_standing VALUES (NEW.state, NEW.mark, 1)
    ON CONFLICT (state, mark) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER standing_out AFTER DELETE ON standing
BEGIN
  UPDATE tally_standing SET n = n - 1 WHERE state = OLD.state AND mark = OLD.mark;
END;

CREATE TABLE tally_outcome (
  stage TEXT NOT NULL PRIMARY KEY,
  done INTEGER NOT NULL,
  skipped INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TRIGGER history_counted AFTER INSERT ON history
BEGIN
  INSERT INTO tally_outcome VALUES (NEW.stage, 1 - NEW.skipped, NEW.skipped)
    ON CONFLICT (stage) DO UPDATE SET
      done = done + excluded.done, skipped = skipped + excluded.skipped;
END;

CREATE TABLE tally_asset (
  condition TEXT NOT NULL PRIMARY KEY, n INTEGER NOT NULL CHECK (n >= 0)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER asset_in AFTER INSERT ON asset
BEGIN
  INSERT INTO tally_asset VALUES (NEW.condition, 1)
    ON CONFLICT (condition) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER asset_turned AFTER UPDATE OF condition ON asset
WHEN OLD.condition <> NEW.condition
BEGIN
  UPDATE tally_asset SET n = n - 1 WHERE condition = OLD.condition;
  INSERT INTO tally_asset VALUES (NEW.condition, 1)
    ON CONFLICT (condition) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER asset_is_kept BEFORE DELETE ON asset
BEGIN
  SELECT RAISE(ABORT, 'an asset is never forgotten');
END;

CREATE TABLE tally_bytes (
  what TEXT NOT NULL PRIMARY KEY, n INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- shrunk: the bytes of the originals that the renditions stand for; saved = shrunk - renditions
INSERT INTO tally_bytes VALUES ('originals', 0), ('renditions', 0), ('shrunk', 0);
CREATE TRIGGER original_in AFTER INSERT ON original
BEGIN
  UPDATE tally_bytes SET n = n + NEW.size WHERE what = 'originals';
END;
CREATE TRIGGER original_resized AFTER UPDATE OF size ON original
WHEN OLD.size <> NEW.size
BEGIN
  UPDATE tally_bytes SET n = n + NEW.size - OLD.size WHERE what = 'originals';
  UPDATE tally_bytes SET n = n + (NEW.size - OLD.size)
    * (SELECT count(*) FROM rendition WHERE original = NEW.id) WHERE what = 'shrunk';
END;
CREATE TRIGGER original_is_kept BEFORE DELETE ON original
BEGIN
  SELECT RAISE(ABORT, 'an original is never forgotten');
END;
CREATE TRIGGER rendition_in AFTER INSERT ON rendition
BEGIN
  UPDATE tally_bytes SET n = n + NEW.size WHERE what = 'renditions';
  UPDATE tally_bytes SET n = n + (SELECT size FROM original WHERE id = NEW.original)
    WHERE what = 'shrunk';
END;
CREATE TRIGGER rendition_resized AFTER UPDATE OF size ON rendition
WHEN OLD.size <> NEW.size
BEGIN
  UPDATE tally_bytes SET n = n + NEW.size - OLD.size WHERE what = 'renditions';
END;
CREATE TRIGGER rendition_out AFTER DELETE ON rendition
BEGIN
  UPDATE tally_bytes SET n = n - OLD.size WHERE what = 'renditions';
  UPDATE tally_bytes SET n = n - (SELECT size FROM original WHERE id = OLD.original)
    WHERE what = 'shrunk';
END;

CREATE TABLE paused (
  stage TEXT NOT NULL PRIMARY KEY, at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE run (
  id INTEGER PRIMARY KEY,
  started INTEGER NOT NULL,
  finished INTEGER,
  what TEXT NOT NULL,
  counts TEXT NOT NULL DEFAULT '{}',
  config TEXT NOT NULL
) STRICT;

CREATE TABLE intent (
  asset INTEGER NOT NULL REFERENCES asset (id),
  stage TEXT NOT NULL,
  lane TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (asset, lane, stage)
) STRICT, WITHOUT ROWID;

CREATE TABLE enrolment (
  site TEXT NOT NULL PRIMARY KEY, marker TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE meta (
  key TEXT NOT NULL PRIMARY KEY, value ANY
) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('clean', 1);
