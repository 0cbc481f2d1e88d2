-- The journal, second edition: the way over the phone.
--
-- batch      files that went into pixel_sync/ together
-- placement  the name that each has there: given once, to these bytes of this original, for ever
-- witness    what was seen of an original on its way: the rungs of the truth ladder

CREATE TABLE batch (
  id INTEGER PRIMARY KEY,
  made_at INTEGER NOT NULL
) STRICT;
CREATE TRIGGER batch_is_kept BEFORE DELETE ON batch
BEGIN
  SELECT RAISE(ABORT, 'a batch is never forgotten');
END;

CREATE TABLE placement (
  id INTEGER PRIMARY KEY,
  original INTEGER NOT NULL REFERENCES original (id),
  batch INTEGER NOT NULL REFERENCES batch (id),  -- the newest that it went with under this name
  key ANY NOT NULL,
  folded ANY NOT NULL,            -- the key by policy/phone_names.folded: what the phone cannot tell apart
  digest BLOB NOT NULL CHECK (length(digest) = 32),
  size INTEGER NOT NULL,
  mtime_ns INTEGER NOT NULL,
  version TEXT NOT NULL,          -- '': Syncthing has not listed it yet
  blocks TEXT NOT NULL,
  placed_at INTEGER CHECK (placed_at IS NULL OR version <> '')  -- since when it has a version
) STRICT;
CREATE UNIQUE INDEX placement_folded ON placement (folded);
CREATE INDEX placement_original ON placement (original, batch);  -- the last is the newest
CREATE INDEX placement_batch ON placement (batch);
CREATE INDEX placement_digest ON placement (digest);

CREATE TRIGGER placement_is_given BEFORE UPDATE ON placement
WHEN OLD.original <> NEW.original OR OLD.key <> NEW.key
BEGIN
  SELECT RAISE(ABORT, 'a name is given once');
END;
CREATE TRIGGER placement_stays BEFORE UPDATE ON placement
WHEN OLD.original = NEW.original AND OLD.key = NEW.key AND (OLD.id <> NEW.id
  OR OLD.folded <> NEW.folded OR OLD.digest <> NEW.digest OR OLD.size <> NEW.size)
BEGIN
  SELECT RAISE(ABORT, 'a name keeps its bytes');
END;
CREATE TRIGGER placement_is_kept BEFORE DELETE ON placement
BEGIN
  SELECT RAISE(ABORT, 'a placement is never forgotten');
END;

CREATE TABLE witness (
  original INTEGER NOT NULL REFERENCES original (id),
  at INTEGER NOT NULL,
  rung TEXT NOT NULL,
  how TEXT NOT NULL,
  detail TEXT NOT NULL,
  batch INTEGER NOT NULL,         -- the original's newest then; 0: it was in none
  PRIMARY KEY (original, at, rung, how, detail, batch)  -- told twice it is one
) STRICT, WITHOUT ROWID;
CREATE TRIGGER witness_stays BEFORE UPDATE ON witness
BEGIN
  SELECT RAISE(ABORT, 'a witness is never changed');
END;
CREATE TRIGGER witness_is_kept BEFORE DELETE ON witness
BEGIN
  SELECT RAISE(ABORT, 'a witness is never forgotten');
END;
