//! A document has been kept for as long as its retention rule says.

use super::{ErasureRefusal, LegalHolds};
use crate::command::ExpireRetention;
use crate::document::Document;
use crate::event::{DocumentEvent, RetentionExpired};

pub(super) fn decide(
    document: &Document,
    c: ExpireRetention,
) -> Result<Option<DocumentEvent>, ErasureRefusal> {
    LegalHolds::none_on(document)?;
    // Two sweeps at once find the same documents.
    if document.expired.as_ref() == Some(&c.rule) {
        return Ok(None);
    }
    Ok(Some(DocumentEvent::RetentionExpired(RetentionExpired {
        rule: c.rule,
        expired_at: c.at,
    })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::DocumentCommand;
    use crate::decide::testing::*;

    fn expire(rule: &str) -> DocumentCommand {
        DocumentCommand::ExpireRetention(ExpireRetention {
            rule: rule.into(),
            at: at(8),
        })
    }

    #[test]
    fn a_rule_expires_once() {
        given(vec![uploaded(), withdrawn()])
            .when(expire("source=scan,days=30"))
            .then_expect_events(vec![expired("source=scan,days=30")]);
        nothing(vec![uploaded(), expired("days=30")], expire("days=30"));
        given(vec![uploaded(), expired("days=30")])
            .when(expire("days=20"))
            .then_expect_events(vec![expired("days=20")]);
    }

    #[test]
    fn what_is_held_is_kept() {
        given(vec![uploaded(), held("case-1")])
            .when(expire("days=30"))
            .then_expect_error(ErasureRefusal::Held(LegalHolds(vec!["case-1".into()])).into());
    }
}
