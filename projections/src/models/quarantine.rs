//! What the read model `documents` tells of a quarantine: JSON in its columns.

use crate::fold::{Unfit, storable};
use kmrl_domain::event::{
    QuarantineReleaseRejected, QuarantineReleaseRequested, QuarantineReleased, Quarantined,
};
use kmrl_domain::quarantine::Objection;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// Nothing works on it.
pub(super) const QUARANTINED: &str = "quarantined";
/// Its release waits for a second person.
pub(super) const RELEASE_REQUESTED: &str = "release_requested";
/// It was released.
pub(super) const RELEASED: &str = "released";

/// What is known of a quarantine. What has not happened is absent.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Quarantine {
    objections: Vec<Objection>,
    #[serde(
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    quarantined_at: Option<OffsetDateTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requested_by: Option<String>,
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
    released_by: Option<String>,
    #[serde(
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    released_at: Option<OffsetDateTime>,
}

/// The beginning of one.
pub(super) fn begun(e: Quarantined) -> Quarantine {
    Quarantine {
        objections: e.objections.into_iter().map(shown).collect(),
        quarantined_at: Some(e.quarantined_at),
        ..Quarantine::default()
    }
}

/// An objection as the database can hold it.
pub(super) fn shown(objection: Objection) -> Objection {
    Objection {
        code: storable(objection.code),
        detail: storable(objection.detail),
    }
}

impl Quarantine {
    pub(super) fn read(text: Option<&str>) -> Result<Self, Unfit> {
        text.map_or_else(
            || Ok(Self::default()),
            |text| {
                serde_json::from_str(text).map_err(|_| Unfit::Range {
                    field: "quarantine",
                })
            },
        )
    }

    /// Whatever was asked for before is over.
    pub(super) fn requested(self, e: QuarantineReleaseRequested) -> Self {
        Self {
            reason: Some(storable(e.reason)),
            requested_by: Some(e.requested_by),
            requested_at: Some(e.requested_at),
            rejection_reason: None,
            rejected_by: None,
            rejected_at: None,
            ..self
        }
    }

    pub(super) fn rejected(self, e: QuarantineReleaseRejected) -> Self {
        Self {
            rejection_reason: Some(storable(e.reason)),
            rejected_by: Some(e.rejected_by),
            rejected_at: Some(e.rejected_at),
            ..self
        }
    }

    pub(super) fn released(self, e: QuarantineReleased) -> Self {
        Self {
            reason: Some(storable(e.reason)),
            requested_by: Some(e.requested_by),
            released_by: Some(e.released_by),
            released_at: Some(e.released_at),
            ..self
        }
    }
}
