//! The filters that `audit list` and `audit export` share, and the record of their being asked.

use super::super::CliError;
use crate::app::AuditTools;
use crate::audit::Question;
use kmrl_projections::query::{AuditFilter, Order};
use std::collections::BTreeMap;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

/// Which entries.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct AskArgs {
    /// Only of this document.
    #[arg(long, value_name = "ID")]
    document_id: Option<Uuid>,
    /// Only by this actor, such as key:admin, anonymous or system:worker.
    #[arg(long)]
    actor: Option<String>,
    /// Only this action, such as view, download, upload or withdraw.
    #[arg(long)]
    action: Option<String>,
    /// Only with this outcome: shown, accepted, unchanged, replayed, refused, denied or failed.
    #[arg(long)]
    outcome: Option<String>,
    /// Only recorded then or later (RFC 3339, such as 2026-01-02T03:04:05Z).
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<OffsetDateTime>,
    /// Only recorded before (RFC 3339).
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<OffsetDateTime>,
    /// Only after this position of the log.
    #[arg(long, value_name = "POSITION")]
    after: Option<i64>,
    /// Only before this position of the log.
    #[arg(long, value_name = "POSITION")]
    before: Option<i64>,
    /// Begin with the oldest entry instead of the newest.
    #[arg(long)]
    oldest_first: bool,
    /// Why this is asked for; kept with the record of this access.
    #[arg(long)]
    reason: Option<String>,
}

fn moment(text: &str) -> Result<OffsetDateTime, time::error::Parse> {
    OffsetDateTime::parse(text, &Rfc3339)
}

/// A question that has been checked and recorded.
pub(super) struct Asked {
    pub(super) filter: AuditFilter,
    pub(super) order: Order,
}

impl AskArgs {
    /// The filter, checked.
    pub(super) fn check(&self) -> Result<Asked, CliError> {
        let question = Question {
            document_id: self.document_id,
            actor: self.actor.clone(),
            action: self.action.clone(),
            outcome: self.outcome.clone(),
            since: self.since,
            until: self.until,
            after: self.after,
            before: self.before,
        };
        let order = if self.oldest_first {
            Order::Oldest
        } else {
            Order::Newest
        };
        let filter = question.filter();
        Ok(Asked {
            filter: filter.map_err(|e| CliError::Message(e.to_string()))?,
            order,
        })
    }

    /// Records that the trail is read, before any of it is shown.
    pub(super) async fn record(&self, tools: &AuditTools, action: &str) -> Result<(), CliError> {
        let mut record = tools.access(action);
        record.document_id = self.document_id;
        record.reason.clone_from(&self.reason);
        record.shown_at = Some(
            tools
                .read
                .audit_position()
                .await
                .map_err(|e| CliError::failed("asking how far the audit trail is", e))?,
        );
        record.parameters = self.parameters();
        tools.record(record).await.map_err(|e| {
            CliError::failed("recording this access, without which nothing is shown", e)
        })
    }

    fn parameters(&self) -> BTreeMap<String, String> {
        let time = |t: Option<OffsetDateTime>| t.map(|t| t.to_string());
        [
            ("actor", self.actor.clone()),
            ("action", self.action.clone()),
            ("outcome", self.outcome.clone()),
            ("since", time(self.since)),
            ("until", time(self.until)),
            ("after", self.after.map(|n| n.to_string())),
            ("before", self.before.map(|n| n.to_string())),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
    }
}
