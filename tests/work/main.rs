//! Relay, queue and workers on a real PostgreSQL and a real nats-server: priorities, claims,
//! retries, and what is left when something dies at the wrong moment.

#![cfg(test)]

#[path = "../support/mod.rs"]
mod support;

mod faults;
mod jail;
mod nats;
mod queue;
mod reader;
mod relay;
mod removal;
mod scene;
mod signals;
mod worker;
