//! The notary on a real PostgreSQL and real files: proofs, keys, and every attack on the log.

#![cfg(test)]

mod attacks;
mod exported;
mod proofs;
mod scene;
mod signing;

#[path = "../support/mod.rs"]
mod support;
