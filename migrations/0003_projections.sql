-- Read models are disposable: their tables are made by the projections themselves, in a schema for
-- each generation (`rm_<name>_<generation>`); the schema `read` has a view for each live table.

CREATE SCHEMA read;

CREATE TABLE projections (
    name       text        NOT NULL,
    generation int         NOT NULL,
    shape      int         NOT NULL, -- version of the tables' form in the code that made it
    state      text        NOT NULL CHECK (state IN ('live', 'building', 'retired')),
    position   bigint      NOT NULL DEFAULT 0,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, generation)
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX projections_one_live ON projections (name) WHERE state = 'live';

-- Events that a projection could not apply. The rest went on.
CREATE TABLE parked_events (
    projection  text        NOT NULL,
    generation  int         NOT NULL,
    position    bigint      NOT NULL,
    document_id uuid,
    error       text        NOT NULL,
    parked_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (projection, generation, position)
);
CREATE INDEX parked_events_by_document ON parked_events (document_id);

-- Parked events that the rows now shown lack; a rebuild that could apply them leaves none here.
CREATE VIEW read.parked_events AS
    SELECT e.* FROM parked_events e
    JOIN projections p ON p.name = e.projection AND p.generation = e.generation
    WHERE p.state = 'live';
