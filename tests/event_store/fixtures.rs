//! Words that the tests share: events, commands and a store on a new database.

use crate::support::{self, TestDatabase};
use kmrl_domain::command::Upload;
use kmrl_domain::event::{ReprocessingRequested, Uploaded, Withdrawn};
use kmrl_domain::quarantine::Admission;
use kmrl_domain::values::{Blob, Priority};
use kmrl_domain::{DocumentEvent, PrivateDigest, PrivatePart};
use kmrl_gateway::event_store::{
    Append, CommandMetadata, Idempotency, NewEvent, PostgresEventStore,
};
use kmrl_gateway::signals::Signals;
use time::OffsetDateTime;
use uuid::Uuid;

pub const AT: OffsetDateTime = time::macros::datetime!(2026-01-02 03:04:05.678901 UTC);

/// A store on a new database.
pub async fn store() -> (PostgresEventStore, TestDatabase) {
    let database = support::database().await;
    let store = PostgresEventStore::start(database.pool.clone(), Signals::local());
    (store, database)
}

pub fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

fn blob(sha256: &str) -> Blob {
    Blob {
        key: format!("sha256/{sha256}"),
        sha256: sha256.into(),
        size: 3,
    }
}

pub fn uploaded(sha256: &str) -> DocumentEvent {
    DocumentEvent::Uploaded(Uploaded {
        blob: blob(sha256),
        content_type: "text/plain".into(),
        source: "manual".into(),
        priority: Priority::Normal,
        duplicate_of: None,
        parent: None,
        private: PrivateDigest("sha256:00".into()),
        uploaded_at: AT,
    })
}

pub fn requested(run: u32) -> DocumentEvent {
    DocumentEvent::ReprocessingRequested(ReprocessingRequested {
        run,
        priority: Priority::High,
        requested_at: AT,
    })
}

pub fn withdrawn(reason: &str) -> DocumentEvent {
    DocumentEvent::Withdrawn(Withdrawn {
        reason: reason.into(),
        withdrawn_at: AT,
    })
}

pub fn upload(sha256: &str) -> Upload {
    Upload {
        blob: blob(sha256),
        content_type: "text/plain".into(),
        source: "manual".into(),
        priority: Priority::Normal,
        duplicate_of: None,
        parent: None,
        private: private().digest(),
        admission: Admission::default(),
        at: AT,
    }
}

pub fn private() -> PrivatePart {
    PrivatePart::seal([7; 32], &serde_json::json!({"file_name": "തൊഴിൽ.pdf"})).unwrap()
}

pub fn metadata() -> CommandMetadata {
    CommandMetadata {
        actor: "key:admin".into(),
        key_id: Some("k1".into()),
        request_id: Some("r1".into()),
        correlation_id: "c1".into(),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
        ..CommandMetadata::default()
    }
}

pub fn key(name: &str, body: u8) -> Idempotency {
    Idempotency {
        key: name.into(),
        fingerprint: [body; 32],
    }
}

/// Events of a document without anything else.
pub fn append(id: Uuid, expected_version: i64, events: &[DocumentEvent]) -> Append {
    let written = events.iter().map(|e| NewEvent::new(e, None).unwrap());
    Append {
        aggregate_type: "document",
        aggregate_id: id.to_string(),
        expected_version,
        events: written.collect(),
        metadata: metadata(),
        idempotency: None,
        claim: None,
    }
}
