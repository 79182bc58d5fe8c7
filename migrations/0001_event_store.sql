-- The event store: one log with one order, and the only way to write it.
-- Seven columns are those of postgres-es 0.5 (aggregate_type … metadata), readable by its
-- PostgresEventRepository; payload and metadata are `json`, which keeps the text to the letter,
-- because the hashes are over that text.

CREATE TABLE es_head (
    id          int         PRIMARY KEY CHECK (id = 0),
    position    bigint      NOT NULL,
    chain       bytea       NOT NULL,
    recorded_at timestamptz NOT NULL
) WITH (fillfactor = 10);
INSERT INTO es_head VALUES (0, 0, sha256('kmrl-gateway log v1'::bytea), '-infinity');

CREATE TABLE events (
    position       bigint      PRIMARY KEY,
    aggregate_type text        NOT NULL,
    aggregate_id   text        NOT NULL,
    sequence       bigint      NOT NULL CHECK (sequence > 0),
    event_type     text        NOT NULL,
    event_version  text        NOT NULL,
    payload        json        NOT NULL,
    metadata       json        NOT NULL,
    actor          text        NOT NULL,
    recorded_at    timestamptz NOT NULL,
    leaf           bytea       NOT NULL, -- SHA-256 (0x00 || entry), an RFC 6962 leaf hash
    chain          bytea       NOT NULL, -- SHA-256 (chain of position-1 || leaf)
    UNIQUE (aggregate_type, aggregate_id, sequence)
);
CREATE INDEX events_by_type ON events (event_type, position);
CREATE INDEX events_by_actor ON events (actor, position);
CREATE INDEX events_by_time ON events (recorded_at, position);

-- Version of each stream: what expected versions are checked against.
CREATE TABLE streams (
    aggregate_type text   NOT NULL,
    aggregate_id   text   NOT NULL,
    version        bigint NOT NULL,
    PRIMARY KEY (aggregate_type, aggregate_id)
) WITH (fillfactor = 70);

-- What may be personal, beside the log; the event holds only its salted digest.
CREATE TABLE private_parts (
    position       bigint PRIMARY KEY,
    aggregate_type text   NOT NULL,
    aggregate_id   text   NOT NULL,
    salt           bytea  NOT NULL,
    content        text   NOT NULL
);
CREATE INDEX private_parts_by_stream ON private_parts (aggregate_type, aggregate_id);

-- One row for each command that brought an idempotency key. A command that decided nothing has
-- the position of the head at that time, and a first position after it.
CREATE TABLE command_keys (
    key            text        PRIMARY KEY,
    fingerprint    bytea       NOT NULL,
    aggregate_type text        NOT NULL,
    aggregate_id   text        NOT NULL,
    version        bigint      NOT NULL,
    first_position bigint      NOT NULL,
    position       bigint      NOT NULL,
    recorded_at    timestamptz NOT NULL
);

-- Things of which there may be one: (kind, value) belongs to the stream that claimed it first.
CREATE TABLE claims (
    kind         text NOT NULL,
    value        text NOT NULL,
    aggregate_id text NOT NULL,
    PRIMARY KEY (kind, value)
);

-- The newest batch of each writer (one a process). It makes sending a batch again safe when the
-- connection broke before the answer came: what was done is answered, not done twice, and a
-- statement that still runs for a batch given up comes too late.
CREATE TABLE writers (
    id        bigint   PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    batch     bigint   NOT NULL DEFAULT 0,
    positions bigint[] NOT NULL DEFAULT '{}' -- first position of each command, NULL where refused
) WITH (fillfactor = 10);

CREATE FUNCTION es_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the log is append-only: % on % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;

-- Inserts come only from es_append, which has a setting that ends with the function.
CREATE FUNCTION es_refuse_direct_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('kmrl.appending', true) IS DISTINCT FROM 'yes' THEN
        RAISE EXCEPTION 'the log is append-only: direct INSERT on % is refused', TG_TABLE_NAME
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER events_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION es_refuse();
CREATE TRIGGER events_no_direct_insert BEFORE INSERT ON events
    FOR EACH STATEMENT EXECUTE FUNCTION es_refuse_direct_insert();

-- Appends a batch of commands. c_* are one a command; e_* one an event, e_command being the
-- 1-based index of its command. p_again says that the batch has been sent before and its answer
-- was lost. Answers one row a command, in order:
--   appended  version and positions of its events
--   replayed  its key was used before for the same body: what was answered then
--   reused    its key was used before for another body
--   stale     the stream is not at the expected version; version says where it is
--   claimed   its claim belongs to another stream, named by owner
CREATE FUNCTION es_append(
    p_writer bigint, p_batch bigint, p_again boolean,
    c_type text[], c_id text[], c_expected bigint[],
    c_key text[], c_fingerprint bytea[], c_claim_kind text[], c_claim_value text[],
    e_command int[], e_type text[], e_version text[], e_payload text[], e_metadata text[],
    e_actor text[], e_salt bytea[], e_private text[]
) RETURNS TABLE (outcome text, owner text, version bigint, first_position bigint, last_position bigint, at timestamptz)
LANGUAGE plpgsql SET kmrl.appending = 'yes' AS $$
DECLARE
    head   es_head%ROWTYPE;
    used   command_keys%ROWTYPE;
    newest bigint;
    done   bigint[];
    pos    bigint;
    cur    bigint;
    fits   boolean;
    claimed text;
    private boolean := false;
    n      bigint := cardinality(e_command);
    e      bigint := 1;
    first  bigint;
    l      bytea;
    micros bigint;
    p_pos bigint[] := '{}'; p_seq bigint[] := '{}'; p_e bigint[] := '{}';
    p_leaf bytea[] := '{}'; p_chain bytea[] := '{}';
BEGIN
    -- Everyone who appends waits here: whoever has the row may read what all before committed.
    SELECT * INTO STRICT head FROM es_head WHERE id = 0 FOR UPDATE;
    SELECT w.batch, w.positions INTO STRICT newest, done FROM writers w WHERE w.id = p_writer;
    IF newest > p_batch THEN
        RAISE EXCEPTION 'batch % of writer % comes after batch %', p_batch, p_writer, newest
            USING ERRCODE = 'object_not_in_prerequisite_state';
    ELSIF newest < p_batch THEN
        done := '{}';
    END IF;
    pos := head.position;
    -- Time never runs backwards along the log, whatever the clock does.
    head.recorded_at := greatest(head.recorded_at, clock_timestamp());
    micros := (extract(epoch FROM head.recorded_at) * 1000000)::bigint;
    FOR c IN 1 .. cardinality(c_type) LOOP
        owner := NULL; version := NULL; first_position := NULL; last_position := NULL; at := head.recorded_at;
        first := e;
        WHILE e <= n AND e_command[e] = c LOOP e := e + 1; END LOOP;
        IF done[c] IS NOT NULL THEN
            outcome := 'appended'; version := c_expected[c] + e - first;
            first_position := done[c]; last_position := done[c] + e - first - 1;
            at := coalesce((SELECT v.recorded_at FROM events v WHERE v.position = done[c]), at);
            RETURN NEXT; CONTINUE;
        END IF;
        IF c_key[c] IS NOT NULL THEN
            SELECT * INTO used FROM command_keys k WHERE k.key = c_key[c];
            IF FOUND THEN
                outcome := CASE WHEN used.fingerprint = c_fingerprint[c] THEN 'replayed' ELSE 'reused' END;
                owner := used.aggregate_id; version := used.version; at := used.recorded_at;
                first_position := used.first_position; last_position := used.position;
                RETURN NEXT; CONTINUE;
            END IF;
        END IF;
        -- Checks the version and moves it on in one statement, where a claim does not forbid it.
        claimed := NULL;
        IF c_claim_kind[c] IS NOT NULL THEN
            SELECT k.aggregate_id INTO claimed FROM claims k WHERE k.kind = c_claim_kind[c] AND k.value = c_claim_value[c];
        END IF;
        cur := c_expected[c] + e - first;
        IF e = first OR claimed <> c_id[c] THEN
            fits := c_expected[c] = coalesce((SELECT s.version FROM streams s
                WHERE s.aggregate_type = c_type[c] AND s.aggregate_id = c_id[c]), 0);
        ELSIF c_expected[c] = 0 THEN
            INSERT INTO streams VALUES (c_type[c], c_id[c], cur) ON CONFLICT DO NOTHING;
            fits := FOUND;
        ELSE
            UPDATE streams s SET version = cur
                WHERE s.aggregate_type = c_type[c] AND s.aggregate_id = c_id[c] AND s.version = c_expected[c];
            fits := FOUND;
        END IF;
        IF NOT fits THEN
            outcome := 'stale';
            version := coalesce((SELECT s.version FROM streams s
                WHERE s.aggregate_type = c_type[c] AND s.aggregate_id = c_id[c]), 0);
            RETURN NEXT; CONTINUE;
        ELSIF claimed <> c_id[c] THEN
            outcome := 'claimed'; owner := claimed;
            RETURN NEXT; CONTINUE;
        ELSIF claimed IS NULL AND c_claim_kind[c] IS NOT NULL THEN
            INSERT INTO claims VALUES (c_claim_kind[c], c_claim_value[c], c_id[c]);
        END IF;
        cur := c_expected[c];
        first_position := pos + 1;
        FOR i IN first .. e - 1 LOOP
            pos := pos + 1; cur := cur + 1;
            private := private OR e_private[i] IS NOT NULL;
            l := sha256('\x00'::bytea || convert_to(concat_ws(E'\n', pos, c_type[c], c_id[c], cur, e_type[i],
                     e_version[i], micros, e_payload[i], e_metadata[i]), 'UTF8'));
            head.chain := sha256(head.chain || l);
            p_pos := array_append(p_pos, pos); p_seq := array_append(p_seq, cur); p_e := array_append(p_e, i);
            p_leaf := array_append(p_leaf, l); p_chain := array_append(p_chain, head.chain);
        END LOOP;
        outcome := 'appended'; version := cur; last_position := pos; done[c] := first_position;
        IF c_key[c] IS NOT NULL THEN
            INSERT INTO command_keys
                VALUES (c_key[c], c_fingerprint[c], c_type[c], c_id[c], cur, first_position, pos, head.recorded_at);
        END IF;
        RETURN NEXT;
    END LOOP;
    IF pos > head.position THEN
        INSERT INTO events
            SELECT p, c_type[e_command[x]], c_id[e_command[x]], s, e_type[x], e_version[x],
                   e_payload[x]::json, e_metadata[x]::json, e_actor[x], head.recorded_at, lf, ch
            FROM unnest(p_pos, p_seq, p_e, p_leaf, p_chain) AS t (p, s, x, lf, ch);
        IF private THEN
            INSERT INTO private_parts
                SELECT p, c_type[e_command[x]], c_id[e_command[x]], e_salt[x], e_private[x]
                FROM unnest(p_pos, p_e) AS t (p, x) WHERE e_private[x] IS NOT NULL;
        END IF;
        UPDATE es_head SET position = pos, chain = head.chain, recorded_at = head.recorded_at WHERE id = 0;
    END IF;
    -- A batch that changed nothing needs no memory, unless an earlier sending of it may still run.
    IF p_again OR cardinality(done) > 0 THEN
        UPDATE writers w SET batch = p_batch, positions = done WHERE w.id = p_writer;
    END IF;
END $$;
