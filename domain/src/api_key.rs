//! An API key's life: issued, rotated, revoked. Its state, folded from its events.
//!
//! Owns which secrets of a key are good when, and the decisions about it (`decide`). What a secret
//! looks like and how its digest is made is not known here: there are only digests.

mod command;
mod decide;
mod event;

pub use command::{ApiKeyCommand, IssueKey, RevokeKey, RotateKey};
pub use decide::{ApiKeyRefusal, LONGEST_OVERLAP, MAX_NAME, MAX_OWNER, RESERVED_NAMES};
pub use event::{ApiKeyEvent, Grant, KeyIssued, KeyRevoked, KeyRotated};

use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// The kind of stream that keys are.
pub const TYPE: &str = "api_key";

/// A key as far as it has to be known to be used and decided on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Its name and what it is allowed; `None` before it was issued.
    pub grant: Option<Grant>,
    /// The digest of the secret in force.
    pub digest: String,
    /// A mark of the key that the digest was made with.
    pub pepper: String,
    /// The digest of the secret before, and until when it is good.
    pub previous: Option<(String, OffsetDateTime)>,
    /// It was revoked.
    pub revoked: bool,
}

impl ApiKey {
    /// It was issued, and neither revoked nor has it expired.
    #[must_use]
    pub fn is_in_force(&self, now: OffsetDateTime) -> bool {
        let end = self.grant.as_ref().map(|grant| grant.expires_at);
        !self.revoked && end.is_some_and(|end| end.is_none_or(|end| end > now))
    }

    /// What a secret is good for now; `None`: nothing, or not any more.
    #[must_use]
    pub fn grants(&self, now: OffsetDateTime, is_of: impl Fn(&str) -> bool) -> Option<&Grant> {
        let overlaps = |(digest, until): &(String, OffsetDateTime)| *until > now && is_of(digest);
        let good = is_of(&self.digest) || self.previous.as_ref().is_some_and(overlaps);
        self.grant
            .as_ref()
            .filter(|_| good && self.is_in_force(now))
    }
}

impl Aggregate for ApiKey {
    const TYPE: &'static str = TYPE;
    type Command = ApiKeyCommand;
    type Event = ApiKeyEvent;
    type Error = ApiKeyRefusal;
    type Services = ();

    async fn handle(
        &mut self,
        command: Self::Command,
        (): &Self::Services,
        sink: &EventSink<Self>,
    ) -> Result<(), Self::Error> {
        if let Some(event) = self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: Self::Event) {
        match event {
            ApiKeyEvent::KeyIssued(e) => {
                self.grant = Some(e.grant);
                self.digest = e.digest;
                self.pepper = e.pepper;
            }
            ApiKeyEvent::KeyRotated(e) => {
                let before = std::mem::replace(&mut self.digest, e.digest);
                self.pepper = e.pepper;
                self.previous = Some((before, e.overlap_until));
            }
            ApiKeyEvent::KeyRevoked(_) => self.revoked = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::Duration;

    fn at(second: i64) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + Duration::seconds(second)
    }

    fn key(events: Vec<ApiKeyEvent>) -> ApiKey {
        let mut key = ApiKey::default();
        events.into_iter().for_each(|event| key.apply(event));
        key
    }

    fn good(key: &ApiKey, digest: &str, second: i64) -> bool {
        key.grants(at(second), |one| one == digest).is_some()
    }

    #[test]
    fn nothing_is_good_before_a_key_was_issued() {
        assert!(!good(&key(vec![]), "", 0));
    }

    #[test]
    fn a_key_is_good_until_it_expires() {
        let key = key(vec![decide::testing::issued(Some(at(10)))]);
        assert!(good(&key, "first", 9));
        assert!(!good(&key, "first", 10));
        assert!(!good(&key, "other", 9));
    }

    #[test]
    fn after_a_rotation_both_secrets_are_good_for_a_while() {
        let key = key(vec![
            decide::testing::issued(None),
            decide::testing::rotated("second", at(20)),
        ]);
        assert!(good(&key, "second", 5) && good(&key, "second", 25));
        assert!(good(&key, "first", 19) && !good(&key, "first", 20));
    }

    #[test]
    fn only_the_last_two_secrets_can_be_good() {
        let key = key(vec![
            decide::testing::issued(None),
            decide::testing::rotated("second", at(20)),
            decide::testing::rotated("third", at(30)),
        ]);
        assert!(!good(&key, "first", 5));
        assert!(good(&key, "second", 29) && good(&key, "third", 29));
    }

    #[test]
    fn revoked_is_revoked_for_both_secrets() {
        let key = key(vec![
            decide::testing::issued(None),
            decide::testing::rotated("second", at(20)),
            decide::testing::revoked(),
        ]);
        assert!(!good(&key, "first", 5) && !good(&key, "second", 5));
    }
}
