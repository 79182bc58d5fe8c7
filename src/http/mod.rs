//! The HTTP API: one endpoint a file, holding its request, response, documentation and handler.
//!
//! Turns requests into commands and questions, and errors into problems. Decides nothing itself.

mod arrival;
pub mod asyncapi;
mod audit;
mod audited;
pub mod auth;
mod blocked_addresses;
mod cloud_event;
mod commands;
pub mod context;
mod cors;
mod cursor;
mod dead_letters;
mod disposition;
mod documented;
mod documents;
mod erasures;
mod etag;
mod events;
mod head;
mod health;
mod idempotency;
mod json;
mod keys;
mod limited;
pub mod live;
mod log;
mod metrics;
mod min_position;
pub mod openapi;
mod origin;
mod paced;
mod position;
pub mod problem;
mod query;
mod range;
pub mod router;
mod rules;
mod search;
mod security_headers;
mod seen;
pub mod server;
pub mod state;
mod status;
mod websocket_info;
mod websocket_ticket;
