//! A log of some entries with signed checkpoints, and the hands of an attacker who is superuser.

use crate::support::{self, TempDir, TestDatabase};
use futures::future::join_all;
use kmrl_domain::PrivatePart;
use kmrl_gateway::adapters::local_blobs::LocalBlobs;
use kmrl_gateway::adapters::system::{SystemClock, SystemIds};
use kmrl_gateway::config::NotarySettings;
use kmrl_gateway::event_store::{Append, CommandMetadata, NewEvent, PostgresEventStore};
use kmrl_gateway::notary::verify::{VerifyReport, verify_live};
use kmrl_gateway::notary::{LogTree, Notary, SignedCheckpoint, stored_key};
use kmrl_gateway::ports::BlobStore;
use kmrl_gateway::proof::note::VerifyingKey;
use kmrl_gateway::proof::scan::Kind;
use kmrl_gateway::signals::Signals;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Makes leaves anew, as `es_append` does.
pub const LEAVES: &str = "UPDATE events SET leaf = sha256('\\x00'::bytea || convert_to(concat_ws(E'\\n', \
     position, aggregate_type, aggregate_id, sequence, event_type, event_version, \
     (extract(epoch FROM recorded_at) * 1000000)::bigint, payload::text, metadata::text), 'UTF8'))";

pub struct Scene {
    pub database: TestDatabase,
    pub store: PostgresEventStore,
    pub blobs: Arc<dyn BlobStore>,
    pub tree: LogTree,
    pub dir: TempDir,
}

impl Scene {
    pub async fn new() -> Self {
        Self::on(support::database().await)
    }

    pub fn on(database: TestDatabase) -> Self {
        let dir = TempDir::new("notary");
        let blobs = LocalBlobs::open(dir.path().join("blobs")).unwrap();
        Self {
            store: PostgresEventStore::start(database.pool.clone(), Signals::local()),
            tree: LogTree::new(database.pool.clone()),
            blobs: Arc::new(blobs),
            dir,
            database,
        }
    }

    /// A log with a checkpoint at each of the sizes.
    pub async fn with(sizes: &[usize]) -> Self {
        let scene = Self::new().await;
        let mut before = 0;
        for size in sizes {
            scene.append(size - before).await;
            assert_eq!(scene.sign().await.checkpoint.size, *size as u64);
            before = *size;
        }
        scene
    }

    /// Appends entries, every third with a private part, two to a stream.
    pub async fn append(&self, n: usize) {
        let log = self.store.log();
        let head = log.head().await.unwrap() as usize;
        let mut done = 0;
        while done < n {
            let size = (n - done).min(2);
            let id = Uuid::from_u128((head + done + 1) as u128).to_string();
            let events = (0..size).map(|i| event(head + done + i));
            let append = Append {
                aggregate_type: "document",
                aggregate_id: id,
                expected_version: 0,
                events: events.collect(),
                metadata: CommandMetadata {
                    actor: "key:admin".into(),
                    correlation_id: "c".into(),
                    ..CommandMetadata::default()
                },
                idempotency: None,
                claim: None,
            };
            done += size;
            // In turn, so that streams lie side by side.
            join_all([self.store.append(append)])
                .await
                .pop()
                .unwrap()
                .unwrap();
        }
    }

    pub fn key_file(&self) -> PathBuf {
        self.dir.path().join("key")
    }

    pub fn notary(&self) -> Notary {
        self.notary_with(self.key_file(), 0)
    }

    pub fn notary_with(&self, key_file: PathBuf, lock_days: u32) -> Notary {
        Notary::new(
            self.database.pool.clone(),
            Arc::clone(&self.blobs),
            Arc::new(SystemClock),
            Arc::new(SystemIds),
            NotarySettings {
                key_file,
                every: Duration::from_secs(1),
                lock_days,
            },
        )
    }

    pub async fn sign(&self) -> SignedCheckpoint {
        self.notary().make_checkpoint().await.unwrap().unwrap()
    }

    pub fn key(&self) -> VerifyingKey {
        stored_key(&self.key_file()).unwrap().unwrap().verifying()
    }

    pub async fn verify(&self) -> VerifyReport {
        let blobs = Arc::clone(&self.blobs);
        verify_live(&self.database.pool, blobs, &self.key(), &mut |_, _| {})
            .await
            .unwrap()
    }

    /// The first thing found, with its position.
    pub async fn found(&self) -> (Kind, u64) {
        let report = self.verify().await;
        let first = report.findings.first().expect("nothing was found");
        (first.kind, first.position.unwrap())
    }

    /// Runs statements as a superuser whom no trigger stops.
    pub async fn attack(&self, statements: &str) {
        self.database.attack(statements).await;
    }

    /// Makes leaves, stored nodes and the head fit whatever the entries say now.
    pub async fn cover_up(&self) {
        self.attack(&format!(
            "{LEAVES}; UPDATE es_head SET position = (SELECT max(position) FROM events)"
        ))
        .await;
        let leaves: Vec<Vec<u8>> = sqlx::query_scalar("SELECT leaf FROM events ORDER BY position")
            .fetch_all(&self.database.pool)
            .await
            .unwrap();
        for (index, tile) in leaves.chunks_exact(256).enumerate() {
            let tile: Vec<[u8; 32]> = tile
                .iter()
                .map(|l| l.as_slice().try_into().unwrap())
                .collect();
            let root = kmrl_domain::private::hex(&kmrl_gateway::proof::tree::root(&tile));
            self.attack(&format!(
                "UPDATE log_nodes SET hash = '\\x{root}' WHERE level = 1 AND index = {index}"
            ))
            .await;
        }
    }

    pub fn blob_path(&self, key: &str) -> PathBuf {
        self.dir.path().join("blobs").join(key)
    }
}

fn event(n: usize) -> NewEvent {
    let private = n
        .is_multiple_of(3)
        .then(|| PrivatePart::seal([n as u8; 32], &serde_json::json!({"name": n})).unwrap());
    let digest = private.as_ref().map(|p| p.digest().0);
    NewEvent {
        event_type: "Tested".into(),
        event_version: "1.0".into(),
        payload: serde_json::json!({"n": n, "private": digest, "odd": "\u{0}"}).to_string(),
        private,
    }
}
