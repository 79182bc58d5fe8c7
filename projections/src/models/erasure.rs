//! What the read model `documents` tells of legal holds and of an erasure: JSON in its columns.

use crate::fold::{Unfit, storable};
use kmrl_domain::event::{
    ContentDestroyed, Erased, ErasureRejected, ErasureRequested, LegalHoldPlaced, LegalHoldReleased,
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// It waits for a second person.
pub(super) const REQUESTED: &str = "requested";
/// It was refused.
pub(super) const REJECTED: &str = "rejected";
/// It was approved; the content is being destroyed.
pub(super) const APPROVED: &str = "approved";
/// The content is gone from everywhere.
pub(super) const DONE: &str = "done";

/// A legal matter that holds a document.
#[derive(Serialize, Deserialize)]
struct LegalHold {
    matter: String,
    reason: String,
    placed_by: String,
    #[serde(with = "time::serde::rfc3339")]
    placed_at: OffsetDateTime,
}

fn holds(text: &str) -> Result<Vec<LegalHold>, Unfit> {
    serde_json::from_str(text).map_err(|_| Unfit::Range {
        field: "legal hold",
    })
}

fn written(value: &impl Serialize) -> Result<String, Unfit> {
    serde_json::to_string(value).map_err(|_| Unfit::Range { field: "value" })
}

/// The holds with one more.
pub(super) fn placed(before: &str, e: LegalHoldPlaced, by: String) -> Result<String, Unfit> {
    let mut all = holds(before)?;
    all.push(LegalHold {
        matter: storable(e.matter),
        reason: storable(e.reason),
        placed_by: by,
        placed_at: e.placed_at,
    });
    written(&all)
}

/// The holds without one.
pub(super) fn released(before: &str, e: &LegalHoldReleased) -> Result<String, Unfit> {
    let mut all = holds(before)?;
    all.retain(|hold| hold.matter != e.matter);
    written(&all)
}

/// What is known of an erasure. What has not happened is absent.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Erasure {
    reason: String,
    requested_by: String,
    #[serde(
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    requested_at: Option<OffsetDateTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejection_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected_by: Option<String>,
    #[serde(
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    rejected_at: Option<OffsetDateTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approved_by: Option<String>,
    #[serde(
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    approved_at: Option<OffsetDateTime>,
    #[serde(
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    destroyed_at: Option<OffsetDateTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    private_parts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    objects_removed: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    objects_kept: Option<u32>,
}

/// An erasure that was asked for: whatever was before it is over.
pub(super) fn requested(e: ErasureRequested) -> Erasure {
    Erasure {
        reason: storable(e.reason),
        requested_by: e.requested_by,
        requested_at: Some(e.requested_at),
        ..Erasure::default()
    }
}

impl Erasure {
    pub(super) fn read(text: Option<&str>) -> Result<Self, Unfit> {
        text.map_or_else(
            || Ok(Self::default()),
            |text| serde_json::from_str(text).map_err(|_| Unfit::Range { field: "erasure" }),
        )
    }

    pub(super) fn written(&self) -> Result<String, Unfit> {
        written(self)
    }

    pub(super) fn rejected(self, e: ErasureRejected) -> Self {
        Self {
            rejection_reason: Some(storable(e.reason)),
            rejected_by: Some(e.rejected_by),
            rejected_at: Some(e.rejected_at),
            ..self
        }
    }

    pub(super) fn approved(self, e: Erased) -> Self {
        Self {
            reason: storable(e.reason),
            requested_by: e.requested_by,
            approved_by: Some(e.approved_by),
            approved_at: Some(e.erased_at),
            ..self
        }
    }

    pub(super) fn destroyed(self, e: &ContentDestroyed) -> Self {
        Self {
            destroyed_at: Some(e.destroyed_at),
            private_parts: Some(e.private_parts),
            objects_removed: Some(e.objects_removed),
            objects_kept: Some(e.objects_kept),
            ..self
        }
    }
}
