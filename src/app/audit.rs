//! The audit trail for command-line tools: straight from the database, and recorded like any access.

use super::{AppError, connect_to, database_url, start};
use crate::adapters::system::{SystemClock, SystemIds};
use crate::audit::{AccessRecorder, RecordError};
use crate::config::Settings;
use crate::event_store::PostgresEventStore;
use crate::ports::Clock;
use crate::signals::Signals;
use kmrl_domain::access::{AccessRecord, Outcome};
use kmrl_projections::query::ReadModel;
use sqlx::PgPool;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

/// What a tool needs to read the audit trail and to leave its own record there.
pub struct AuditTools {
    /// The database.
    pub pool: PgPool,
    /// The read models.
    pub read: ReadModel,
    /// Who runs the tool: `cli:` and the name of the user of the operating system.
    pub actor: String,
    recorder: AccessRecorder,
    store: PostgresEventStore,
}

/// Connects beside a running `up` or to `DATABASE_URL`.
///
/// # Errors
/// When there is no database, or who runs this cannot be told.
pub async fn audit_tools(settings: &Settings) -> Result<AuditTools, AppError> {
    let actor = actor().map_err(start("finding out who runs this"))?;
    let pool = connect_to(settings, &database_url(settings)?).await?;
    let store = PostgresEventStore::start(pool.clone(), Signals::local());
    Ok(AuditTools {
        read: ReadModel::new(pool.clone()),
        recorder: AccessRecorder::start(store.clone(), Arc::new(SystemIds)),
        actor,
        store,
        pool,
    })
}

impl AuditTools {
    /// A record of an access by who runs the tool.
    #[must_use]
    pub fn access(&self, action: &str) -> AccessRecord {
        AccessRecord {
            // The user of the machine is the key here.
            key_id: Some("cli".into()),
            ..AccessRecord::new(action, Outcome::Shown, &self.actor, SystemClock.now())
        }
    }

    /// Records an access; durable when this returns `Ok`. Nothing may be shown before.
    ///
    /// # Errors
    /// See [`RecordError`].
    pub async fn record(&self, record: AccessRecord) -> Result<(), RecordError> {
        self.recorder.record(record).await
    }

    /// Ends in order.
    pub async fn close(self) {
        self.recorder.shutdown().await;
        self.store.shutdown().await;
        self.pool.close().await;
    }
}

/// The user that the process runs as, by name where the machine knows one. Not `USER`, which
/// anybody may set.
fn actor() -> std::io::Result<String> {
    let uid = std::fs::metadata("/proc/self")?.uid().to_string();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, id) = (fields.next()?, fields.nth(1)?);
        (id == uid).then_some(name)
    });
    Ok(format!("cli:{}", name.unwrap_or(&uid)))
}
