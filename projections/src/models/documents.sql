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
    uploader              text        NOT NULL, -- actor of the event: sees it whatever its department
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
    text_sha256           text,                 -- of the text that stands
    text_corrected        boolean     NOT NULL, -- a person wrote it
    recognised_pages      bigint,
    unread_pages          bigint,
    language_shares       json,                 -- object: share of each script, ISO 15924
    language_corrected    boolean     NOT NULL, -- a person said so
    department_corrected  boolean     NOT NULL, -- a person said so
    department_evidence   json,                 -- what the rules found, and why
    needs_review          boolean     NOT NULL,
    review_reasons        json        NOT NULL, -- array: code, detail
    review                json,                 -- the last one: verdict, reviewer, reviewed_at
    findings              json,
    withdrawn_at          timestamptz,
    withdrawal_reason     text,
    legal_holds           jsonb       NOT NULL, -- array: matter, reason, placed_by, placed_at
    retention_rule        text,                 -- the newest rule that it was kept for as long as
    erasure_state         text        CHECK (erasure_state IN ('requested', 'rejected', 'approved', 'done')),
    erasure               jsonb,                -- who, why and when
    erasure_position      bigint,               -- of the newest event of its erasure
    erased_at             timestamptz,
    quarantine_state      text        CHECK (quarantine_state IN ('quarantined', 'release_requested', 'released')),
    quarantine            jsonb,                -- what the door objected to, and who asked for what
    accepted_risks        jsonb                 -- what the door found and the policy accepts
) WITH (fillfactor = 80);
CREATE INDEX ON {schema}.documents (uploaded_at DESC, id DESC);
CREATE INDEX ON {schema}.documents (source, uploaded_at DESC, id DESC);
CREATE INDEX ON {schema}.documents (status, uploaded_at DESC, id DESC);
CREATE INDEX ON {schema}.documents (department, uploaded_at DESC, id DESC);
CREATE INDEX ON {schema}.documents (language, uploaded_at DESC, id DESC);
CREATE INDEX ON {schema}.documents (uploaded_at DESC, id DESC) WHERE needs_review;
CREATE INDEX ON {schema}.documents (uploader, uploaded_at DESC, id DESC);
CREATE INDEX ON {schema}.documents (sha256);
CREATE INDEX ON {schema}.documents (parent, uploaded_at DESC, id DESC) WHERE parent IS NOT NULL;
CREATE INDEX ON {schema}.documents (erasure_state, erasure_position) WHERE erasure_state IS NOT NULL;
CREATE INDEX ON {schema}.documents (uploaded_at DESC, id DESC)
    WHERE quarantine_state IN ('quarantined', 'release_requested') AND erased_at IS NULL;

CREATE TABLE {schema}.document_counts (
    source     text   NOT NULL,
    status     text   NOT NULL,
    department text   NOT NULL, -- empty: none
    language   text   NOT NULL, -- empty: none
    review     text   NOT NULL CHECK (review IN ('waiting', '')),
    standing   text   NOT NULL CHECK (standing IN ('standing', 'withdrawn', 'erased')),
    n          bigint NOT NULL CHECK (n >= 0),
    PRIMARY KEY (source, status, department, language, review, standing)
) WITH (fillfactor = 50);
