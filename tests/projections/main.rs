//! Projections on a real PostgreSQL: events to rows, delivered twice, rebuilt, faulty events,
//! several projectors, texts that are away.

#![cfg(test)]

#[path = "../support/mod.rs"]
mod support;

mod audit;
mod erasing;
mod faults;
mod history;
mod rebuilding;
mod rows;
mod search;
mod visible;
mod world;
