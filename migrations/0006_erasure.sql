-- Erasure: the reader of the log that destroys the content of erased documents.
-- Fingerprints of requests are digests of content without a salt: they are forgotten with it.
CREATE INDEX IF NOT EXISTS command_keys_of_requests ON command_keys (aggregate_id) WHERE key LIKE 'http:%';
INSERT INTO log_cursors VALUES ('eraser', 0) ON CONFLICT DO NOTHING;
