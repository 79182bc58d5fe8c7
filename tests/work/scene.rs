//! Everything that a document needs on its way, with short times: engines, store, relay, workers.

use crate::nats::NatsServer;
use crate::reader::Blobs;
use crate::support::{self, TempDir, TestDatabase, eventually};
use bytes::Bytes;
use kmrl_domain::command::Upload;
use kmrl_domain::document::TYPE;
use kmrl_domain::event::DocumentEvent;
use kmrl_domain::private::{UploadedPrivate, hex};
use kmrl_domain::values::{Blob, Priority, TextArtefact};
use kmrl_domain::{DocumentCommand, PrivatePart};
use kmrl_gateway::adapters::extraction_child::{ChildSettings, ExtractionChild};
use kmrl_gateway::adapters::local_blobs::LocalBlobs;
use kmrl_gateway::adapters::nats_queue::NatsQueue;
use kmrl_gateway::adapters::system::{SystemClock, SystemIds};
use kmrl_gateway::adapters::{nats, nats_queue};
use kmrl_gateway::commands::{CommandError, CommandOptions, Commands, Executed};
use kmrl_gateway::config::{self, Settings};
use kmrl_gateway::departments::DepartmentRules;
use kmrl_gateway::door::Door;
use kmrl_gateway::event_store::{CommandMetadata, EventLog, PostgresEventStore};
use kmrl_gateway::metrics::Metrics;
use kmrl_gateway::ports::{BlobStore, Clock, Extractor, Ids, blob_key};
use kmrl_gateway::relay::{self, Relay, RelaySettings};
use kmrl_gateway::removal::Removals;
use kmrl_gateway::signals::Signals;
use kmrl_gateway::spool::Spool;
use kmrl_gateway::traces::Traces;
use kmrl_gateway::work::{self, Judge, WorkSettings, Worker};
use sha2::{Digest, Sha256};
use sqlx::Row;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Short, so that redeliveries come within a test; long enough for a busy machine.
pub const ACK_WAIT: Duration = Duration::from_secs(2);

pub struct Scene {
    pub db: TestDatabase,
    pub nats: NatsServer,
    pub client: async_nats::Client,
    pub queue: Arc<nats_queue::NatsQueue>,
    pub signals: Signals,
    pub commands: Commands,
    pub log: EventLog,
    pub blobs: Arc<Blobs>,
    files: TempDir,
    workers: AtomicU32,
}

/// A role that runs in the background.
pub struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    /// Ends it as a killed process ends: at once, giving nothing back.
    pub async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }

    pub async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

/// A row of the table of jobs.
#[derive(Debug, PartialEq, Eq)]
pub struct Job {
    pub status: String,
    pub attempt: i32,
    pub excused: i32,
    pub published: i32,
}

impl Scene {
    pub async fn new() -> Self {
        let nats = NatsServer::start();
        let db = support::database().await;
        let client = nats::connect(&nats.url()).await.unwrap();
        let signals = Signals::connect(client.clone(), "kmrl");
        let queue = NatsQueue::open(client.clone(), "kmrl", ACK_WAIT)
            .await
            .unwrap();
        let files = TempDir::new("work");
        let store = PostgresEventStore::start(db.pool.clone(), signals.clone());
        Self {
            log: EventLog::new(db.pool.clone()),
            commands: Commands::new(store),
            queue: Arc::new(queue),
            blobs: Arc::new(Blobs::new(
                LocalBlobs::open(files.path().join("blobs")).unwrap(),
            )),
            workers: AtomicU32::new(1),
            db,
            nats,
            client,
            signals,
            files,
        }
    }

    /// A relay of its own. The sweep is left to the caller when `sweep_every` is long.
    pub fn relay(&self) -> Relay {
        Relay {
            pool: self.db.pool.clone(),
            log: self.log.clone(),
            queue: self.queue.clone(),
            signals: self.signals.clone(),
            metrics: metrics(),
            traces: Traces::off(),
            settings: RelaySettings {
                ack_wait: ACK_WAIT,
                sweep_every: Duration::from_millis(500),
            },
        }
    }

    pub fn run_relay(&self) -> Running {
        let (relay, stop) = (self.relay(), CancellationToken::new());
        Running {
            task: tokio::spawn(relay::run(relay, stop.clone())),
            stop,
        }
    }

    pub fn settings(&self) -> WorkSettings {
        let number = self.workers.fetch_add(1, Ordering::Relaxed);
        WorkSettings {
            name: format!("w{number}"),
            slots: 2,
            soft_limit: Duration::from_secs(60),
            hard_limit: Duration::from_secs(60),
            max_attempts: 3,
            retry_first: Duration::from_millis(300),
            retry_longest: Duration::from_secs(1),
            ack_wait: ACK_WAIT,
            grace: Duration::from_secs(30),
            judge: Judge {
                departments: Arc::new(DepartmentRules::built_in().unwrap()),
                review_below: 0.7,
            }
            .into(),
        }
    }

    pub fn run_worker<E: Extractor>(&self, extractor: &Arc<E>) -> Running {
        self.run_worker_with(extractor, self.settings())
    }

    pub fn run_worker_with<E: Extractor>(
        &self,
        extractor: &Arc<E>,
        settings: WorkSettings,
    ) -> Running {
        let worker = Worker {
            pool: self.db.pool.clone(),
            queue: self.queue.clone(),
            blobs: self.blobs.clone(),
            extractor: Arc::<E>::clone(extractor) as Arc<dyn Extractor>,
            commands: self.commands.clone(),
            log: self.log.clone(),
            signals: self.signals.clone(),
            metrics: metrics(),
            traces: Traces::off(),
            clock: Arc::new(SystemClock),
            ids: Arc::new(SystemIds),
            removals: Removals::new(
                self.db.pool.clone(),
                self.blobs.clone(),
                Arc::new(SystemIds),
            ),
            door: Arc::new(Door::new(
                Settings::read(config::Reader::new(HashMap::new(), HashMap::new(), None).unwrap())
                    .unwrap()
                    .door,
                Arc::new(ExtractionChild::with_program(
                    env!("CARGO_BIN_EXE_kmrl-gateway").into(),
                    ChildSettings::new(1 << 30, settings.hard_limit),
                )),
                None,
            )),
            spool: Spool::new(self.files.path().join(&settings.name)).unwrap(),
            settings,
        };
        let stop = CancellationToken::new();
        Running {
            task: tokio::spawn(work::run(worker, stop.clone())),
            stop,
        }
    }

    pub async fn upload(&self, text: &str, priority: Priority) -> Uuid {
        let sha256 = hex(&Sha256::digest(text));
        let key = blob_key(&sha256);
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        self.blobs.put_bytes(&key, bytes, &sha256).await.unwrap();
        let private = UploadedPrivate {
            file_name: "job-card.txt".into(),
            ..UploadedPrivate::default()
        };
        let private = PrivatePart::seal(SystemIds.salt(), &private).unwrap();
        let id = SystemIds.new_id();
        let upload = Upload {
            blob: Blob {
                key,
                sha256,
                size: text.len() as u64,
            },
            content_type: "text/plain".into(),
            source: "manual".into(),
            priority,
            duplicate_of: None,
            parent: None,
            private: private.digest(),
            admission: kmrl_domain::quarantine::Admission::default(),
            at: SystemClock.now(),
        };
        let options = CommandOptions {
            metadata: CommandMetadata {
                actor: "key:admin".into(),
                correlation_id: format!("c-{id}"),
                traceparent: Some(TRACEPARENT.into()),
                ..CommandMetadata::default()
            },
            ..CommandOptions::default()
        };
        self.commands
            .upload(id, upload, private, options)
            .await
            .unwrap();
        id
    }

    pub async fn execute(
        &self,
        id: Uuid,
        command: DocumentCommand,
    ) -> Result<Executed, CommandError> {
        let options = CommandOptions {
            metadata: CommandMetadata {
                actor: "key:admin".into(),
                correlation_id: "test".into(),
                ..CommandMetadata::default()
            },
            ..CommandOptions::default()
        };
        self.commands.execute(id, command, options).await
    }

    pub async fn events(&self, id: Uuid) -> Vec<DocumentEvent> {
        let events = self.log.stream(TYPE, &id.to_string()).await.unwrap();
        events
            .iter()
            .map(|e| e.document().unwrap().unwrap())
            .collect()
    }

    pub async fn names(&self, id: Uuid) -> Vec<&'static str> {
        self.events(id)
            .await
            .iter()
            .map(DocumentEvent::name)
            .collect()
    }

    /// Waits for an event of a name and for the job to have a status.
    pub async fn until(&self, id: Uuid, name: &str, status: &str) {
        eventually(&format!("{name} and {status}"), || async {
            let names = self.names(id).await;
            let job = self.job(id).await?;
            (names.last() == Some(&name) && job.status == status).then_some(())
        })
        .await;
    }

    pub async fn until_started(&self, id: Uuid, times: usize) {
        eventually("ProcessingStarted", || async {
            let names = self.names(id).await;
            let started = names.iter().filter(|n| **n == "ProcessingStarted").count();
            (started >= times).then_some(())
        })
        .await;
    }

    /// The newest run of a document.
    pub async fn job(&self, id: Uuid) -> Option<Job> {
        let row = sqlx::query(
            "SELECT status, attempt, excused, published FROM jobs WHERE document_id = $1
             ORDER BY run DESC LIMIT 1",
        )
        .bind(id)
        .fetch_optional(&self.db.pool)
        .await
        .unwrap()?;
        Some(Job {
            status: row.get("status"),
            attempt: row.get("attempt"),
            excused: row.get("excused"),
            published: row.get("published"),
        })
    }

    /// The text of a processed document.
    pub async fn text(&self, id: Uuid) -> String {
        use futures::TryStreamExt;
        let events = self.events(id).await;
        let Some(DocumentEvent::Extracted(extracted)) = events.last() else {
            panic!("it ends in {:?}", events.last());
        };
        let reader = self.blobs.get(&extracted.text.key, None).await.unwrap();
        let bytes = reader
            .stream
            .try_fold(Vec::new(), |mut all, piece| async move {
                all.extend_from_slice(&piece);
                Ok(all)
            })
            .await
            .unwrap();
        serde_json::from_slice::<TextArtefact>(&bytes)
            .unwrap()
            .text()
    }

    /// Messages that the stream holds, and how many it ever took.
    pub async fn messages(&self) -> (u64, u64) {
        let stream = async_nats::jetstream::new(self.client.clone())
            .get_stream("KMRL_JOBS")
            .await
            .unwrap();
        let state = &stream.cached_info().state;
        (state.messages, state.last_sequence)
    }
}

pub const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn metrics() -> Arc<Metrics> {
    let upload = config::UploadSettings {
        sources: Vec::new(),
        max_file_bytes: 1,
    };
    Arc::new(Metrics::new(upload.into()).unwrap())
}
