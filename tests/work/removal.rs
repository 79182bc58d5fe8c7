//! Bytes that are taken out of the object store while the same bytes come in: whatever the order
//! of their steps, a document that was accepted has its bytes.

use crate::support::{self, TempDir, TestDatabase};
use kmrl_domain::PrivatePart;
use kmrl_domain::command::Upload;
use kmrl_domain::private::UploadedPrivate;
use kmrl_domain::values::{Blob, Priority};
use kmrl_gateway::adapters::local_blobs::LocalBlobs;
use kmrl_gateway::adapters::system::{SystemClock, SystemIds};
use kmrl_gateway::commands::{CommandError, CommandOptions, Commands, Executed};
use kmrl_gateway::event_store::{Append, CommandMetadata, NewEvent, PostgresEventStore};
use kmrl_gateway::ports::{BlobStore, Clock, Ids, Spooled, blob_key};
use kmrl_gateway::reconciler::Reconciler;
use kmrl_gateway::removal::{Removals, Removed};
use kmrl_gateway::signals::Signals;
use kmrl_gateway::spool::Spool;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

struct Shelf {
    database: TestDatabase,
    store: PostgresEventStore,
    commands: Commands,
    blobs: Arc<LocalBlobs>,
    removals: Removals,
    spool: Spool,
    _files: TempDir,
}

impl Shelf {
    async fn new() -> Self {
        let database = support::database().await;
        let files = TempDir::new("removal");
        let blobs = Arc::new(LocalBlobs::open(files.path().join("blobs")).unwrap());
        let store = PostgresEventStore::start(database.pool.clone(), Signals::local());
        Self {
            commands: Commands::new(store.clone()),
            removals: Removals::new(database.pool.clone(), blobs.clone(), Arc::new(SystemIds)),
            spool: Spool::new(files.path().join("spool")).unwrap(),
            database,
            store,
            blobs,
            _files: files,
        }
    }

    /// The file as an upload has it at hand.
    async fn file(&self) -> Spooled {
        let mut writer = self.spool.create().await.unwrap();
        writer.write(b"the same bytes").await.unwrap();
        writer.finish().await.unwrap()
    }

    async fn put(&self, file: &Spooled) {
        self.blobs.put(&blob_key(&file.sha256), file).await.unwrap();
    }

    async fn append(&self, file: &Spooled) -> Result<Executed, CommandError> {
        let private = PrivatePart::seal(SystemIds.salt(), &UploadedPrivate::default()).unwrap();
        let upload = Upload {
            blob: Blob {
                key: blob_key(&file.sha256),
                sha256: file.sha256.clone(),
                size: file.size,
            },
            content_type: "text/plain".into(),
            source: "manual".into(),
            priority: Priority::Normal,
            duplicate_of: None,
            parent: None,
            private: private.digest(),
            admission: kmrl_domain::quarantine::Admission::default(),
            at: SystemClock.now(),
        };
        let options = CommandOptions::default();
        self.commands
            .upload(SystemIds.new_id(), upload, private, options)
            .await
    }

    /// As an erasure that has been approved leaves the document.
    async fn erase(&self, document: Uuid) {
        let append = Append {
            aggregate_type: "document",
            aggregate_id: document.to_string(),
            expected_version: 1,
            events: vec![NewEvent {
                event_type: "Erased".into(),
                event_version: "1.0".into(),
                payload: "{}".into(),
                private: None,
            }],
            metadata: CommandMetadata::default(),
            idempotency: None,
            claim: None,
        };
        self.store.append(append).await.unwrap();
    }

    async fn is_there(&self, file: &Spooled) -> bool {
        let size = self.blobs.size(&blob_key(&file.sha256)).await.unwrap();
        size == Some(file.size)
    }

    async fn mark(&self) -> Option<String> {
        sqlx::query_scalar("SELECT aggregate_id FROM claims WHERE kind = 'blob'")
            .fetch_optional(&self.database.pool)
            .await
            .unwrap()
    }

    fn reconciler(&self, grace: Duration) -> Reconciler {
        Reconciler {
            pool: self.database.pool.clone(),
            blobs: self.blobs.clone(),
            removals: self.removals.clone(),
            clock: Arc::new(SystemClock),
            grace,
        }
    }
}

#[tokio::test]
async fn bytes_stay_while_a_document_has_them() {
    let shelf = Shelf::new().await;
    let file = shelf.file().await;
    shelf.put(&file).await;
    let first = shelf.append(&file).await.unwrap();
    let second = shelf.append(&file).await.unwrap();
    assert_eq!(second.duplicate_of, Some(first.document_id));
    shelf.erase(first.document_id).await;
    let kept = shelf.removals.remove(&file.sha256).await.unwrap();
    assert_eq!(kept, Removed::KeptFor(vec![second.document_id]));
    assert!(shelf.is_there(&file).await);
    // The next one is a duplicate of the one that is left.
    let third = shelf.append(&file).await.unwrap();
    assert_eq!(third.duplicate_of, Some(second.document_id));
    for document in [second.document_id, third.document_id] {
        shelf.erase(document).await;
    }
    assert_eq!(
        shelf.removals.remove(&file.sha256).await.unwrap(),
        Removed::Gone
    );
    assert!(!shelf.is_there(&file).await);
}

/// The upload has put its bytes (they were there) when they are removed: it learns of it, puts them
/// again and is accepted with them.
#[tokio::test]
async fn an_upload_between_its_put_and_its_event_puts_its_bytes_again() {
    let shelf = Shelf::new().await;
    let file = shelf.file().await;
    shelf.put(&file).await;
    let before = shelf.append(&file).await.unwrap();
    shelf.put(&file).await;
    shelf.erase(before.document_id).await;
    shelf.removals.remove(&file.sha256).await.unwrap();
    let Err(CommandError::BytesRemoved { removal }) = shelf.append(&file).await else {
        panic!("accepted without its bytes");
    };
    assert!(!shelf.is_there(&file).await);
    shelf.removals.readmit(&file, &removal).await.unwrap();
    assert!(shelf.is_there(&file).await);
    let after = shelf.append(&file).await.unwrap();
    assert_eq!(after.duplicate_of, None);
    assert_eq!(shelf.mark().await, Some(after.document_id.to_string()));
}

/// A removal that died between its mark and the deletion holds uploads up until it is finished.
#[tokio::test]
async fn a_removal_cut_short_is_finished_and_uploads_go_on() {
    let shelf = Shelf::new().await;
    let file = shelf.file().await;
    shelf.put(&file).await;
    sqlx::query("INSERT INTO claims VALUES ('blob', $1, 'removing:cut-short')")
        .bind(&file.sha256)
        .execute(&shelf.database.pool)
        .await
        .unwrap();
    let Err(CommandError::BytesRemoved { removal }) = shelf.append(&file).await else {
        panic!("accepted without its bytes");
    };
    let (readmitted, finished) = tokio::join!(
        shelf.removals.readmit(&file, &removal),
        shelf.removals.finish()
    );
    readmitted.unwrap();
    assert_eq!(finished.unwrap(), 1);
    assert!(shelf.is_there(&file).await);
    shelf.append(&file).await.unwrap();
}

/// Two uploads meet the same removal: the one that puts its bytes again does so for both.
#[tokio::test]
async fn two_uploads_after_a_removal_both_have_their_bytes() {
    let shelf = Shelf::new().await;
    let file = shelf.file().await;
    shelf.put(&file).await;
    shelf.removals.remove(&file.sha256).await.unwrap();
    let Err(CommandError::BytesRemoved { removal }) = shelf.append(&file).await else {
        panic!("accepted without its bytes");
    };
    shelf.removals.readmit(&file, &removal).await.unwrap();
    let first = shelf.append(&file).await.unwrap();
    // The second one was told of the same removal and comes late.
    shelf.removals.readmit(&file, &removal).await.unwrap();
    let second = shelf.append(&file).await.unwrap();
    assert_eq!(second.duplicate_of, Some(first.document_id));
    assert!(shelf.is_there(&file).await);
}

/// Many uploads of the same bytes while they are erased and removed again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_accepted_is_without_bytes_under_contention() {
    let shelf = Arc::new(Shelf::new().await);
    let uploads = (0..4).map(|_| {
        let shelf = Arc::clone(&shelf);
        tokio::spawn(async move {
            for _ in 0..15 {
                let file = shelf.file().await;
                shelf.put(&file).await;
                let executed = loop {
                    match shelf.append(&file).await {
                        Err(CommandError::BytesRemoved { removal }) => {
                            shelf.removals.readmit(&file, &removal).await.unwrap();
                        }
                        result => break result.unwrap(),
                    }
                };
                assert!(shelf.is_there(&file).await, "accepted without bytes");
                shelf.erase(executed.document_id).await;
                shelf.removals.remove(&file.sha256).await.unwrap();
            }
        })
    });
    for upload in uploads.collect::<Vec<_>>() {
        upload.await.unwrap();
    }
    let file = shelf.file().await;
    assert_eq!(
        shelf.removals.remove(&file.sha256).await.unwrap(),
        Removed::Gone
    );
    assert!(!shelf.is_there(&file).await);
}

#[tokio::test]
async fn what_no_event_names_is_removed_once_it_is_old() {
    let shelf = Shelf::new().await;
    let file = shelf.file().await;
    shelf.put(&file).await;
    let left_behind = "text/00000000-0000-0000-0000-000000000007/1-1-abc.json";
    let digest = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";
    shelf
        .blobs
        .put_bytes(left_behind, "foo".into(), digest)
        .await
        .unwrap();
    let young = shelf.reconciler(Duration::from_secs(3_600));
    assert_eq!(young.round().await.unwrap(), 0);
    let old = shelf.reconciler(Duration::ZERO);
    assert_eq!(old.orphans(10).await.unwrap().len(), 2);
    assert_eq!(old.round().await.unwrap(), 2);
    assert!(!shelf.is_there(&file).await);
    assert_eq!(shelf.blobs.size(left_behind).await.unwrap(), None);
    // What an event names stays at any age.
    let Err(CommandError::BytesRemoved { removal }) = shelf.append(&file).await else {
        panic!("accepted without its bytes");
    };
    shelf.removals.readmit(&file, &removal).await.unwrap();
    shelf.append(&file).await.unwrap();
    assert_eq!(old.round().await.unwrap(), 0);
}
