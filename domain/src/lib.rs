//! The aggregates Document and ApiKey: commands, events, state, decisions and refusals.
//!
//! Owns every rule about what may happen to a document and who may do it, as pure synchronous functions. Time and
//! ids come in with the command. It must not know of databases, networks or files.

pub mod access;
pub mod api_key;
pub mod authority;
pub mod boxes;
pub mod command;
pub mod decide;
pub mod document;
pub mod event;
pub mod intake;
pub mod judged;
pub mod private;
pub mod quarantine;
pub mod recorded;
pub mod upcast;
pub mod values;

pub use access::{AccessRecord, AccessRecorded};
pub use api_key::{ApiKey, ApiKeyCommand, ApiKeyEvent};
pub use authority::{Authority, Permission, Role};
pub use command::DocumentCommand;
pub use decide::Refusal;
pub use document::Document;
pub use event::DocumentEvent;
pub use intake::UploadRefused;
pub use private::{PrivateDigest, PrivatePart};
pub use recorded::RecordedEvent;
