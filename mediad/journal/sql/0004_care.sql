-- The journal, fourth edition: care for what is kept.
--
-- copy.read_at, rendition.read_at   when a scrub or `verify` last read these bytes whole from their medium
-- damage      what such a reading found otherwise than it was verified, and what became of it
-- scrub_day   what the scrub has read in each of its windows: its budget holds across restarts

ALTER TABLE copy ADD COLUMN read_at INTEGER;
ALTER TABLE copy ADD COLUMN read_how TEXT;
CREATE INDEX copy_stale ON copy (coalesce(read_at, verified_at)) WHERE site <> 'phone';

ALTER TABLE rendition ADD COLUMN read_at INTEGER;
ALTER TABLE rendition ADD COLUMN read_how TEXT;
CREATE INDEX rendition_stale ON rendition (coalesce(read_at, 0)) WHERE site = 'library';

CREATE TABLE damage (
  id INTEGER PRIMARY KEY,
  original INTEGER NOT NULL REFERENCES original (id),
  site TEXT NOT NULL,
  key ANY NOT NULL,
  digest BLOB NOT NULL CHECK (length(digest) = 32),  -- what was verified there
  found BLOB CHECK (length(found) = 32),             -- what lies there; NULL: nothing, or nothing that can be read
  what TEXT NOT NULL CHECK (what IN ('rotten', 'changed', 'missing', 'unreadable')),
  seen_at INTEGER NOT NULL,
  again_at INTEGER CHECK ((again_at IS NOT NULL) = (state = 'unreadable')),
  tries INTEGER NOT NULL DEFAULT 1,
  -- open: healing, lost (no other copy was found whole), unreadable; over: healed, over (nothing more is wanted)
  state TEXT NOT NULL CHECK (state IN ('healing', 'lost', 'unreadable', 'healed', 'over')),
  ended_at INTEGER CHECK ((ended_at IS NOT NULL) = (state IN ('healed', 'over'))),
  healed_key ANY                                     -- the name of the new file
) STRICT;
CREATE INDEX damage_open ON damage (site, key) WHERE ended_at IS NULL;
CREATE TRIGGER damage_is_kept BEFORE DELETE ON damage
BEGIN
  SELECT RAISE(ABORT, 'a damage is never forgotten');
END;

CREATE TABLE scrub_day (
  day INTEGER PRIMARY KEY,
  ms INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  copies INTEGER NOT NULL
) STRICT;

-- shelf: where a person's undo wants this original to lie in the library again; '': where its date says

ALTER TABLE original ADD COLUMN shelf ANY NOT NULL DEFAULT '';
