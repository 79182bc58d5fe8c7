-- Who did, saw or tried what: a row for each record of access, and one for each other event.
CREATE TABLE {schema}.audit (
    position       bigint      NOT NULL,
    index          int         NOT NULL, -- place in its event, from 0
    kind           text        NOT NULL CHECK (kind IN ('access', 'change')),
    at             timestamptz NOT NULL, -- when it was answered, by the clock of the process
    recorded_at    timestamptz NOT NULL, -- of the event: never decreases along positions
    actor          text        NOT NULL,
    key_id         text,
    action         text        NOT NULL,
    outcome        text        NOT NULL,
    document_id    uuid,
    version        bigint,
    shown_at       bigint,
    count          bigint,
    status         int,
    problem        text,
    reason         text,
    address        text,
    user_agent     text,
    request_id     text,
    correlation_id text,
    traceparent    text,
    parameters     json        NOT NULL,
    PRIMARY KEY (position, index)
);
CREATE INDEX ON {schema}.audit (document_id, position, index) WHERE document_id IS NOT NULL;
CREATE INDEX ON {schema}.audit (actor, position, index);
CREATE INDEX ON {schema}.audit (action, position, index);
CREATE INDEX ON {schema}.audit (outcome, position, index);
CREATE INDEX ON {schema}.audit (recorded_at, position);
