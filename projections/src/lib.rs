//! Projections: events in, rows out.
