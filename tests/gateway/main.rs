//! The gateway from outside: the real program over HTTP and WebSocket on real engines.

#![cfg(test)]

mod audit;
mod backup;
mod bad_input;
mod check;
mod command_line;
mod departments;
mod door;
mod erasure;
mod evidence;
mod faults;
mod helpers;

mod http;
mod inside;
mod live;
mod log;
mod openapi;
mod past;
mod pdf;
mod review;
mod scans;
mod search;
mod sse;
mod stream;
#[path = "../support/mod.rs"]
mod support;
mod way;

use support::gateway as harness;
