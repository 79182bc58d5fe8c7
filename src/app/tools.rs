//! What command-line tools work with: the parts, without any role.

use super::{AppError, backends, connect_database, make_projector, open_blobs};
use crate::adapters::extraction_child::{ChildSettings, ExtractionChild};
use crate::adapters::system::{SystemClock, SystemIds};
use crate::check::Check;
use crate::commands::Commands;
use crate::config::Settings;
use crate::dead_letters::DeadLetters;
use crate::event_store::PostgresEventStore;
use crate::ports::{BlobStore, JailProbe, JailReport};
use crate::reconciler::Reconciler;
use crate::removal::Removals;
use crate::signals::Signals;
use sqlx::PgPool;
use std::sync::Arc;

/// The parts of a tool.
pub struct Tools {
    settings: Settings,
    pool: PgPool,
    blobs: Arc<dyn BlobStore>,
    store: PostgresEventStore,
}

/// Makes them, on the backends of the settings or of an `up` running on the same data folder.
///
/// # Errors
/// When the database or the object store cannot be reached.
pub async fn tools(settings: &Settings) -> Result<Tools, AppError> {
    let pool = connect_database(settings, &backends(settings)?).await?;
    let (blobs, _spool) = open_blobs(settings).await?;
    // Those who wait for hints look by themselves once a second, too.
    let store = PostgresEventStore::start(pool.clone(), Signals::local());
    Ok(Tools {
        settings: settings.clone(),
        pool,
        blobs,
        store,
    })
}

impl Tools {
    /// A check of everything.
    #[must_use]
    pub fn check(&self, deep: bool, repair: bool) -> Check {
        Check {
            pool: self.pool.clone(),
            blobs: Arc::clone(&self.blobs),
            projector: make_projector(&self.pool, &self.blobs),
            reconciler: reconciler(&self.settings, &self.pool, &self.blobs),
            deep,
            repair,
        }
    }

    /// What the jails of this machine refuse.
    ///
    /// # Errors
    /// When the system does not tell which program this is.
    pub async fn jail(&self) -> Result<JailReport, AppError> {
        Ok(extraction_child(&self.settings)?.probe().await)
    }

    /// What was given up on.
    #[must_use]
    pub fn dead_letters(&self) -> DeadLetters {
        dead_letters(&self.pool, &self.blobs, Commands::new(self.store.clone()))
    }

    /// Ends them in order.
    pub async fn close(self) {
        self.store.shutdown().await;
        self.pool.close().await;
    }
}

/// What reads documents, as the settings say.
///
/// # Errors
/// When the system does not tell which program this is.
pub fn extraction_child(settings: &Settings) -> Result<ExtractionChild, AppError> {
    let jobs = &settings.jobs;
    ExtractionChild::new(ChildSettings {
        memory_bytes: jobs.extraction_memory,
        hard_limit: jobs.hard_limit,
        ready: jobs.extraction_ready,
        only_limits: false,
        recognition: settings.recognition.clone(),
        helpers: settings.helpers.clone(),
    })
    .map_err(super::start("finding this program for extraction"))
}

pub(super) fn reconciler(
    settings: &Settings,
    pool: &PgPool,
    blobs: &Arc<dyn BlobStore>,
) -> Reconciler {
    Reconciler {
        pool: pool.clone(),
        blobs: Arc::clone(blobs),
        removals: Removals::new(pool.clone(), Arc::clone(blobs), Arc::new(SystemIds)),
        clock: Arc::new(SystemClock),
        grace: settings.orphans.grace,
    }
}

pub(super) fn dead_letters(
    pool: &PgPool,
    blobs: &Arc<dyn BlobStore>,
    commands: Commands,
) -> DeadLetters {
    DeadLetters {
        pool: pool.clone(),
        projector: make_projector(pool, blobs),
        commands,
        clock: Arc::new(SystemClock),
    }
}
