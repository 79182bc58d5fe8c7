//! Checkpoints of the log, as in <https://c2sp.org/tlog-checkpoint>: origin, size, root, and in an
//! extension line the time.

use super::Hash;
use super::note::{NoteError, SigningKey, VerifyingKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// What begins the extension line with the time.
const TIME: &str = "time ";

/// The log as it was: so many entries with this root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log: the name of its key.
    pub origin: String,
    /// Number of entries, which is the position of the newest.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Hash,
    /// When it was made.
    pub time: OffsetDateTime,
}

/// Why a text is no checkpoint of this log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The note around it cannot be trusted.
    #[error("the checkpoint cannot be trusted")]
    Note(#[from] NoteError),
    /// The text has another form.
    #[error("this is no checkpoint: {0}")]
    Malformed(&'static str),
    /// A checkpoint of another log.
    #[error("this is a checkpoint of the log {found}, not of {expected}")]
    AnotherLog {
        /// Name of the key, which is that of the log.
        expected: String,
        /// Origin of the checkpoint.
        found: String,
    },
}

impl Checkpoint {
    /// The text that is signed.
    #[must_use]
    pub fn text(&self) -> String {
        format!(
            "{}\n{}\n{}\n{TIME}{}\n",
            self.origin,
            self.size,
            STANDARD.encode(self.root),
            // Years beyond 9999 are the only ones that have no such form.
            self.time.format(&Rfc3339).unwrap_or_default()
        )
    }

    /// Reads a text. Proves nothing.
    ///
    /// # Errors
    /// When it has another form.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let bad = |what| move || CheckpointError::Malformed(what);
        let mut lines = text.lines();
        let origin = lines.next().filter(|l| !l.is_empty());
        let size = lines.next().unwrap_or_default();
        let root = lines.next().and_then(|l| STANDARD.decode(l).ok());
        let time = lines.find_map(|l| l.strip_prefix(TIME));
        let time = time.and_then(|t| OffsetDateTime::parse(t, &Rfc3339).ok());
        let plain = size == "0" || !size.starts_with(['0', '+']);
        Ok(Self {
            origin: origin.ok_or_else(bad("it has no origin"))?.to_owned(),
            size: size
                .parse()
                .ok()
                .filter(|_| plain)
                .ok_or_else(bad("its second line is no size"))?,
            root: root
                .and_then(|r| r.try_into().ok())
                .ok_or_else(bad("its third line is no root"))?,
            time: time.ok_or_else(bad("it has no line with the time"))?,
        })
    }

    /// The signed note.
    #[must_use]
    pub fn sign(&self, key: &SigningKey) -> String {
        key.sign(&self.text())
    }

    /// Reads a signed note and checks that the key signed it for its own log.
    ///
    /// # Errors
    /// When that is not so.
    pub fn open(note: &str, key: &VerifyingKey) -> Result<Self, CheckpointError> {
        let signed = key.open(note);
        // Of another log is the better word for a checkpoint that another log's key signed.
        if let (Err(NoteError::AnotherKey(_)), Ok(other)) = (&signed, Self::parse(note))
            && other.origin != key.name()
        {
            return Err(another_log(key, other));
        }
        let checkpoint = Self::parse(&signed?)?;
        if checkpoint.origin == key.name() {
            Ok(checkpoint)
        } else {
            Err(another_log(key, checkpoint))
        }
    }
}

fn another_log(key: &VerifyingKey, found: Checkpoint) -> CheckpointError {
    CheckpointError::AnotherLog {
        expected: key.name().to_owned(),
        found: found.origin,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> SigningKey {
        SigningKey::generate(name, [3; 32]).unwrap()
    }

    fn checkpoint() -> Checkpoint {
        Checkpoint {
            origin: "log/a".into(),
            size: 20_852_163,
            root: [5; 32],
            time: time::macros::datetime!(2026-01-02 03:04:05.678901 UTC),
        }
    }

    #[test]
    fn a_checkpoint_comes_back_as_it_was() {
        let note = checkpoint().sign(&key("log/a"));
        let expected = "log/a\n20852163\nBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU=\ntime 2026-01-02T03:04:05.678901Z\n\n";
        assert!(note.starts_with(expected), "{note}");
        assert_eq!(
            Checkpoint::open(&note, &key("log/a").verifying()).unwrap(),
            checkpoint()
        );
    }

    #[test]
    fn a_checkpoint_of_another_log_is_told_as_such() {
        let other = Checkpoint {
            origin: "log/b".into(),
            ..checkpoint()
        };
        for note in [other.sign(&key("log/b")), other.sign(&key("log/a"))] {
            let opened = Checkpoint::open(&note, &key("log/a").verifying());
            assert!(
                matches!(opened, Err(CheckpointError::AnotherLog { .. })),
                "{opened:?}"
            );
        }
    }

    #[test]
    fn what_has_another_form_is_refused() {
        let text = checkpoint().text();
        for (from, to) in [
            ("log/a", ""),
            ("20852163", "020852163"),
            ("20852163", "+1"),
            ("20852163", "-1"),
            ("BQ", "B"),
            ("time ", "time: "),
        ] {
            let bad = text.replacen(from, to, 1);
            assert!(Checkpoint::parse(&bad).is_err(), "{bad}");
        }
    }
}
