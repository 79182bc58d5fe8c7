//! The decisions about a key: state and command in, an event, nothing, or a refusal out.

use super::ApiKey;
use super::command::{ApiKeyCommand, IssueKey, RevokeKey, RotateKey};
use super::event::{ApiKeyEvent, Grant, KeyIssued, KeyRevoked, KeyRotated};
use crate::authority::{Reach, Role};
use crate::decide::MAX_REASON;
use time::{Duration, OffsetDateTime};

/// Longest name of a key, in characters.
pub const MAX_NAME: usize = 64;
/// Longest owner, in characters.
pub const MAX_OWNER: usize = 128;
/// Longest word of a source or department, in bytes, and most of them.
const LONGEST_WORD: usize = 64;
const MOST_WORDS: usize = 64;
/// Longest that a rotated secret stays good.
pub const LONGEST_OVERLAP: Duration = Duration::days(30);
/// Names of keys that come from the settings.
pub const RESERVED_NAMES: [&str; 2] = ["admin", "approver"];

/// Why a command on a key was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiKeyRefusal {
    /// There is none.
    #[error("there is no such key")]
    Unknown,
    /// It was issued before.
    #[error("the key was issued before")]
    Exists,
    /// Its name is no name.
    #[error("a key's name has 1 to {MAX_NAME} of a-z, 0-9, `-`, `_` and `.`, and is not reserved")]
    Name,
    /// Nobody answers for it.
    #[error("a key names its owner, 1 to {MAX_OWNER} characters without control characters")]
    Owner,
    /// It is allowed nothing.
    #[error("a key has at least one role, and scopes, when given, name at least one permission")]
    Nothing,
    /// It may write everything.
    #[error("a connector's key names the sources that it may write")]
    Sources,
    /// A word that no source or department can have.
    #[error(
        "at most {MOST_WORDS} sources and departments, each of 1 to {LONGEST_WORD} bytes without control characters"
    )]
    Words,
    /// It would never be good.
    #[error("a key expires in the future")]
    Expiry,
    /// The secret before would be good for too long.
    #[error("an overlap lasts from 0 seconds to 30 days")]
    Overlap,
    /// No reason was given, or one beyond reason.
    #[error("a revocation gives a reason of 1 to {MAX_REASON} characters")]
    Reason,
    /// It is good for nothing any more.
    #[error("the key was revoked or has expired")]
    Over,
}

impl ApiKey {
    /// Decides what a command does.
    ///
    /// # Errors
    /// A refusal when the rules forbid it.
    pub fn decide(&self, command: ApiKeyCommand) -> Result<Option<ApiKeyEvent>, ApiKeyRefusal> {
        match command {
            ApiKeyCommand::Issue(c) => self.issue(c).map(Some),
            ApiKeyCommand::Rotate(c) => self.rotate(c).map(Some),
            ApiKeyCommand::Revoke(c) => self.revoke(&c),
        }
    }

    fn issue(&self, c: IssueKey) -> Result<ApiKeyEvent, ApiKeyRefusal> {
        if self.grant.is_some() {
            return Err(ApiKeyRefusal::Exists);
        }
        check(&c.grant, c.at)?;
        Ok(ApiKeyEvent::KeyIssued(KeyIssued {
            grant: c.grant,
            digest: c.digest,
            pepper: c.pepper,
            issued_at: c.at,
        }))
    }

    fn rotate(&self, c: RotateKey) -> Result<ApiKeyEvent, ApiKeyRefusal> {
        let grant = self.grant.as_ref().ok_or(ApiKeyRefusal::Unknown)?;
        if self.revoked || grant.expires_at.is_some_and(|end| end <= c.at) {
            return Err(ApiKeyRefusal::Over);
        }
        if c.overlap.is_negative() || c.overlap > LONGEST_OVERLAP {
            return Err(ApiKeyRefusal::Overlap);
        }
        Ok(ApiKeyEvent::KeyRotated(KeyRotated {
            digest: c.digest,
            pepper: c.pepper,
            overlap_until: c.at + c.overlap,
            rotated_at: c.at,
        }))
    }

    /// Twice is as good as once.
    fn revoke(&self, c: &RevokeKey) -> Result<Option<ApiKeyEvent>, ApiKeyRefusal> {
        if self.grant.is_none() {
            return Err(ApiKeyRefusal::Unknown);
        }
        let reason = crate::decide::reason::given(&c.reason).ok_or(ApiKeyRefusal::Reason)?;
        if self.revoked {
            return Ok(None);
        }
        Ok(Some(ApiKeyEvent::KeyRevoked(KeyRevoked {
            reason,
            revoked_at: c.at,
        })))
    }
}

fn check(grant: &Grant, now: OffsetDateTime) -> Result<(), ApiKeyRefusal> {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    let name = &grant.name;
    let is_name = (1..=MAX_NAME).contains(&name.len()) && name.chars().all(letter);
    if !is_name || RESERVED_NAMES.contains(&name.as_str()) {
        return Err(ApiKeyRefusal::Name);
    }
    let owner = grant.owner.trim();
    let length = owner.chars().count();
    if !(1..=MAX_OWNER).contains(&length) || owner.chars().any(char::is_control) {
        return Err(ApiKeyRefusal::Owner);
    }
    if grant.roles.is_empty() || grant.scopes.as_ref().is_some_and(Vec::is_empty) {
        return Err(ApiKeyRefusal::Nothing);
    }
    if grant.roles.contains(&Role::Connector) && grant.sources == Reach::All {
        return Err(ApiKeyRefusal::Sources);
    }
    if !are_words(&grant.sources) || !are_words(&grant.departments) {
        return Err(ApiKeyRefusal::Words);
    }
    if grant.expires_at.is_some_and(|end| end <= now) {
        return Err(ApiKeyRefusal::Expiry);
    }
    Ok(())
}

fn are_words(reach: &Reach) -> bool {
    let Reach::Only(words) = reach else {
        return true;
    };
    let is_word = |word: &String| {
        (1..=LONGEST_WORD).contains(&word.len()) && !word.chars().any(char::is_control)
    };
    words.len() <= MOST_WORDS && words.iter().all(is_word)
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;
    use crate::authority::Permission;

    pub(crate) fn at(second: i64) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + Duration::seconds(second)
    }

    pub(crate) fn grant() -> Grant {
        Grant {
            name: "maximo-muttom".into(),
            owner: "Rolling stock maintenance".into(),
            roles: vec![Role::Connector],
            scopes: Some(vec![Permission::Upload]),
            sources: Reach::Only(vec!["maximo".into()]),
            departments: Reach::All,
            expires_at: None,
        }
    }

    pub(crate) fn issued(expires_at: Option<OffsetDateTime>) -> ApiKeyEvent {
        ApiKeyEvent::KeyIssued(KeyIssued {
            grant: Grant {
                expires_at,
                ..grant()
            },
            digest: "first".into(),
            pepper: "p".into(),
            issued_at: at(0),
        })
    }

    pub(crate) fn rotated(digest: &str, overlap_until: OffsetDateTime) -> ApiKeyEvent {
        ApiKeyEvent::KeyRotated(KeyRotated {
            digest: digest.into(),
            pepper: "p".into(),
            overlap_until,
            rotated_at: at(1),
        })
    }

    pub(crate) fn revoked() -> ApiKeyEvent {
        ApiKeyEvent::KeyRevoked(KeyRevoked {
            reason: "lost".into(),
            revoked_at: at(2),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::testing::*;
    use super::*;
    use cqrs_es::test::{AggregateTestExecutor, TestFramework};

    fn given(events: Vec<ApiKeyEvent>) -> AggregateTestExecutor<ApiKey> {
        TestFramework::<ApiKey>::with(()).given(events)
    }

    fn issue(grant: Grant) -> ApiKeyCommand {
        ApiKeyCommand::Issue(IssueKey {
            grant,
            digest: "first".into(),
            pepper: "p".into(),
            at: at(0),
        })
    }

    fn rotate(overlap: Duration, second: i64) -> ApiKeyCommand {
        ApiKeyCommand::Rotate(RotateKey {
            digest: "second".into(),
            pepper: "p".into(),
            overlap,
            at: at(second),
        })
    }

    fn revoke(reason: &str) -> ApiKeyCommand {
        ApiKeyCommand::Revoke(RevokeKey {
            reason: reason.into(),
            at: at(2),
        })
    }

    #[test]
    fn a_key_is_issued_once() {
        given(vec![])
            .when(issue(grant()))
            .then_expect_events(vec![issued(None)]);
        given(vec![issued(None)])
            .when(issue(grant()))
            .then_expect_error(ApiKeyRefusal::Exists);
    }

    #[test]
    fn senseless_grants_are_refused() {
        type Change = fn(&mut Grant);
        let cases: [(Change, ApiKeyRefusal); 10] = [
            (|g| g.name = "Maximo".into(), ApiKeyRefusal::Name),
            (|g| g.name = "admin".into(), ApiKeyRefusal::Name),
            (|g| g.name = "a".repeat(65), ApiKeyRefusal::Name),
            (|g| g.owner = " \t".into(), ApiKeyRefusal::Owner),
            (|g| g.roles.clear(), ApiKeyRefusal::Nothing),
            (|g| g.scopes = Some(vec![]), ApiKeyRefusal::Nothing),
            (|g| g.sources = Reach::All, ApiKeyRefusal::Sources),
            (
                |g| g.sources = Reach::Only(vec![String::new()]),
                ApiKeyRefusal::Words,
            ),
            (
                |g| g.departments = Reach::Only(vec!["a\n".into()]),
                ApiKeyRefusal::Words,
            ),
            (|g| g.expires_at = Some(at(0)), ApiKeyRefusal::Expiry),
        ];
        for (change, refusal) in cases {
            let mut grant = grant();
            change(&mut grant);
            given(vec![]).when(issue(grant)).then_expect_error(refusal);
        }
    }

    #[test]
    fn a_rotated_key_has_another_secret_and_an_overlap() {
        given(vec![issued(None)])
            .when(rotate(Duration::seconds(19), 1))
            .then_expect_events(vec![rotated("second", at(20))]);
        for overlap in [Duration::seconds(-1), LONGEST_OVERLAP + Duration::SECOND] {
            given(vec![issued(None)])
                .when(rotate(overlap, 1))
                .then_expect_error(ApiKeyRefusal::Overlap);
        }
    }

    #[test]
    fn what_is_over_is_not_rotated() {
        given(vec![issued(Some(at(5)))])
            .when(rotate(Duration::ZERO, 5))
            .then_expect_error(ApiKeyRefusal::Over);
        given(vec![issued(None), revoked()])
            .when(rotate(Duration::ZERO, 5))
            .then_expect_error(ApiKeyRefusal::Over);
        given(vec![])
            .when(rotate(Duration::ZERO, 5))
            .then_expect_error(ApiKeyRefusal::Unknown);
    }

    #[test]
    fn a_revocation_has_a_reason_and_happens_once() {
        given(vec![issued(None)])
            .when(revoke(" lost "))
            .then_expect_events(vec![revoked()]);
        given(vec![issued(None), revoked()])
            .when(revoke("again"))
            .then_expect_events(vec![]);
        given(vec![issued(None)])
            .when(revoke(" "))
            .then_expect_error(ApiKeyRefusal::Reason);
        given(vec![])
            .when(revoke("lost"))
            .then_expect_error(ApiKeyRefusal::Unknown);
    }
}
