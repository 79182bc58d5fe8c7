//! Documents' bytes and texts against the log, both ways: what events name is there, and what is
//! there is named.

use super::{Check, CheckError, Difference};
use crate::ports::BlobError;
use crate::reconciler::Orphan;
use futures::{StreamExt, TryStreamExt, stream};
use kmrl_domain::private::hex;
use sha2::{Digest, Sha256};

const AREA: &str = "documents";
const ORPHAN: &str = "no event names the object";
const HALF_REMOVED: &str = "the removal of the bytes was cut short";
/// Rows read together, and objects looked at side by side.
const PAGE: i64 = 1_000;
const AT_ONCE: usize = 16;

/// What an event says of an object.
#[derive(sqlx::FromRow)]
struct Named {
    position: i64,
    aggregate_id: String,
    key: String,
    sha256: String,
    size: Option<i64>,
}

/// Of documents that are not erased: their bytes, and each text.
const NAMED: &str = "SELECT e.position, e.aggregate_id, o.object ->> 'key' AS key, \
            o.object ->> 'sha256' AS sha256, (o.object ->> 'size')::bigint AS size \
     FROM events e, LATERAL (SELECT coalesce(es_readable(e.payload) -> 'blob', es_readable(e.payload) -> 'text') AS object) o \
     WHERE e.aggregate_type = 'document' AND e.event_type IN ('Uploaded', 'Extracted', 'Reviewed') \
       AND e.position > $1 \
       AND NOT EXISTS (SELECT 1 FROM events x WHERE x.aggregate_type = e.aggregate_type \
                       AND x.aggregate_id = e.aggregate_id AND x.event_type = 'Erased') \
     ORDER BY e.position LIMIT $2";

impl Check {
    pub(super) async fn documents(
        &self,
        progress: &(dyn Fn(String) + Send + Sync),
    ) -> Result<(i64, Vec<Difference>), CheckError> {
        let (mut found, mut count, mut after) = (Vec::new(), 0, 0);
        loop {
            let page: Vec<Named> = sqlx::query_as(NAMED)
                .bind(after)
                .bind(PAGE)
                .fetch_all(&self.pool)
                .await?;
            let Some(last) = page.last() else { break };
            after = last.position;
            count += i64::try_from(page.len()).unwrap_or(i64::MAX);
            let unlike: Vec<Option<Difference>> = stream::iter(&page)
                .map(|named| self.object(named))
                .buffered(AT_ONCE)
                .try_collect()
                .await?;
            found.extend(unlike.into_iter().flatten());
            progress(format!("checking documents: {count} objects"));
        }
        let most = usize::try_from(self.most()).unwrap_or_default();
        found.truncate(most);
        let half: Vec<String> = sqlx::query_scalar(
            "SELECT value FROM claims WHERE kind = 'blob' AND aggregate_id LIKE 'removing:%'",
        )
        .fetch_all(&self.pool)
        .await?;
        let difference = |sha256| Difference::new(AREA, HALF_REMOVED, sha256);
        found.extend(half.into_iter().map(difference));
        for orphan in self.reconciler.orphans(most).await? {
            found.push(Difference::new(AREA, ORPHAN, orphan.key));
        }
        Ok((count, found))
    }

    async fn object(&self, named: &Named) -> Result<Option<Difference>, CheckError> {
        let subject = || format!("{} ({})", named.key, named.aggregate_id);
        let differs = |problem| Ok(Some(Difference::new(AREA, problem, subject())));
        let Some(size) = self.blobs.size(&named.key).await? else {
            return differs("the object that the event names is missing");
        };
        if named
            .size
            .is_some_and(|expected| u64::try_from(expected) != Ok(size))
        {
            return differs("the object has another size than the event says");
        }
        if self.deep && self.digest(&named.key).await? != named.sha256 {
            return differs("the object's bytes are not those of the event");
        }
        Ok(None)
    }

    async fn digest(&self, key: &str) -> Result<String, CheckError> {
        let mut bytes = self.blobs.get(key, None).await?.stream;
        let mut digest = Sha256::new();
        let cut = |source: std::io::Error| BlobError::Unreachable {
            operation: "read an object",
            source: source.into(),
        };
        while let Some(piece) = bytes.try_next().await.map_err(cut)? {
            digest.update(&piece);
        }
        Ok(hex(&digest.finalize()))
    }

    /// Orphans go, removals are finished. A document whose bytes are gone cannot be mended.
    pub(super) async fn mend_documents(&self, found: &mut [Difference]) -> Result<(), CheckError> {
        self.reconciler.removals.finish().await?;
        for difference in found {
            difference.repaired = match difference.problem {
                HALF_REMOVED => true,
                ORPHAN => {
                    let orphan = Orphan {
                        key: difference.subject.clone(),
                        size: 0,
                    };
                    // Also when the gateway itself was quicker.
                    self.reconciler.remove(&orphan).await?;
                    true
                }
                _ => false,
            };
        }
        Ok(())
    }
}
