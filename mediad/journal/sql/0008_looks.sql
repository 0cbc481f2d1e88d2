-- The journal, eighth edition: looks that came to nothing end somewhere.
--
-- unlooked.tries   how often a look came to nothing, by no fault of the picture's
-- unlooked.due     two of them are no times: 9223372036854775806 is given up until the next start,
--                  9223372036854775807 lies nowhere; either is over when there is news of a copy or a rendition

ALTER TABLE unlooked ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;
DROP TRIGGER original_to_look;
CREATE TRIGGER original_to_look AFTER UPDATE OF digest ON original
WHEN NEW.digest IS NOT NULL AND NEW.digest IS NOT OLD.digest
  AND NEW.media IN ('jpeg', 'heic', 'avif', 'png', 'gif', 'webp', 'tiff')
BEGIN
  INSERT INTO unlooked (original) VALUES (NEW.id) ON CONFLICT (original) DO UPDATE SET due = 0, tries = 0;
END;
CREATE TRIGGER copy_to_look AFTER INSERT ON copy
BEGIN
  UPDATE unlooked SET due = 0, tries = 0 WHERE original = NEW.original AND due >= 9223372036854775806;
END;
CREATE TRIGGER copy_to_look_again AFTER UPDATE ON copy
BEGIN
  UPDATE unlooked SET due = 0, tries = 0 WHERE original = NEW.original AND due >= 9223372036854775806;
END;
CREATE TRIGGER rendition_to_look AFTER INSERT ON rendition
BEGIN
  UPDATE unlooked SET due = 0, tries = 0 WHERE original = NEW.original AND due >= 9223372036854775806;
END;
CREATE TRIGGER rendition_to_look_again AFTER UPDATE ON rendition
BEGIN
  UPDATE unlooked SET due = 0, tries = 0 WHERE original = NEW.original AND due >= 9223372036854775806;
END;
