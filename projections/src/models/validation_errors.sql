-- What did not become a processed document: uploads refused or in quarantine, and processing given up.
CREATE TABLE {schema}.validation_errors (
    position    bigint      PRIMARY KEY,
    id          uuid        NOT NULL, -- of the event's stream
    at          timestamptz NOT NULL,
    kind        text        NOT NULL CHECK (kind IN ('refused_upload', 'quarantined_upload', 'failed_processing')),
    problem     text        NOT NULL,
    detail      text        NOT NULL,
    source      text,
    file_name   text,
    document_id uuid,
    objections  jsonb, -- what the door objected to
    uploader    text   -- of a refused upload: who sent it
);
CREATE INDEX ON {schema}.validation_errors (document_id) WHERE document_id IS NOT NULL;
