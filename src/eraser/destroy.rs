//! The content of one erased document, deleted wherever it is kept.

use super::{Eraser, EraserError, database};
use crate::commands::CommandOptions;
use crate::event_store::{CommandMetadata, Idempotency};
use crate::fault_point;
use crate::ports::{BlobError, text_prefix};
use crate::removal::Removed;
use kmrl_domain::command::RecordDestruction;
use kmrl_domain::event::{Extracted, Reviewed, Uploaded};
use kmrl_domain::recorded::DecodeError;
use kmrl_domain::{DocumentCommand, RecordedEvent, document};
use kmrl_projections::Projector;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Who destroys, as the log says it.
const ACTOR: &str = "system:eraser";
/// Objects listed at a time.
const PAGE: usize = 1_000;

/// What a document's events say is kept of it. Counted from the log, so that a repetition after a
/// crash, which finds less, counts the same.
#[derive(Debug, Default, PartialEq)]
struct Content {
    /// Events with a private part.
    private_parts: u32,
    /// SHA-256 of its bytes.
    bytes: Option<String>,
    /// Keys of its texts.
    texts: BTreeSet<String>,
    /// It was destroyed before.
    destroyed: bool,
}

impl Content {
    fn of(stream: &[RecordedEvent]) -> Result<Self, DecodeError> {
        let mut content = Self::default();
        for event in stream {
            if event.payload.get("private").is_some_and(|p| !p.is_null()) {
                content.private_parts += 1;
            }
            match event.event_type.as_str() {
                "Uploaded" => content.bytes = Some(event.decode::<Uploaded>()?.blob.sha256),
                "Extracted" => {
                    content.texts.insert(event.decode::<Extracted>()?.text.key);
                }
                "Reviewed" => {
                    content.texts.insert(event.decode::<Reviewed>()?.text.key);
                }
                "ContentDestroyed" => content.destroyed = true,
                _ => {}
            }
        }
        Ok(content)
    }
}

impl Eraser {
    /// Destroys the content of the document that `erasure` erased, and records that. Answers
    /// whether it is all gone; if not, a read model has yet to come as far.
    pub(super) async fn destroy(&self, erasure: &RecordedEvent) -> Result<bool, EraserError> {
        let Ok(id) = erasure.id() else {
            tracing::error!(position = erasure.position, "an erasure of no document");
            return Ok(true);
        };
        let stream = self.log.stream(document::TYPE, &id.to_string()).await?;
        let content = match Content::of(&stream) {
            Ok(content) => content,
            Err(error) => {
                // Passing over it would leave content behind, and waiting does not mend it.
                tracing::error!(%id, error = &error as &dyn std::error::Error, "an erased document cannot be read");
                return Ok(false);
            }
        };
        if content.destroyed {
            return Ok(true);
        }
        self.delete_private_parts(id).await?;
        self.forget_fingerprints(id).await?;
        fault_point::reach("eraser.after_private_parts");
        self.delete_texts(id).await?;
        for key in &content.texts {
            self.delete_named_text(id, key).await?;
        }
        fault_point::reach("eraser.after_texts");
        let (mut removed, mut kept) = (count(content.texts.len()), 0);
        if let Some(sha256) = &content.bytes {
            match self.removals.remove(sha256).await? {
                Removed::Gone => removed += 1,
                Removed::KeptFor(others) => {
                    tracing::info!(%id, others = others.len(), "the bytes stay: other documents have the same");
                    kept = 1;
                }
            }
        }
        fault_point::reach("eraser.after_bytes");
        if !Projector::forget_before(&self.pool, erasure.position).await? {
            return Ok(false);
        }
        let command = RecordDestruction {
            private_parts: content.private_parts,
            objects_removed: removed,
            objects_kept: kept,
            at: self.clock.now(),
        };
        self.record(id, erasure, command).await?;
        Ok(true)
    }

    /// Deletes text that a straggling worker put after the erasure of its document.
    pub(super) async fn remove_late_texts(&self) -> Result<(), EraserError> {
        let since = self.clock.now() - self.settings.watch;
        let mut after = 0;
        loop {
            let erasures = self.erasures(after, Some(since)).await?;
            for erasure in &erasures {
                if let Ok(id) = erasure.id() {
                    self.delete_texts(id).await?;
                }
            }
            match erasures.last() {
                Some(last) => after = last.position,
                None => return Ok(()),
            }
        }
    }

    async fn delete_private_parts(&self, id: Uuid) -> Result<(), EraserError> {
        sqlx::query("DELETE FROM private_parts WHERE aggregate_type = $1 AND aggregate_id = $2")
            .bind(document::TYPE)
            .bind(id.to_string())
            .execute(&self.pool)
            .await
            .map(drop)
            .map_err(database("delete private parts"))
    }

    /// Fingerprints of requests with an idempotency key are digests without a salt, from which a short
    /// file name could be guessed. A repetition goes on being answered as the first time.
    async fn forget_fingerprints(&self, id: Uuid) -> Result<(), EraserError> {
        sqlx::query(
            "UPDATE command_keys SET fingerprint = '' \
             WHERE aggregate_type = $1 AND aggregate_id = $2 AND key LIKE 'http:%'",
        )
        .bind(document::TYPE)
        .bind(id.to_string())
        .execute(&self.pool)
        .await
        .map(drop)
        .map_err(database("forget fingerprints"))
    }

    /// Deletes everything below the document's own prefix.
    async fn delete_texts(&self, id: Uuid) -> Result<(), BlobError> {
        let prefix = text_prefix(id);
        let mut after: Option<String> = None;
        loop {
            let found = self.blobs.list(&prefix, after.as_deref(), PAGE).await?;
            for object in &found {
                self.blobs.delete(&object.key).await?;
            }
            match found.last() {
                Some(last) if found.len() == PAGE => after = Some(last.key.clone()),
                _ => return Ok(()),
            }
        }
    }

    /// Deletes a text that an event names by a key which does not lie below the prefix: such keys,
    /// of earlier versions, are made from the text alone, so others may have it too.
    async fn delete_named_text(&self, id: Uuid, key: &str) -> Result<(), EraserError> {
        if key.starts_with(&text_prefix(id)) {
            return Ok(());
        }
        let shared: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM events x WHERE x.event_type IN ('Extracted', 'Reviewed') \
             AND es_readable(x.payload) -> 'text' ->> 'key' = $1 AND x.aggregate_id <> $2 \
             AND NOT EXISTS (SELECT 1 FROM events e WHERE e.aggregate_type = x.aggregate_type \
                 AND e.aggregate_id = x.aggregate_id AND e.event_type = 'Erased'))",
        )
        .bind(key)
        .bind(id.to_string())
        .fetch_one(&self.pool)
        .await
        .map_err(database("look for documents with the same text"))?;
        if !shared {
            self.blobs.delete(key).await?;
        }
        Ok(())
    }

    async fn record(
        &self,
        id: Uuid,
        erasure: &RecordedEvent,
        command: RecordDestruction,
    ) -> Result<(), EraserError> {
        let of = |name: &str| erasure.metadata.get(name).cloned();
        let options = CommandOptions {
            metadata: CommandMetadata {
                actor: ACTOR.into(),
                correlation_id: of("correlation_id").unwrap_or_default(),
                causation_id: Some(erasure.position.to_string()),
                traceparent: of("traceparent"),
                ..CommandMetadata::default()
            },
            idempotency: Some(Idempotency {
                key: format!("erasure:{}", erasure.position),
                fingerprint: Sha256::digest(id.as_bytes()).into(),
            }),
            ..CommandOptions::default()
        };
        let command = DocumentCommand::RecordDestruction(command);
        self.commands.execute(id, command, options).await?;
        Ok(())
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
