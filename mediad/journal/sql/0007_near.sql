-- The journal, a further edition: what looks alike. Only ever told; no lane knows of it.
--
-- unlooked    photos that nobody has looked at yet, and when to try
-- impression  what a photo looks like (ports/looks.py); NULL: it cannot be looked at
-- near        two photos that look the same, each pair once

CREATE TABLE unlooked (
  original INTEGER PRIMARY KEY REFERENCES original (id),
  due INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX unlooked_due ON unlooked (due);
CREATE TRIGGER original_to_look AFTER UPDATE OF digest ON original
WHEN NEW.digest IS NOT NULL AND NEW.digest IS NOT OLD.digest
  AND NEW.media IN ('jpeg', 'heic', 'avif', 'png', 'gif', 'webp', 'tiff')
BEGIN
  INSERT INTO unlooked (original) VALUES (NEW.id) ON CONFLICT (original) DO UPDATE SET due = 0;
END;
INSERT INTO unlooked (original) SELECT id FROM original WHERE digest IS NOT NULL
  AND media IN ('jpeg', 'heic', 'avif', 'png', 'gif', 'webp', 'tiff');

CREATE TABLE impression (
  original INTEGER PRIMARY KEY REFERENCES original (id),
  low INTEGER,                    -- 64 bits; NULL: flat, or nothing to be seen. Then it is near to nobody
  bits BLOB CHECK (length(bits) = 32),
  tint BLOB CHECK (length(tint) = 32)
) STRICT;
CREATE INDEX impression_0 ON impression (low & 65535, low) WHERE low IS NOT NULL;
CREATE INDEX impression_1 ON impression (low >> 16 & 65535, low) WHERE low IS NOT NULL;
CREATE INDEX impression_2 ON impression (low >> 32 & 65535, low) WHERE low IS NOT NULL;
CREATE INDEX impression_3 ON impression (low >> 48 & 65535, low) WHERE low IS NOT NULL;

CREATE TABLE near (
  id INTEGER PRIMARY KEY,
  one INTEGER NOT NULL REFERENCES original (id),
  other INTEGER NOT NULL REFERENCES original (id),
  alike INTEGER NOT NULL CHECK (alike BETWEEN 1 AND 100),
  CHECK (one < other),
  UNIQUE (one, other)
) STRICT;
CREATE INDEX near_other ON near (other);
