-- What is searched in: the words of each document, with what hits are filtered and counted by.
-- A document is one row; one with much text is several (parts), because a tsvector ends at 1 MiB
-- and at place 16,383. What stands beside the words is the same in all parts of a document.
CREATE TABLE {schema}.search (
    document_id uuid        NOT NULL,
    part        int         NOT NULL, -- from 0
    parts       int         NOT NULL,
    version     bigint      NOT NULL,
    position    bigint      NOT NULL,
    source      text        NOT NULL,
    department  text,
    language    text,
    status      text        NOT NULL,
    uploaded_at timestamptz NOT NULL,
    withdrawn   boolean     NOT NULL,
    department_corrected boolean NOT NULL, -- a person said which
    language_corrected   boolean NOT NULL,
    first_page  int         NOT NULL, -- whose text is in this part; 0: it has none
    last_page   int         NOT NULL,
    skipped     int         NOT NULL, -- characters of the first page that stand before this part
    name        tsvector    NOT NULL, -- file name and uploader; empty but in part 0
    metadata    tsvector    NOT NULL, -- empty but in part 0
    words       tsvector    NOT NULL, -- text (D) and title (C), then name (A), then metadata (B)
    PRIMARY KEY (document_id, part)
) WITH (fillfactor = 80, toast_tuple_target = 256);
-- Words of a row above 2 KiB stand apart from it: rows are read for each hit, words only for those
-- that are ranked. They stand as they are, so that nothing is unpacked to rank by them.
ALTER TABLE {schema}.search ALTER COLUMN words SET STORAGE EXTERNAL;
-- A short list of what waits to be sorted in: every search reads it.
CREATE INDEX ON {schema}.search USING gin (words) WITH (gin_pending_list_limit = 1024);
CREATE INDEX ON {schema}.search USING gin (words) WHERE parts > 1;

-- Every word of letters that stands in a row of `search`, and no other: other spellings and forms
-- of a word are looked for here.
CREATE TABLE {schema}.search_words (
    word     text     COLLATE "C" PRIMARY KEY,
    trigrams bigint[] NOT NULL
);
CREATE INDEX ON {schema}.search_words USING gin (trigrams);
