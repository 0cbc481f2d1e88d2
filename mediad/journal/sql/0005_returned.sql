-- The journal, fifth edition: a rendition of ours that comes back is known by its digest.

CREATE INDEX rendition_digest ON rendition (digest);
