-- The Merkle log takes the place of the hash chain: signed checkpoints of the tree over events.leaf
-- (RFC 6962; the leaf with index i is that of the entry at position i+1) prove order and content.
--
-- es_append keeps its signature, so a program from before this migration works beside a newer one.
-- Entries from now on have no chain; what is there of it stays and means nothing any more.
-- Before all else, as es_append does: whoever takes two locks in another order deadlocks with it.
LOCK TABLE es_head IN ACCESS EXCLUSIVE MODE;

ALTER TABLE events ALTER COLUMN chain DROP NOT NULL;
ALTER TABLE es_head ALTER COLUMN chain DROP NOT NULL;
UPDATE es_head SET chain = NULL;

-- The key that signs this log. One log has one key: whoever has another one must not sign.
CREATE TABLE log_keys (
    id            int         PRIMARY KEY CHECK (id = 0),
    vkey          text        NOT NULL, -- public, as in C2SP signed-note
    registered_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Inner nodes of the tree, as far as proofs need them: roots of full tiles of 256, as in C2SP
-- tlog-tiles. Level 1 is over 256 leaves, level 2 over 256 nodes of level 1, and so on.
CREATE TABLE log_nodes (
    level int    NOT NULL CHECK (level > 0),
    index bigint NOT NULL CHECK (index >= 0),
    hash  bytea  NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (level, index)
);

-- What was signed. The same notes are in the blob store, where this database's owner cannot reach.
CREATE TABLE log_checkpoints (
    size bigint      PRIMARY KEY CHECK (size > 0),
    root bytea       NOT NULL CHECK (octet_length(root) = 32),
    time timestamptz NOT NULL,
    note text        NOT NULL
);

CREATE TRIGGER log_keys_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON log_keys
    FOR EACH STATEMENT EXECUTE FUNCTION es_refuse();
CREATE TRIGGER log_nodes_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON log_nodes
    FOR EACH STATEMENT EXECUTE FUNCTION es_refuse();
CREATE TRIGGER log_checkpoints_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON log_checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION es_refuse();

-- As in 0001, without the chain.
CREATE OR REPLACE FUNCTION es_append(
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
    p_leaf bytea[] := '{}';
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
            p_pos := array_append(p_pos, pos); p_seq := array_append(p_seq, cur); p_e := array_append(p_e, i);
            p_leaf := array_append(p_leaf, l);
        END LOOP;
        outcome := 'appended'; version := cur; last_position := pos; done[c] := first_position;
        IF c_key[c] IS NOT NULL THEN
            INSERT INTO command_keys
                VALUES (c_key[c], c_fingerprint[c], c_type[c], c_id[c], cur, first_position, pos, head.recorded_at);
        END IF;
        RETURN NEXT;
    END LOOP;
    IF pos > head.position THEN
        INSERT INTO events (position, aggregate_type, aggregate_id, sequence, event_type, event_version,
                            payload, metadata, actor, recorded_at, leaf)
            SELECT p, c_type[e_command[x]], c_id[e_command[x]], s, e_type[x], e_version[x],
                   e_payload[x]::json, e_metadata[x]::json, e_actor[x], head.recorded_at, lf
            FROM unnest(p_pos, p_seq, p_e, p_leaf) AS t (p, s, x, lf);
        IF private THEN
            INSERT INTO private_parts
                SELECT p, c_type[e_command[x]], c_id[e_command[x]], e_salt[x], e_private[x]
                FROM unnest(p_pos, p_e) AS t (p, x) WHERE e_private[x] IS NOT NULL;
        END IF;
        UPDATE es_head SET position = pos, recorded_at = head.recorded_at WHERE id = 0;
    END IF;
    -- A batch that changed nothing needs no memory, unless an earlier sending of it may still run.
    IF p_again OR cardinality(done) > 0 THEN
        UPDATE writers w SET batch = p_batch, positions = done WHERE w.id = p_writer;
    END IF;
END $$;
