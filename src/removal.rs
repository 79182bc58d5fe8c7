//! Takes documents' bytes out of the object store, though uploads of the same bytes may come in
//! meanwhile. The only thing that deletes them.
//!
//! **How no upload loses its bytes.** Under the lock that every append takes, a removal makes sure
//! that no document still has the bytes, and marks the claim on them `removing:<id>`. Only then is the object
//! deleted, and the mark becomes `removed:<id>`. From the mark on, an append with these bytes is
//! answered with the mark ([`CommandError::BytesRemoved`](crate::commands::CommandError)); the
//! uploader, which still has them, waits for the deletion, puts them again, takes the mark away
//! and appends anew. So an object is deleted only while no event can come to name it.
//!
//! A removal cut short leaves its mark; [`Removals::finish`] goes on with it.

use crate::fault_point;
use crate::ports::{BlobError, BlobStore, Ids, Spooled, blob_key};
use sqlx::PgPool;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

const REMOVING: &str = "removing:";
const REMOVED: &str = "removed:";
/// Pause between looks at a removal that goes on, and how many there are: about ten seconds.
const LOOK: Duration = Duration::from_millis(50);
const LOOKS: u32 = 200;

/// Whether the owner of a claim is a removal, not a document.
#[must_use]
pub fn is_of_removal(owner: &str) -> bool {
    owner.starts_with(REMOVING) || owner.starts_with(REMOVED)
}

/// Removes bytes, and lets them in again. Cheap to clone.
#[derive(Clone)]
pub struct Removals {
    pool: PgPool,
    blobs: Arc<dyn BlobStore>,
    ids: Arc<dyn Ids>,
}

/// What became of bytes that were to be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removed {
    /// They are gone.
    Gone,
    /// These documents have the same bytes; they stay.
    KeptFor(Vec<Uuid>),
}

/// Why bytes were neither removed nor let in again. Trying again is safe.
#[derive(Debug, thiserror::Error)]
pub enum RemovalError {
    /// The database did not do its part.
    #[error("removing bytes: {operation}")]
    Database {
        /// What was tried.
        operation: &'static str,
        /// What went wrong.
        #[source]
        source: sqlx::Error,
    },
    /// The object store did not do its part.
    #[error("removing bytes: the object store failed")]
    Blobs(#[from] BlobError),
    /// Another removal of the same bytes takes long.
    #[error("the bytes are still being removed")]
    Busy,
}

fn database(operation: &'static str) -> impl FnOnce(sqlx::Error) -> RemovalError {
    move |source| RemovalError::Database { operation, source }
}

impl Removals {
    /// Removes from this store.
    #[must_use]
    pub fn new(pool: PgPool, blobs: Arc<dyn BlobStore>, ids: Arc<dyn Ids>) -> Self {
        Self { pool, blobs, ids }
    }

    /// Removes the bytes with this SHA-256 (lower-case hexadecimal), unless a document that is not
    /// erased has them.
    ///
    /// # Errors
    /// When the database or the object store does not do its part; a mark that was made stays.
    pub async fn remove(&self, sha256: &str) -> Result<Removed, RemovalError> {
        match self.mark(sha256).await? {
            Marked::KeptFor(documents) => Ok(Removed::KeptFor(documents)),
            Marked::As(mark) => {
                fault_point::reach("removal.after_mark");
                self.delete(sha256, &mark).await?;
                Ok(Removed::Gone)
            }
        }
    }

    /// Finishes removals that were cut short; answers how many.
    ///
    /// # Errors
    /// See [`RemovalError`].
    pub async fn finish(&self) -> Result<usize, RemovalError> {
        let half_done: Vec<(String, String)> = sqlx::query_as(
            "SELECT value, aggregate_id FROM claims \
             WHERE kind = 'blob' AND aggregate_id LIKE 'removing:%'",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(database("looking for removals cut short"))?;
        for (sha256, mark) in &half_done {
            self.delete(sha256, mark).await?;
        }
        Ok(half_done.len())
    }

    /// Lets bytes in again that `removal` took away: puts them and takes its mark away.
    ///
    /// # Errors
    /// See [`RemovalError`].
    pub async fn readmit(&self, file: &Spooled, removal: &str) -> Result<(), RemovalError> {
        let id = removal.trim_start_matches(REMOVING);
        let done = match id.starts_with(REMOVED) {
            true => id.to_owned(),
            false => format!("{REMOVED}{id}"),
        };
        for _ in 0..LOOKS {
            match self.owner(&file.sha256).await? {
                Some(owner) if owner == done => {
                    self.blobs.put(&blob_key(&file.sha256), file).await?;
                    return self.unmark(&file.sha256, &done).await;
                }
                Some(owner) if owner.starts_with(REMOVING) => crate::pause::pause(LOOK).await,
                // It is another's now: what it needs is found out by the next append.
                _ => return Ok(()),
            }
        }
        Err(RemovalError::Busy)
    }

    async fn owner(&self, sha256: &str) -> Result<Option<String>, RemovalError> {
        sqlx::query_scalar("SELECT aggregate_id FROM claims WHERE kind = 'blob' AND value = $1")
            .bind(sha256)
            .fetch_optional(&self.pool)
            .await
            .map_err(database("reading the claim"))
    }

    async fn unmark(&self, sha256: &str, mark: &str) -> Result<(), RemovalError> {
        sqlx::query("DELETE FROM claims WHERE kind = 'blob' AND value = $1 AND aggregate_id = $2")
            .bind(sha256)
            .bind(mark)
            .execute(&self.pool)
            .await
            .map(drop)
            .map_err(database("taking the mark away"))
    }

    /// Marks the bytes as being removed, if no document needs them. While this holds the head
    /// row nothing is appended, so what it reads is all there is.
    async fn mark(&self, sha256: &str) -> Result<Marked, RemovalError> {
        let mut transaction = self.pool.begin().await.map_err(database("beginning"))?;
        sqlx::query("SELECT 1 FROM es_head WHERE id = 0 FOR UPDATE")
            .execute(&mut *transaction)
            .await
            .map_err(database("locking the log"))?;
        let documents: Vec<String> = sqlx::query_scalar(
            "SELECT u.aggregate_id FROM events u \
             WHERE u.event_type = 'Uploaded' AND es_readable(u.payload) -> 'blob' ->> 'sha256' = $1 \
               AND NOT EXISTS (SELECT 1 FROM events e WHERE e.aggregate_type = u.aggregate_type \
                               AND e.aggregate_id = u.aggregate_id AND e.event_type = 'Erased') \
             ORDER BY u.position",
        )
        .bind(sha256)
        .fetch_all(&mut *transaction)
        .await
        .map_err(database("looking for documents with the bytes"))?;
        let owner = match documents.first() {
            // The first of those that are left is whose duplicate the next one is.
            Some(first) => first.clone(),
            None => format!("{REMOVING}{}", self.ids.new_id()),
        };
        // A removal that goes on keeps its mark: whoever finishes it knows it by that.
        let owner: String = sqlx::query_scalar(
            "INSERT INTO claims AS c VALUES ('blob', $1, $2) ON CONFLICT (kind, value) DO UPDATE \
             SET aggregate_id = CASE WHEN c.aggregate_id LIKE 'removing:%' \
                                     THEN c.aggregate_id ELSE $2 END \
             RETURNING aggregate_id",
        )
        .bind(sha256)
        .bind(&owner)
        .fetch_one(&mut *transaction)
        .await
        .map_err(database("marking the bytes"))?;
        transaction
            .commit()
            .await
            .map_err(database("marking the bytes"))?;
        Ok(match documents.is_empty() {
            true => Marked::As(owner),
            false => Marked::KeptFor(documents.iter().filter_map(|d| d.parse().ok()).collect()),
        })
    }

    /// Deletes the object and says so in the mark. The lock on the claim's row keeps a second one
    /// out, whose deletion could come after the bytes were let in again.
    async fn delete(&self, sha256: &str, mark: &str) -> Result<(), RemovalError> {
        let mut transaction = self.pool.begin().await.map_err(database("beginning"))?;
        let is_ours: Option<i32> = sqlx::query_scalar(
            "SELECT 1 FROM claims WHERE kind = 'blob' AND value = $1 AND aggregate_id = $2 FOR UPDATE",
        )
        .bind(sha256)
        .bind(mark)
        .fetch_optional(&mut *transaction)
        .await
        .map_err(database("locking the mark"))?;
        if is_ours.is_none() {
            return Ok(());
        }
        self.blobs.delete(&blob_key(sha256)).await?;
        fault_point::reach("removal.after_delete");
        sqlx::query("UPDATE claims SET aggregate_id = $3 WHERE kind = 'blob' AND value = $1 AND aggregate_id = $2")
            .bind(sha256)
            .bind(mark)
            .bind(mark.replacen(REMOVING, REMOVED, 1))
            .execute(&mut *transaction)
            .await
            .map_err(database("saying that it is done"))?;
        transaction
            .commit()
            .await
            .map_err(database("saying that it is done"))
    }
}

/// What marking found.
enum Marked {
    As(String),
    KeptFor(Vec<Uuid>),
}
