-- One row a document; and how many there are of each kind, so that lists know their total.
CREATE TABLE {schema}.documents (
    id                    uuid        PRIMARY KEY,
    version               bigint      NOT NULL, -- of its stream
    position              bigint      NOT NULL, -- of its last event
    original_filename     text        NOT NULL,
    s3_key                text        NOT NULL,
    sha256                text        NOT NULL,
    source                text        NOT NULL,
    content_type          text        NOT NULL,
    file_size             bigint      NOT NULL,
    uploaded_at           timestamptz NOT NULL,
    uploaded_by           text        NOT NULL,
    metadata              json        NOT NULL, -- not jsonb: that refuses U+0000, which senders may send
    duplicate_of          uuid,
    parent                uuid,                 -- the document that it was found inside
    priority              text        NOT NULL,
    status                text        NOT NULL,
    run                   bigint      NOT NULL,
    attempt               bigint      NOT NULL,
    error                 json,
    retry_at              timestamptz,
    processing_started_at timestamptz,
    processed_at          timestamptz,
    language              text,
    department            text,
    confidence_score      double precision,
    page_count            bigint,
    character_count       bigint,
    text_sha256           text,
    findings              json,
    withdrawn_at          timestamptz,
    withdrawal_reason     text,
    legal_holds           jsonb       NOT NULL, -- array: matter, reason, placed_by, placed_at
    retention_rule        text,                 -- the newest rule that it was kept for as long as
    erasure_state         text        CHECK (erasure_state IN ('requested', 'rejected', 'approved', 'done')),
    erasure               jsonb,                -- who, why and when
    erasure_position      bigint,               -- of the newest event of its erasure
    erased_at             timestamptz
) WITH (fillfactor = 80);
CREATE INDEX ON {schema}.documents (uploaded_at DESC, id DESC);
CREATE INDEX ON {schema}.documents (source, uploaded_at DESC, id DESC);
CREATE INDEX ON {schema}.documents (status, uploaded_at DESC, id DESC);
CREATE INDEX ON {schema}.documents (department, uploaded_at DESC, id DESC);
CREATE INDEX ON {schema}.documents (sha256);
CREATE INDEX ON {schema}.documents (parent, uploaded_at DESC, id DESC) WHERE parent IS NOT NULL;
CREATE INDEX ON {schema}.documents (erasure_state, erasure_position) WHERE erasure_state IS NOT NULL;

CREATE TABLE {schema}.document_counts (
    source     text   NOT NULL,
    status     text   NOT NULL,
    department text   NOT NULL, -- empty: none
    standing   text   NOT NULL CHECK (standing IN ('standing', 'withdrawn', 'erased')),
    n          bigint NOT NULL CHECK (n >= 0),
    PRIMARY KEY (source, status, department, standing)
) WITH (fillfactor = 50);
