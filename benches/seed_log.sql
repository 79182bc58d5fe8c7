-- A large log as es_append would have written it, for the bench proof_cost.
BEGIN;
SET LOCAL session_replication_role = replica;
CREATE TEMP TABLE seed ON COMMIT DROP AS
    SELECT p, md5('d' || (p - 1) / 4)::uuid::text AS id, 1 + (p - 1) % 4 AS s,
           timestamptz '2026-01-01' + p * interval '1 ms' AS at, sha256(int8send(p)) AS salt,
           '{"file_name":"' || p || '.pdf"}' AS private,
           '{"actor":"key:admin","key_id":"admin","correlation_id":"' || md5(p::text) || '"}' AS metadata
    FROM generate_series(1::bigint, $entries) p;
INSERT INTO private_parts SELECT p, 'document', id, salt, private FROM seed WHERE s = 1;
INSERT INTO events (position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload,
                    metadata, actor, recorded_at, leaf)
    SELECT p, 'document', id, s, 'Seeded', '1.0', payload::json, metadata::json, 'key:admin', at,
           sha256('\x00'::bytea || convert_to(concat_ws(E'\n', p, 'document', id, s, 'Seeded', '1.0',
               (extract(epoch FROM at) * 1000000)::bigint, payload, metadata), 'UTF8'))
    FROM (SELECT *, '{"type":"Seeded","blob":{"key":"sha256/00/00/' || repeat('0', 64) || '","sha256":"'
                 || repeat('0', 64) || '","size":100000},"content_type":"application/pdf","source":"maximo"'
                 || CASE WHEN s = 1 THEN ',"private":"sha256:'
                         || encode(sha256(salt || convert_to(private, 'UTF8')), 'hex') || '"}'
                    ELSE '}' END AS payload
          FROM seed) t;
INSERT INTO streams SELECT 'document', id, max(s) FROM seed GROUP BY id;
UPDATE es_head SET position = $entries, recorded_at = (SELECT max(recorded_at) FROM events);
COMMIT;
