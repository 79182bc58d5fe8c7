//! The log against itself: positions, streams, the head, private parts. What signatures prove is
//! `audit verify`'s.

use super::{Check, CheckError, Difference, TOLD};

const AREA: &str = "log";
const STREAM_BEHIND: &str = "the stream's version is not that of its newest event";

const NOT_DESTROYED: &str = "the private part is there though its document's content was destroyed";

/// Each query answers what is wrong with what.
const LOOKS: [(&str, &str); 6] = [
    (
        "a position is missing before this one",
        "SELECT position::text FROM (SELECT position, lag(position, 1, 0::bigint) \
         OVER (ORDER BY position) AS before FROM events) e WHERE position <> before + 1",
    ),
    (
        "the head is not the newest event",
        "SELECT h.position::text FROM es_head h \
         WHERE h.position <> coalesce((SELECT max(position) FROM events), 0)",
    ),
    (
        "a stream's events are not numbered without a gap",
        "SELECT aggregate_type || '/' || aggregate_id FROM events GROUP BY aggregate_type, aggregate_id \
         HAVING max(sequence) <> count(*)",
    ),
    (
        STREAM_BEHIND,
        "SELECT e.aggregate_type || '/' || e.aggregate_id FROM \
         (SELECT aggregate_type, aggregate_id, max(sequence) AS version FROM events GROUP BY 1, 2) e \
         LEFT JOIN streams s USING (aggregate_type, aggregate_id) \
         WHERE s.version IS DISTINCT FROM e.version",
    ),
    (
        "the private part is missing though its document was not erased",
        "SELECT e.position::text FROM events e LEFT JOIN private_parts p USING (position) \
         WHERE es_readable(e.payload) ->> 'private' IS NOT NULL AND p.position IS NULL \
           AND NOT EXISTS (SELECT 1 FROM events x WHERE x.aggregate_type = e.aggregate_type \
                           AND x.aggregate_id = e.aggregate_id AND x.event_type = 'Erased')",
    ),
    (
        // As when the table alone is restored from a backup that is older than the erasure.
        NOT_DESTROYED,
        "SELECT p.position::text FROM events x JOIN private_parts p \
             ON p.aggregate_type = x.aggregate_type AND p.aggregate_id = x.aggregate_id \
         WHERE x.event_type = 'ContentDestroyed' AND x.aggregate_type = 'document'",
    ),
];
/// A private part that does not have its digest.
const UNFIT: &str = "SELECT p.position::text FROM private_parts p LEFT JOIN events e USING (position) \
     WHERE es_readable(e.payload) ->> 'private' IS DISTINCT FROM \
           'sha256:' || encode(sha256(p.salt || convert_to(p.content, 'UTF8')), 'hex')";

impl Check {
    pub(super) async fn log(&self) -> Result<(i64, Vec<Difference>), CheckError> {
        let looks = LOOKS
            .into_iter()
            .chain([("the private part does not have its digest", UNFIT)]);
        let mut found = Vec::new();
        for (problem, sql) in looks {
            // One snapshot a look: what is appended meanwhile belongs to the next one.
            let subjects: Vec<String> = sqlx::query_scalar(&format!("{sql} LIMIT {TOLD}"))
                .fetch_all(&self.pool)
                .await?;
            let difference = |subject| Difference::new(AREA, problem, subject);
            found.extend(subjects.into_iter().map(difference));
        }
        let count = sqlx::query_scalar("SELECT count(*) FROM events")
            .fetch_one(&self.pool)
            .await?;
        Ok((count, found))
    }

    /// The version of a stream is known from its events, and what was destroyed is to be gone.
    /// Events themselves are never mended.
    pub(super) async fn mend_log(&self, found: &mut [Difference]) -> Result<(), CheckError> {
        for difference in found {
            match difference.problem {
                STREAM_BEHIND => self.mend_stream(difference).await?,
                NOT_DESTROYED => {
                    sqlx::query("DELETE FROM private_parts WHERE position = $1::bigint")
                        .bind(&difference.subject)
                        .execute(&self.pool)
                        .await?;
                    difference.repaired = true;
                }
                _ => {}
            }
        }
        Ok(())
    }

    async fn mend_stream(&self, difference: &mut Difference) -> Result<(), CheckError> {
        let Some((kind, id)) = difference.subject.split_once('/') else {
            return Ok(());
        };
        let mut transaction = self.pool.begin().await?;
        // Nothing is appended meanwhile.
        sqlx::query("SELECT 1 FROM es_head WHERE id = 0 FOR UPDATE")
            .execute(&mut *transaction)
            .await?;
        sqlx::query(
            "INSERT INTO streams SELECT aggregate_type, aggregate_id, max(sequence) FROM events \
             WHERE aggregate_type = $1 AND aggregate_id = $2 GROUP BY 1, 2 \
             ON CONFLICT (aggregate_type, aggregate_id) DO UPDATE SET version = excluded.version",
        )
        .bind(kind)
        .bind(id)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        difference.repaired = true;
        Ok(())
    }
}
