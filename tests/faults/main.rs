//! Nothing lost, nothing doubled: the real roles as processes of their own are killed between every
//! two steps, their engines taken away, and afterwards the same check passes.

#![cfg(test)]

mod cast;
mod connections;
mod engines;
mod erasing;
mod kills;
mod ledger;
mod many;
mod soak;
mod stores;
#[path = "../support/mod.rs"]
mod support;
mod verdict;
