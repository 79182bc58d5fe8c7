//! Compares everything that the gateway keeps with the log, and mends what is safe to mend.
//!
//! Each area is a file. A difference found while the gateway works may be work in flight, so
//! what is found is looked at again after a pause, and only what stays is told. What was mended is
//! looked at once more, too: nothing counts as mended because it was tried.

mod documents;
mod jobs;
mod log;
mod read_models;

use crate::ports::{BlobError, BlobStore};
use crate::reconciler::{ReconcileError, Reconciler};
use crate::removal::RemovalError;
use kmrl_projections::{ProjectionError, Projector};
use serde::Serialize;
use sqlx::PgPool;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// Between two looks at a difference.
const SECOND_LOOK: Duration = Duration::from_secs(2);
/// How many differences of one kind are told, and how many are mended in one round.
const TOLD: i64 = 50;
const MENDED: i64 = 10_000;
/// Rounds of mending; what is left after them is told as not mended.
const ROUNDS: u32 = 20;

/// What a check works with.
pub struct Check {
    /// Log and jobs.
    pub pool: PgPool,
    /// Documents' bytes and texts.
    pub blobs: Arc<dyn BlobStore>,
    /// Read models.
    pub projector: Projector,
    /// Finds and removes orphans.
    pub reconciler: Reconciler,
    /// Read and hash every document's bytes.
    pub deep: bool,
    /// Mend what is safe to mend.
    pub repair: bool,
}

/// What was compared and what differs.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CheckReport {
    /// Position of the log's head when the check began.
    pub position: i64,
    /// How many things of each area were looked at.
    pub checked: Vec<Checked>,
    /// What differs.
    pub differences: Vec<Difference>,
}

impl CheckReport {
    /// Nothing differs, or not any more.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.differences.iter().all(|d| d.repaired)
    }
}

/// An area with the number of things that were looked at.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Checked {
    /// Which.
    pub area: &'static str,
    /// How many.
    pub count: i64,
}

/// Two things that do not agree.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Difference {
    /// Where: log, jobs, read models, documents, objects.
    pub area: &'static str,
    /// What is wrong, in words.
    pub problem: &'static str,
    /// What it is wrong of: a document, a position, a key.
    pub subject: String,
    /// The document, where the subject does not name it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document_id: Option<String>,
    /// It was mended.
    pub repaired: bool,
}

impl Difference {
    fn new(area: &'static str, problem: &'static str, subject: impl Into<String>) -> Self {
        Self {
            area,
            problem,
            subject: subject.into(),
            document_id: None,
            repaired: false,
        }
    }

    /// What is wrong of what, mended or not.
    fn what(&self) -> (&'static str, &str) {
        (self.problem, &self.subject)
    }
}

/// Why the check could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The database did not answer.
    #[error("checking: reading the database")]
    Database(#[from] sqlx::Error),
    /// The object store did not answer.
    #[error("checking: reading the object store")]
    Blobs(#[from] BlobError),
    /// A read model could not be rebuilt.
    #[error("checking: rebuilding a read model")]
    Projection(#[from] ProjectionError),
    /// Orphans could not be looked for.
    #[error("checking: looking for orphans")]
    Reconcile(#[from] ReconcileError),
    /// A removal could not be finished.
    #[error("checking: finishing a removal")]
    Removal(#[from] RemovalError),
}

impl Check {
    /// Compares everything. `progress` is told in words what is being done.
    ///
    /// # Errors
    /// When something that is compared cannot be read. Differences are no errors.
    pub async fn run(
        &self,
        progress: &(dyn Fn(String) + Send + Sync),
    ) -> Result<CheckReport, CheckError> {
        let mut report = CheckReport {
            position: sqlx::query_scalar("SELECT position FROM es_head WHERE id = 0")
                .fetch_one(&self.pool)
                .await?,
            ..CheckReport::default()
        };
        let areas: [&'static str; 4] = ["log", "jobs", "documents", "read models"];
        for area in areas {
            let (count, mut found) = self.look(area, progress).await?;
            if self.repair && !found.is_empty() {
                found = self.mend_all(area, found, progress).await?;
            }
            report.checked.push(Checked { area, count });
            report.differences.extend(found);
        }
        Ok(report)
    }

    /// What differs and goes on differing.
    async fn look(
        &self,
        area: &'static str,
        progress: &(dyn Fn(String) + Send + Sync),
    ) -> Result<(i64, Vec<Difference>), CheckError> {
        progress(format!("checking {area}"));
        let (count, mut found) = self.area(area, progress).await?;
        if !found.is_empty() {
            // Work in flight ends meanwhile.
            crate::pause::pause(SECOND_LOOK).await;
            let first: HashSet<Difference> = found.into_iter().collect();
            let (_, second) = self.area(area, progress).await?;
            found = second.into_iter().filter(|d| first.contains(d)).collect();
        }
        Ok((count, found))
    }

    /// Mends until a look finds nothing that can be mended, and says of each difference whether it
    /// is gone.
    async fn mend_all(
        &self,
        area: &'static str,
        mut found: Vec<Difference>,
        progress: &(dyn Fn(String) + Send + Sync),
    ) -> Result<Vec<Difference>, CheckError> {
        let mut all: Vec<Difference> = Vec::new();
        for _ in 0..ROUNDS {
            progress(format!("mending {area}"));
            self.mend(area, &mut found).await?;
            let is_tried = found.iter().any(|d| d.repaired);
            all.append(&mut found);
            if !is_tried {
                break;
            }
            let (_, left) = self.look(area, progress).await?;
            let stay: HashSet<_> = left.iter().map(Difference::what).collect();
            for difference in &mut all {
                difference.repaired &= !stay.contains(&difference.what());
            }
            let known: HashSet<_> = all.iter().map(Difference::what).collect();
            let is_new = |d: &&Difference| !known.contains(&d.what());
            found = left.iter().filter(is_new).cloned().collect();
            if found.is_empty() {
                break;
            }
        }
        // Found in the last round and not tried any more.
        all.append(&mut found);
        Ok(all)
    }

    /// How many differences of one kind a look finds.
    const fn most(&self) -> i64 {
        if self.repair { MENDED } else { TOLD }
    }

    async fn area(
        &self,
        area: &'static str,
        progress: &(dyn Fn(String) + Send + Sync),
    ) -> Result<(i64, Vec<Difference>), CheckError> {
        match area {
            "log" => self.log().await,
            "jobs" => self.jobs().await,
            "documents" => self.documents(progress).await,
            _ => self.read_models(progress).await,
        }
    }

    /// Tries what is safe, and marks what it tried; whether it is gone, the next look says.
    async fn mend(&self, area: &'static str, found: &mut [Difference]) -> Result<(), CheckError> {
        match area {
            "log" => self.mend_log(found).await,
            "jobs" => self.mend_jobs(found).await,
            "documents" => self.mend_documents(found).await,
            _ => self.mend_read_models(found).await,
        }
    }
}
