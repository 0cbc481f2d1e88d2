-- The journal, third edition: what iCloud has.
--
-- cloud_zone     how far each library has been read; a token is written with the rows of its page, or not at all
-- cloud_asset    every asset that iCloud ever listed, fetched or not, and what became of it there
-- cloud_file     its files by Apple's fingerprint, and the original that each of them became here
-- cloud_album, cloud_member   which assets are in which albums
-- cloud_ignored  fingerprints of what mediad itself sends to iCloud: never fetched back

CREATE TABLE cloud_zone (
  name ANY NOT NULL PRIMARY KEY,
  owner ANY NOT NULL,
  token ANY CHECK (token <> ''),  -- NULL: to be listed. Never '': Apple takes that for "has seen everything"
  listing_at INTEGER,             -- since when a listing is on its way; NULL: none is
  listing_token ANY,              -- that of its first page: what changes meanwhile comes after it
  listing_rank INTEGER,
  listing_hidden INTEGER CHECK (listing_hidden IN (0, 1)),
  listed_at INTEGER               -- when a listing of the whole was last finished
) STRICT, WITHOUT ROWID;

CREATE TABLE cloud_asset (
  zone ANY NOT NULL,
  record ANY NOT NULL,
  master ANY NOT NULL,
  change_tag ANY NOT NULL,
  name ANY NOT NULL,
  taken_at INTEGER NOT NULL,
  added_at INTEGER NOT NULL,
  offset_s INTEGER,
  is_favourite INTEGER NOT NULL,
  is_hidden INTEGER NOT NULL,
  is_deleted INTEGER NOT NULL,    -- in Recently Deleted
  is_ours INTEGER NOT NULL,
  kind TEXT NOT NULL,
  flaw TEXT NOT NULL,
  why TEXT NOT NULL,              -- why it is not fetched; '': it is
  is_gone INTEGER NOT NULL,       -- iCloud said so; never an order to anybody
  seen_at INTEGER NOT NULL,
  marked_at INTEGER,              -- since when it has stood in the album of what is to be deleted
  deleted_at INTEGER,             -- when mediad moved it to Recently Deleted
  recoverable_until INTEGER,
  replacement_zone ANY,
  replacement ANY,
  PRIMARY KEY (zone, record)
) STRICT, WITHOUT ROWID;
CREATE INDEX cloud_asset_master ON cloud_asset (zone, master);
CREATE INDEX cloud_asset_seen ON cloud_asset (zone, seen_at) WHERE is_gone = 0;
CREATE INDEX cloud_asset_left ON cloud_asset (zone, record) WHERE why <> '';
CREATE INDEX cloud_asset_deleted ON cloud_asset (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE TRIGGER cloud_asset_is_kept BEFORE DELETE ON cloud_asset
BEGIN
  SELECT RAISE(ABORT, 'what iCloud listed is never forgotten');
END;

CREATE TABLE cloud_file (
  zone ANY NOT NULL,
  record ANY NOT NULL,
  resource TEXT NOT NULL,
  fingerprint ANY NOT NULL,
  name ANY NOT NULL,
  size INTEGER NOT NULL,
  is_current INTEGER NOT NULL CHECK (is_current IN (0, 1)),  -- 0: the asset has other bytes in its place now
  is_proved INTEGER NOT NULL CHECK (is_proved IN (0, 1)),    -- 1: what we took in was seen to be these bytes
  original INTEGER REFERENCES original (id),
  PRIMARY KEY (zone, record, resource, fingerprint),
  FOREIGN KEY (zone, record) REFERENCES cloud_asset (zone, record),
  CHECK (is_proved = 0 OR original IS NOT NULL)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX cloud_file_original ON cloud_file (original) WHERE original IS NOT NULL;
CREATE INDEX cloud_file_fingerprint ON cloud_file (fingerprint);
CREATE TRIGGER cloud_file_is_kept BEFORE DELETE ON cloud_file
BEGIN
  SELECT RAISE(ABORT, 'what iCloud listed is never forgotten');
END;
CREATE TRIGGER cloud_file_stays BEFORE UPDATE ON cloud_file
WHEN OLD.original IS NOT NULL AND OLD.original IS NOT NEW.original
BEGIN
  SELECT RAISE(ABORT, 'a file of iCloud has one original');
END;

CREATE TABLE cloud_album (
  zone ANY NOT NULL,
  record ANY NOT NULL,
  name ANY NOT NULL,
  is_gone INTEGER NOT NULL,
  PRIMARY KEY (zone, record)
) STRICT, WITHOUT ROWID;

CREATE TABLE cloud_member (
  zone ANY NOT NULL,
  record ANY NOT NULL,
  asset ANY NOT NULL,             -- may be listed later than its place in an album
  album ANY NOT NULL,
  PRIMARY KEY (zone, record)
) STRICT, WITHOUT ROWID;
CREATE INDEX cloud_member_asset ON cloud_member (zone, asset);

CREATE TABLE cloud_ignored (
  fingerprint ANY NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;
