//! The audit trail: records of access made durable, questions to the trail, and its exports.
//!
//! Owns how records are gathered and appended ([`AccessRecorder`]), what may be asked
//! ([`Question`]) and how rows look as lines ([`Export`]). It must not know of HTTP: what is
//! recorded of a request is decided there.

mod export;
mod question;
mod recorder;

pub use export::{Export, Exporter};
pub use question::{BadQuestion, Question, cursor, parse_cursor};
pub use recorder::{AccessRecorder, RecordError};
