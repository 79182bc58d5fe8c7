//! The read models, one a file with its tables beside it. None knows another.

pub mod api_keys;
pub mod audit;
pub mod documents;
mod erasure;
mod judged;
mod quarantine;
pub mod search;
pub mod statistics;
pub mod texts;
pub mod validation_errors;
