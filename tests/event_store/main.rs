//! The event store on a real PostgreSQL, each test on a database of its own.

#![cfg(test)]

mod append_only;
mod appending;
mod commands;
mod conformance;
mod connections;
mod contention;
mod fixtures;
mod leaves;
mod log;
mod migrations;
mod upcasting;

#[path = "../support/mod.rs"]
mod support;
