-- Documents' bytes can be removed from the object store while uploads of the same bytes come in.
--
-- A claim ('blob', SHA-256) whose owner begins with `removing:` or `removed:` says that the bytes are
-- being, or have been, taken away: an upload that meets it puts its bytes again (src/removal.rs).

-- Before all else, see 0004.
LOCK TABLE es_head IN ACCESS EXCLUSIVE MODE;

-- A payload in which everything can be read: senders may send U+0000, which `->` refuses wherever
-- in the JSON it stands.
CREATE FUNCTION es_readable(payload json) RETURNS json
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT replace(payload::text, '\u0000', '\ufffd')::json
$$;

-- Which documents have certain bytes. On a large log make it ahead of the rollout, CONCURRENTLY.
CREATE INDEX IF NOT EXISTS events_by_blob ON events ((es_readable(payload) -> 'blob' ->> 'sha256'))
    WHERE event_type = 'Uploaded';
CREATE INDEX IF NOT EXISTS claims_of_removals ON claims (aggregate_id) WHERE aggregate_id LIKE 'removing:%';

-- As in 0004, and a command can share what another stream has claimed: the kind is `shared `
-- and the kind of the claim, the value is the claimed value, a space and the stream that is believed to
-- have it. Whoever has it instead is answered as for a claim.
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
                -- An empty one was forgotten with the content of an erased document: it fits all.
                outcome := CASE WHEN used.fingerprint IN (c_fingerprint[c], ''::bytea) THEN 'replayed' ELSE 'reused' END;
                owner := used.aggregate_id; version := used.version; at := used.recorded_at;
                first_position := used.first_position; last_position := used.position;
                RETURN NEXT; CONTINUE;
            END IF;
        END IF;
        -- Checks the version and moves it on in one statement, where a claim does not forbid it.
        claimed := NULL;
        IF c_claim_kind[c] LIKE 'shared %' THEN
            SELECT k.aggregate_id INTO claimed FROM claims k
                WHERE k.kind = substr(c_claim_kind[c], 8) AND k.value = split_part(c_claim_value[c], ' ', 1);
            -- Still whose it was believed to be: nothing stands in the way.
            claimed := CASE WHEN claimed = split_part(c_claim_value[c], ' ', 2) THEN c_id[c]
                            ELSE coalesce(claimed, 'nobody') END;
        ELSIF c_claim_kind[c] IS NOT NULL THEN
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
