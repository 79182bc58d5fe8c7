//! Keeps the read models at the head of the log: the loop around the projections crate, and the
//! two sources it reads from.

use crate::event_store::EventLog;
use crate::metrics::{Metrics, Stage};
use crate::ports::{BlobError, BlobStore};
use crate::signals::Signals;
use crate::traces::{Kind, Traces};
use async_trait::async_trait;
use futures::TryStreamExt;
use kmrl_domain::RecordedEvent;
use kmrl_domain::boxes::StoredText;
use kmrl_domain::values::TextArtefact;
use kmrl_projections::{BoxError, EventSource, Projector, TextError, TextSource, Watcher};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Readers look again after this long even if no signal came.
const FLOOR: Duration = Duration::from_secs(1);
/// Most events read at once with their records of access, which may be 64 KiB each.
const WITH_ACCESS: i64 = 500;
/// Longest wait after failures.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

#[async_trait]
impl EventSource for EventLog {
    async fn read(&self, after: i64, limit: i64) -> Result<Vec<RecordedEvent>, BoxError> {
        Ok(Self::read(self, after, limit.min(WITH_ACCESS)).await?)
    }

    async fn read_without_access(
        &self,
        after: i64,
        limit: i64,
    ) -> Result<Vec<RecordedEvent>, BoxError> {
        Ok(Self::read_without_access(self, after, limit).await?)
    }

    async fn head(&self) -> Result<i64, BoxError> {
        Ok(Self::head(self).await?)
    }
}

/// Counts how long events take to be seen, and traces it.
pub struct Delays {
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// Traces.
    pub traces: Traces,
}

impl Watcher for Delays {
    fn applied(&self, projection: &'static str, event: &RecordedEvent, delay: Duration) {
        self.metrics.projected(projection, delay);
        // The row that readers of a document are shown.
        if projection == "documents" && event.event_type == "Extracted" {
            self.metrics.stage(Stage::Visible, delay);
        }
        let parent = event.metadata.get("traceparent").map(String::as_str);
        if let Some(mut traced) = self.traces.begin(Kind::Internal, "project", parent) {
            traced.note("kmrl.projection", projection);
            traced.note("kmrl.event", &event.event_type);
            traced.note("kmrl.position", event.position);
            traced.between(event.recorded_at, event.recorded_at + delay);
        }
    }
}

/// Text artefacts from the blob store.
pub struct BlobTexts(pub Arc<dyn BlobStore>);

impl BlobTexts {
    /// A text with where its words stand.
    ///
    /// # Errors
    /// When it cannot be had, or is none.
    pub async fn stored(&self, key: &str) -> Result<StoredText, TextError> {
        let bytes = self.bytes(key).await?;
        StoredText::from_json(&bytes).map_err(|e| damaged(key, e.into()))
    }

    async fn bytes(&self, key: &str) -> Result<Vec<u8>, TextError> {
        let unreachable = |source: BoxError| TextError::Unreachable { source };
        let reader = self.0.get(key, None).await.map_err(|e| match e {
            BlobError::NotFound { .. } => TextError::Missing { key: key.into() },
            BlobError::Corrupt { .. } => damaged(key, e.into()),
            _ => unreachable(e.into()),
        })?;
        reader
            .stream
            .try_fold(Vec::new(), |mut all, chunk| async move {
                all.extend_from_slice(&chunk);
                Ok(all)
            })
            .await
            .map_err(|e| unreachable(e.into()))
    }
}

#[async_trait]
impl TextSource for BlobTexts {
    async fn text(&self, key: &str) -> Result<TextArtefact, TextError> {
        let bytes = self.bytes(key).await?;
        serde_json::from_slice(&bytes).map_err(|e| damaged(key, e.into()))
    }
}

fn damaged(key: &str, source: BoxError) -> TextError {
    TextError::Damaged {
        key: key.into(),
        source,
    }
}

/// Runs until shutdown. Failures are logged and tried again; nothing is skipped. What nobody waits
/// for is brought up beside the rest and cannot hold it back.
pub async fn run(projector: Projector, signals: Signals, shutdown: CancellationToken) {
    tokio::join!(
        follow(&projector, Which::Awaited, &signals, &shutdown),
        follow(&projector, Which::Apart, &signals, &shutdown),
    );
}

/// Which projections a loop brings up to date.
#[derive(Clone, Copy, Debug)]
enum Which {
    Awaited,
    Apart,
}

async fn follow(
    projector: &Projector,
    which: Which,
    signals: &Signals,
    shutdown: &CancellationToken,
) {
    let mut appended = signals.on_appended();
    let mut wait = FLOOR;
    let mut prepared = false;
    let mut visible = -1;
    while !shutdown.is_cancelled() {
        appended.mark_unchanged();
        match step(projector, which, &mut prepared).await {
            Ok(position) => {
                wait = FLOOR;
                if position != visible {
                    visible = position;
                    signals.projected();
                }
            }
            Err(error) => {
                wait = (wait * 2).min(LONGEST_WAIT);
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    ?which,
                    retry_in_s = wait.as_secs(),
                    "projections wait"
                );
            }
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            _ = tokio::time::timeout(wait, appended.changed()) => {}
        }
    }
}

async fn step(
    projector: &Projector,
    which: Which,
    prepared: &mut bool,
) -> Result<i64, kmrl_projections::ProjectionError> {
    if !*prepared {
        projector.prepare().await?;
        *prepared = true;
    }
    match which {
        Which::Awaited => projector.catch_up().await,
        // No visible position changes: nobody is told.
        Which::Apart => projector.catch_up_apart().await.map(|()| -1),
    }
}
