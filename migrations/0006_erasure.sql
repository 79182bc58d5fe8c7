-- Erasure: the reader of the log that destroys the content of erased documents.
INSERT INTO log_cursors VALUES ('eraser', 0) ON CONFLICT DO NOTHING;
