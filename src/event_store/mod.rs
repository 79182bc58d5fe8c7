//! The event store: one log with one order, written by one task a process.
//!
//! Owns appending, reading the log and the database's schema. It must not know of HTTP, jobs or
//! read models, and it decides nothing: rules are the domain's.
//!
//! - [`PostgresEventStore::append`] hands a command to the writer, which gathers all that wait and
//!   appends them in one statement (group commit);
//! - [`EventLog`] reads by position;
//! - [`migrate()`] makes the schema.

mod batch;
mod framework;
mod log;
mod migrate;
mod store;
mod types;
mod writer;

pub use log::{EventFilter, EventLog, First, LogError};
pub use migrate::{SchemaError, check_schema, migrate};
pub use store::PostgresEventStore;
pub use types::{
    Append, AppendError, Appended, Claim, CommandMetadata, Idempotency, NewEvent, Upcasters,
};
