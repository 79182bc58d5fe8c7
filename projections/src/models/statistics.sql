-- Counters by dimension, and of each document what it counts for, so that counters can move.
CREATE TABLE {schema}.statistics (
    dimension text   NOT NULL,
    value     text   NOT NULL,
    n         bigint NOT NULL CHECK (n >= 0),
    PRIMARY KEY (dimension, value)
) WITH (fillfactor = 50);

CREATE TABLE {schema}.statistics_members (
    document_id uuid    PRIMARY KEY,
    version     bigint  NOT NULL,
    status      text    NOT NULL,
    source      text    NOT NULL,
    department  text,
    language    text,
    language_corrected   boolean NOT NULL,
    department_corrected boolean NOT NULL,
    needs_review         boolean NOT NULL,
    bytes       bigint  NOT NULL,
    pages       bigint  NOT NULL,
    characters  bigint  NOT NULL,
    confidence  bigint, -- millionths
    duplicate   boolean NOT NULL,
    withdrawn   boolean NOT NULL,
    erased      boolean NOT NULL
) WITH (fillfactor = 80);
