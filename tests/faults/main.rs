//! Nothing lost, nothing doubled: the real roles as processes of their own are killed between every
//! two steps, their engines taken away, and afterwards the same check passes.

#![cfg(test)]

mod cast;
mod kills;
mod ledger;
#[path = "../support/mod.rs"]
mod support;
mod verdict;
