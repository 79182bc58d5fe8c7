//! The audit trail of one connection: what its client asked for after it was opened.
//!
//! The opening itself is recorded like any request. What is asked for later is recorded before it
//! is answered, and so is how far the connection had come when it ended.

use super::super::audited::record;
use super::super::auth::Principal;
use super::super::context::Caller;
use crate::audit::{AccessRecorder, RecordError};
use crate::ports::Clock;
use kmrl_domain::access::{AccessRecord, Outcome};
use uuid::Uuid;

/// Records what a client of one connection does.
pub(super) struct Witness {
    recorder: AccessRecorder,
    caller: Caller,
}

/// What a client did.
pub(super) struct Act {
    pub(super) action: &'static str,
    pub(super) document_id: Option<Uuid>,
    /// Up to where it has been told the log.
    pub(super) shown_at: i64,
    /// Stable word of why it was refused.
    pub(super) refused: Option<&'static str>,
}

impl Witness {
    pub(super) const fn new(recorder: AccessRecorder, caller: Caller) -> Self {
        Self { recorder, caller }
    }

    /// Whoever is connected.
    pub(super) const fn principal(&self) -> &Principal {
        &self.caller.principal
    }

    /// Durable when this returns `Ok`; else it must not be answered.
    pub(super) async fn saw(&self, act: Act, clock: &dyn Clock) -> Result<(), RecordError> {
        self.recorder.record(self.record(act, clock)).await
    }

    /// Without waiting: it showed nothing.
    pub(super) fn noted(&self, act: Act, clock: &dyn Clock) {
        self.recorder.note(vec![self.record(act, clock)]);
    }

    fn record(&self, act: Act, clock: &dyn Clock) -> AccessRecord {
        let Caller { principal, context } = &self.caller;
        let outcome = if act.refused.is_some() {
            Outcome::Refused
        } else {
            Outcome::Shown
        };
        let now = clock.now();
        AccessRecord {
            document_id: act.document_id,
            shown_at: Some(act.shown_at),
            problem: act.refused.map(ToOwned::to_owned),
            ..record(context, Some(principal), act.action, outcome, now)
        }
    }
}
