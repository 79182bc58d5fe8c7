//! Projections: events in, rows out.
//!
//! Owns the read models (one a file in `models`), the runner that keeps them up with the log,
//! their rebuilding, and the queries over them. It writes nothing but read-model tables and their
//! registry: never events, and no side effect, so that everything here may be repeated.

mod batch;
mod commit;
mod compare;
mod counters;
mod error;
pub mod fault_point;
mod fold;
mod model;
mod models;
pub mod query;
mod rebuild;
mod registry;
mod rows;
mod runner;
mod source;
#[cfg(test)]
mod testing;
mod words;

pub use compare::{Comparison, UnlikeRow};
pub use error::ProjectionError;
pub use model::NAMES;
pub use rebuild::RebuildReport;
pub use runner::{Projector, Watcher};
pub use source::{BoxError, EventSource, TextError, TextSource};
