//! The gateway from outside: the real program over HTTP and WebSocket on real engines.

#![cfg(test)]

mod attacks;
mod audit;
mod authority;
mod backup;
mod bad_input;
mod browser;
mod check;
mod command_line;
mod connector;
mod departments;
mod door;
mod erasure;
mod evidence;
mod faults;
mod health;
mod helpers;

mod http;
mod inside;
mod keys;
mod limits;
mod live;
mod log;
mod metrics;
mod monitoring;
mod openapi;
mod past;
mod pdf;
mod reload;
mod review;
mod scans;
mod search;
mod secrets;
mod sse;
mod stream;
#[path = "../support/mod.rs"]
mod support;
mod tls;
mod tokens;
mod traces;
mod way;

use support::gateway as harness;
