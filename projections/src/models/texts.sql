-- The text that stands of each document that has one: the newest that was read from its file, or what a
-- person wrote in its place.
CREATE TABLE {schema}.texts (
    document_id uuid   PRIMARY KEY,
    version     bigint NOT NULL, -- of the document's stream, when the text came
    position    bigint NOT NULL,
    text_key    text   NOT NULL,
    sha256      text   NOT NULL, -- of the text artefact
    title       text,
    producer    text,
    pages       jsonb  NOT NULL, -- array: the text of each page
    text        text   NOT NULL  -- the pages joined by form feeds
);
