-- Issued keys, without anything of their secrets.
CREATE TABLE {schema}.api_keys (
    id                uuid        PRIMARY KEY,
    version           bigint      NOT NULL, -- of its stream
    position          bigint      NOT NULL, -- of its first event
    name              text        NOT NULL,
    terms             jsonb       NOT NULL, -- owner, roles, scopes, sources, departments, expiry
    issued_at         timestamptz NOT NULL,
    issued_by         text        NOT NULL,
    rotated_at        timestamptz,
    overlap_until     timestamptz,          -- until when the secret before is good
    revoked_at        timestamptz,
    revoked_by        text,
    revocation_reason text,
    last_used_at      timestamptz
);
CREATE UNIQUE INDEX ON {schema}.api_keys (position);
