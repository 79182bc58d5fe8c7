-- Tickets for live connections: used once, soon worthless. Not worth a flush to disk: after a crash
-- of the database clients ask for new ones.
CREATE UNLOGGED TABLE tickets (
    digest     text        PRIMARY KEY, -- SHA-256 of the ticket
    holder     jsonb       NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX ON tickets (expires_at);
