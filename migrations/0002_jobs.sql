-- Work that the log asks for, and how far each reader of the log has come.

-- One job a run of processing: its id is the position of the event that asked for it.
CREATE TABLE jobs (
    id              bigint      PRIMARY KEY,
    document_id     uuid        NOT NULL,
    run             int         NOT NULL,
    priority        text        NOT NULL CHECK (priority IN ('high', 'normal', 'low')),
    status          text        NOT NULL CHECK (status IN ('queued', 'running', 'done', 'failed', 'cancelled')),
    attempt         int         NOT NULL DEFAULT 0, -- attempts claimed so far
    excused         int         NOT NULL DEFAULT 0, -- of these, ended by no fault of the document
    due_at          timestamptz NOT NULL,           -- not to be worked on before
    lease_until     timestamptz,                    -- a running attempt is lost after this
    worker          text,
    published_at    timestamptz,                    -- JetStream has a message; null: it needs one
    published       int         NOT NULL DEFAULT 0, -- messages that were to be replaced by another
    correlation_id  text        NOT NULL,
    traceparent     text,
    created_at      timestamptz NOT NULL,
    UNIQUE (document_id, run)
);
CREATE INDEX jobs_unfinished ON jobs (status, due_at) WHERE status IN ('queued', 'running');
CREATE INDEX jobs_unpublished ON jobs (due_at, id)
    WHERE published_at IS NULL AND status IN ('queued', 'running');

-- Cursor of each reader of the log that is no projection (the relay).
CREATE TABLE log_cursors (
    name     text   PRIMARY KEY,
    position bigint NOT NULL
);
INSERT INTO log_cursors VALUES ('relay', 0);
