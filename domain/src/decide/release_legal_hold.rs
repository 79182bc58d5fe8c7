//! A legal matter is over for a document. The other matters go on holding it.

use super::LegalHoldRefusal;
use super::reason;
use crate::command::ReleaseLegalHold;
use crate::document::Document;
use crate::event::{DocumentEvent, LegalHoldReleased};

pub(super) fn decide(
    document: &Document,
    c: ReleaseLegalHold,
) -> Result<Option<DocumentEvent>, LegalHoldRefusal> {
    if !document.holds.contains(&c.matter) {
        return Err(LegalHoldRefusal::NotHeld);
    }
    let reason = reason::given(&c.reason).ok_or(LegalHoldRefusal::Reason)?;
    Ok(Some(DocumentEvent::LegalHoldReleased(LegalHoldReleased {
        matter: c.matter,
        reason,
        released_at: c.at,
    })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::DocumentCommand;
    use crate::decide::testing::*;

    fn release(matter: &str, reason: &str) -> DocumentCommand {
        DocumentCommand::ReleaseLegalHold(ReleaseLegalHold {
            matter: matter.into(),
            reason: reason.into(),
            at: at(7),
        })
    }

    #[test]
    fn each_matter_is_released_for_itself() {
        given(vec![uploaded(), held("case-1"), held("case-2")])
            .when(release("case-1", "closed"))
            .then_expect_events(vec![released("case-1")]);
    }

    #[test]
    fn what_does_not_hold_is_not_released() {
        for before in [
            vec![uploaded(), held("case-2")],
            vec![uploaded(), held("case-1"), released("case-1")],
        ] {
            given(before)
                .when(release("case-1", "closed"))
                .then_expect_error(LegalHoldRefusal::NotHeld.into());
        }
    }

    #[test]
    fn it_needs_a_reason() {
        given(vec![uploaded(), held("case-1")])
            .when(release("case-1", "?"))
            .then_expect_error(LegalHoldRefusal::Reason.into());
    }
}
