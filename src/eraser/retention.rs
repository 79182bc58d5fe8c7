//! Documents that were kept for as long as a rule says: each is noted, and its erasure requested.
//! A person approves it like any other.

use super::{Eraser, EraserError};
use crate::commands::{CommandError, CommandOptions};
use crate::event_store::CommandMetadata;
use kmrl_domain::DocumentCommand;
use kmrl_domain::command::{ExpireRetention, RequestErasure};
use kmrl_projections::query::Kept;
use time::Duration;
use uuid::Uuid;

/// Who requests, as the log says it.
const ACTOR: &str = "system:retention";
/// Documents of a rule taken in one sweep.
const MOST: i64 = 500;

impl Eraser {
    /// Requests the erasure of what was kept long enough and is not held.
    pub(super) async fn expire(&self) -> Result<(), EraserError> {
        let rules = self.settings.retention.now();
        let now = self.clock.now();
        let kept: Vec<Kept<'_>> = rules
            .iter()
            .map(|rule| Kept {
                source: rule.source.as_deref(),
                department: rule.department.as_deref(),
                before: now
                    .checked_sub(Duration::days(rule.days.into()))
                    .unwrap_or(time::OffsetDateTime::UNIX_EPOCH),
            })
            .collect();
        for (index, rule) in rules.iter().enumerate() {
            let (before, rest) = kept.split_at(index);
            let Some(which) = rest.first() else { break };
            for id in self.read.kept_long_enough(which, before, MOST).await? {
                self.request(id, &rule.to_string()).await?;
            }
        }
        Ok(())
    }

    async fn request(&self, id: Uuid, rule: &str) -> Result<(), EraserError> {
        let metadata = CommandMetadata {
            actor: ACTOR.into(),
            correlation_id: self.ids.new_id().simple().to_string(),
            ..CommandMetadata::default()
        };
        let commands = [
            DocumentCommand::ExpireRetention(ExpireRetention {
                rule: rule.into(),
                at: self.clock.now(),
            }),
            DocumentCommand::RequestErasure(RequestErasure {
                reason: format!("kept for as long as the rule says: {rule}"),
                by: ACTOR.into(),
                at: self.clock.now(),
            }),
        ];
        for command in commands {
            let options = CommandOptions {
                metadata: metadata.clone(),
                ..CommandOptions::default()
            };
            match self.commands.execute(id, command, options).await {
                Ok(_) => {}
                // Held, requested or erased since the read model was asked.
                Err(CommandError::Refused(refusal)) => {
                    tracing::debug!(%id, %refusal, "not requested");
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
        tracing::info!(%id, rule, "kept long enough: its erasure waits for a person");
        Ok(())
    }
}
