-- Pages of the log leave accesses out, which may be almost all there is. On a large log make it ahead
-- of the rollout, CONCURRENTLY.
CREATE INDEX IF NOT EXISTS events_but_accesses ON events (position) WHERE aggregate_type <> 'access';
