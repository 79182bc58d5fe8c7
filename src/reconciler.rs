//! Objects that no event names: what an upload or a worker left behind when it died between the
//! object store and the log, and texts that came after their document was erased.
//!
//! Owns finding them and having them removed once they are older than a grace time, in which
//! whoever put them may still be about to record them. Knows documents' bytes and texts alone; other
//! objects are not its business.

use crate::ports::{BlobError, BlobInfo, BlobStore, Clock};
use crate::removal::{RemovalError, Removals, Removed};
use sqlx::PgPool;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Where documents' bytes and texts lie.
const PREFIXES: [&str; 2] = ["sha256/", "text/"];
/// Objects looked at together.
const PAGE: usize = 1_000;

/// What a reconciler works with.
#[derive(Clone)]
pub struct Reconciler {
    /// What events there are.
    pub pool: PgPool,
    /// What objects there are.
    pub blobs: Arc<dyn BlobStore>,
    /// Removes documents' bytes.
    pub removals: Removals,
    /// Now.
    pub clock: Arc<dyn Clock>,
    /// Younger objects are left alone.
    pub grace: Duration,
}

/// An object that nothing names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphan {
    /// Its key.
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
}

/// How far a round came, so that one that was cut short is gone on with.
#[derive(Clone, Debug, Default)]
pub struct Place {
    prefix: usize,
    after: Option<String>,
}

/// Why reconciling stopped. Nothing was removed that should not be; the next time goes on.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The database did not answer.
    #[error("reconciling: reading which objects events name")]
    Database(#[from] sqlx::Error),
    /// The object store did not answer.
    #[error("reconciling: the object store failed")]
    Blobs(#[from] BlobError),
    /// A removal failed.
    #[error(transparent)]
    Removal(#[from] RemovalError),
}

/// Runs until shutdown, now and then.
pub async fn run(reconciler: Reconciler, every: Duration, shutdown: CancellationToken) {
    let mut ticks = interval_at(Instant::now() + every, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut place = Place::default();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let round = tokio::select! {
            () = shutdown.cancelled() => return,
            round = reconciler.go_on(&mut place) => round,
        };
        match round {
            Ok(0) => tracing::debug!("no orphan was found"),
            Ok(removed) => tracing::info!(removed, "orphans were removed"),
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "reconciling stopped; it goes on the next time"
            ),
        }
    }
}

impl Reconciler {
    /// Finishes removals that were cut short and removes all orphans; answers how many.
    ///
    /// # Errors
    /// When the database or the object store does not answer.
    pub async fn round(&self) -> Result<usize, ReconcileError> {
        self.go_on(&mut Place::default()).await
    }

    /// As [`round`](Self::round), from a place on. Where it stops early is the page that it goes on
    /// with, so that an object store that fails now and then is still gone through to its end.
    ///
    /// # Errors
    /// See [`ReconcileError`].
    pub async fn go_on(&self, place: &mut Place) -> Result<usize, ReconcileError> {
        let mut removed = self.removals.finish().await?;
        while let Some(prefix) = PREFIXES.get(place.prefix) {
            let (orphans, next) = self.page(prefix, place.after.as_deref()).await?;
            for orphan in &orphans {
                removed += usize::from(self.remove(orphan).await?);
            }
            *place = match next {
                Some(_) => Place {
                    after: next,
                    ..*place
                },
                None => Place {
                    prefix: place.prefix + 1,
                    after: None,
                },
            };
        }
        *place = Place::default();
        Ok(removed)
    }

    /// All orphans there are, at most `limit`.
    ///
    /// # Errors
    /// See [`ReconcileError`].
    pub async fn orphans(&self, limit: usize) -> Result<Vec<Orphan>, ReconcileError> {
        let mut found = Vec::new();
        for prefix in PREFIXES {
            let mut after = None;
            while found.len() < limit {
                let (orphans, next) = self.page(prefix, after.as_deref()).await?;
                found.extend(orphans);
                match next {
                    Some(key) => after = Some(key),
                    None => break,
                }
            }
        }
        found.truncate(limit);
        Ok(found)
    }

    /// Removes an orphan, unless it is one no more.
    ///
    /// # Errors
    /// See [`ReconcileError`].
    pub async fn remove(&self, orphan: &Orphan) -> Result<bool, ReconcileError> {
        match digest_of(&orphan.key) {
            Some(sha256) => Ok(self.removals.remove(sha256).await? == Removed::Gone),
            // Its key names one attempt at one document: nobody else will come to need it.
            None => Ok(self.blobs.delete(&orphan.key).await?),
        }
    }

    /// The orphans on one page of objects, and where the next page begins.
    async fn page(
        &self,
        prefix: &str,
        after: Option<&str>,
    ) -> Result<(Vec<Orphan>, Option<String>), ReconcileError> {
        let page = self.blobs.list(prefix, after, PAGE).await?;
        let next = page
            .last()
            .map(|b| b.key.clone())
            .filter(|_| page.len() == PAGE);
        let now = self.clock.now();
        let is_old = |blob: &&BlobInfo| now - blob.modified >= self.grace;
        let orphans = if prefix == PREFIXES[0] {
            let old: Vec<&BlobInfo> = page.iter().filter(is_old).collect();
            self.nameless_blobs(&old).await?
        } else {
            self.nameless_texts(&page, is_old).await?
        };
        Ok((orphans, next))
    }

    async fn nameless_blobs(&self, blobs: &[&BlobInfo]) -> Result<Vec<Orphan>, ReconcileError> {
        let digests: Vec<&str> = blobs.iter().filter_map(|b| digest_of(&b.key)).collect();
        let named: Vec<String> = sqlx::query_scalar(
            "SELECT es_readable(u.payload) -> 'blob' ->> 'sha256' FROM events u \
             WHERE u.event_type = 'Uploaded' AND es_readable(u.payload) -> 'blob' ->> 'sha256' = ANY($1) \
               AND NOT EXISTS (SELECT 1 FROM events e WHERE e.aggregate_type = u.aggregate_type \
                               AND e.aggregate_id = u.aggregate_id AND e.event_type = 'Erased')",
        )
        .bind(&digests)
        .fetch_all(&self.pool)
        .await?;
        let named: HashSet<String> = named.into_iter().collect();
        let is_nameless = |b: &&&BlobInfo| digest_of(&b.key).is_some_and(|d| !named.contains(d));
        Ok(blobs
            .iter()
            .filter(is_nameless)
            .map(|b| orphan(b))
            .collect())
    }

    /// Texts of erased documents count at any age.
    async fn nameless_texts(
        &self,
        texts: &[BlobInfo],
        is_old: impl Fn(&&BlobInfo) -> bool,
    ) -> Result<Vec<Orphan>, ReconcileError> {
        let documents: HashSet<Uuid> = texts.iter().filter_map(|b| document_of(&b.key)).collect();
        let ids: Vec<String> = documents.iter().map(Uuid::to_string).collect();
        let rows: Vec<(String, Option<String>)> = sqlx::query_as(
            "SELECT aggregate_id, es_readable(payload) -> 'text' ->> 'key' FROM events \
             WHERE aggregate_type = 'document' AND aggregate_id = ANY($1) \
               AND event_type IN ('Extracted', 'Reviewed', 'Erased')",
        )
        .bind(&ids)
        .fetch_all(&self.pool)
        .await?;
        let mut named: HashMap<String, HashSet<String>> = HashMap::new();
        let mut erased: HashSet<String> = HashSet::new();
        for (document, key) in rows {
            match key {
                Some(key) => {
                    named.entry(document).or_default().insert(key);
                }
                None => {
                    erased.insert(document);
                }
            }
        }
        let is_nameless = |b: &&BlobInfo| {
            // A key of another form belongs to an event of an earlier release.
            document_of(&b.key).is_some_and(|id| {
                let id = id.to_string();
                let is_named = named.get(&id).is_some_and(|keys| keys.contains(&b.key));
                erased.contains(&id) || !is_named && is_old(b)
            })
        };
        Ok(texts.iter().filter(is_nameless).map(orphan).collect())
    }
}

fn orphan(blob: &BlobInfo) -> Orphan {
    Orphan {
        key: blob.key.clone(),
        size: blob.size,
    }
}

/// The SHA-256 in a key of documents' bytes.
fn digest_of(key: &str) -> Option<&str> {
    let digest = key.strip_prefix("sha256/")?.rsplit('/').next()?;
    (digest.len() == 64 && crate::ports::blob_key(digest) == key).then_some(digest)
}

/// The document in a key of a text artefact.
fn document_of(key: &str) -> Option<Uuid> {
    key.strip_prefix("text/")?.split('/').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_apart() {
        let digest = "ab".repeat(32);
        assert_eq!(
            digest_of(&crate::ports::blob_key(&digest)),
            Some(digest.as_str())
        );
        assert_eq!(digest_of("sha256/00/00/abab"), None);
        assert_eq!(digest_of(&format!("log/{digest}")), None);
        let id = Uuid::from_u128(7);
        let prefix = crate::ports::text_prefix(id);
        assert_eq!(document_of(&format!("{prefix}1-1-abc.json")), Some(id));
        assert_eq!(document_of("text/ab/cd/abcd.json"), None);
    }
}
