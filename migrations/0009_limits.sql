-- How much of each quota is spent, over all processes: it is whole again at a moment, and what lies in the past says
-- nothing. Changed with every second of use, and worth nothing after a minute: not worth a flush to disk.
CREATE UNLOGGED TABLE budgets (
    name     text        PRIMARY KEY,
    granted  integer     NOT NULL, -- how many whoever took last was given
    whole_at timestamptz NOT NULL
) WITH (fillfactor = 50);

-- Addresses that are refused for a while after credentials that were not good.
CREATE TABLE blocked_addresses (
    address       text        PRIMARY KEY, -- of IPv4 the address, of IPv6 the first of its /64
    failures      integer     NOT NULL,    -- after so many
    blocked_at    timestamptz NOT NULL,
    blocked_until timestamptz NOT NULL
);
