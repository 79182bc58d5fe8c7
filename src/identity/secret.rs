//! What an issued key looks like: `kmrl_`, its id, its secret of 256 bits, and a checksum.
//!
//! The id says which stream to look in; the checksum (CRC-32 of all before it) lets a mistyped or made-up key be
//! refused without asking the database, and lets scanners for leaked secrets know one for sure.

use crate::config::Secret;
use kmrl_domain::private::hex;
use std::fmt;
use uuid::Uuid;

const BEGINNING: &str = "kmrl_";
const ID: usize = 32;
const SECRET: usize = 64;
const CHECKSUM: usize = 8;

/// A key as its holder has it. Only tests may compare two of them: `==` stops at the first difference.
#[derive(Clone)]
#[cfg_attr(test, derive(PartialEq, Eq))]
pub struct KeySecret {
    id: Uuid,
    secret: [u8; SECRET / 2],
}

impl fmt::Debug for KeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…", self.prefix())
    }
}

impl KeySecret {
    /// The key of an id with a secret that nobody can guess.
    #[must_use]
    pub const fn new(id: Uuid, secret: [u8; SECRET / 2]) -> Self {
        Self { id, secret }
    }

    /// Reads a key; `None` when it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(BEGINNING)?;
        let lower = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if rest.len() != ID + 1 + SECRET + CHECKSUM {
            return None;
        }
        let (id, rest) = rest.split_once('_')?;
        let (secret, checksum) = rest.split_at_checked(SECRET)?;
        let parts = [id, secret, checksum];
        if id.len() != ID || !parts.iter().all(|part| part.bytes().all(lower)) {
            return None;
        }
        let mut bytes = [0; SECRET / 2];
        for (n, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(secret.get(2 * n..2 * n + 2)?, 16).ok()?;
        }
        let key = Self {
            id: Uuid::try_parse(id).ok()?,
            secret: bytes,
        };
        (key.checksum() == checksum).then_some(key)
    }

    /// Whose it is: the id of the key's stream.
    #[must_use]
    pub const fn id(&self) -> Uuid {
        self.id
    }

    /// The secret alone.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; SECRET / 2] {
        &self.secret
    }

    /// What may be shown of it: enough to tell keys apart.
    #[must_use]
    pub fn prefix(&self) -> String {
        prefix(self.id)
    }

    /// All of it, to be shown once.
    #[must_use]
    pub fn reveal(&self) -> Secret {
        Secret::new(format!("{}{}", self.unchecked(), self.checksum()))
    }

    fn unchecked(&self) -> String {
        format!("{}_{}", self.prefix(), hex(&self.secret))
    }

    fn checksum(&self) -> String {
        format!("{:08x}", crc32fast::hash(self.unchecked().as_bytes()))
    }
}

/// The part of a key that may be shown, of the key with an id.
#[must_use]
pub fn prefix(id: Uuid) -> String {
    format!("{BEGINNING}{}", id.simple())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> KeySecret {
        KeySecret::new(Uuid::from_u128(0xabc), [7; 32])
    }

    #[test]
    fn a_key_is_read_as_it_is_written() {
        let text = key().reveal();
        assert_eq!(text.reveal().len(), 110);
        assert!(text.reveal().starts_with(&key().prefix()));
        assert_eq!(KeySecret::parse(text.reveal()), Some(key()));
    }

    #[test]
    fn what_is_no_key_is_refused_without_a_look() {
        let text = key().reveal().reveal().to_owned();
        for n in 0..text.len() {
            let mut other = text.clone().into_bytes();
            other[n] = if other[n] == b'0' { b'1' } else { b'0' };
            let other = String::from_utf8(other).unwrap();
            assert_eq!(KeySecret::parse(&other), None, "{n}");
        }
        for bad in [
            "",
            "kmrl_",
            &text[1..],
            &text.to_uppercase(),
            &format!("{text} "),
            "kmrl_ü",
        ] {
            assert_eq!(KeySecret::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_secret_does_not_debug() {
        assert!(!format!("{:?}", key()).contains("0707"));
    }
}
