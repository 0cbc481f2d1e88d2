-- The journal, sixth edition: motion photos for the phone.
--
-- placement.film   the other half of a Live Photo, where the file is one motion photo made of both originals

ALTER TABLE placement ADD COLUMN film INTEGER REFERENCES original (id);
CREATE TRIGGER placement_is_whole BEFORE UPDATE ON placement
WHEN OLD.original = NEW.original AND OLD.key = NEW.key AND OLD.film IS NOT NEW.film
BEGIN
  SELECT RAISE(ABORT, 'a name keeps its bytes');
END;
