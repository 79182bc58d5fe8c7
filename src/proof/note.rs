//! Signed notes with Ed25519, as in <https://c2sp.org/signed-note>: a text, a blank line, and
//! lines with signatures over the text.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kmrl_domain::private::hex;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use sha2::{Digest, Sha256};
use std::fmt;

/// Signature type of Ed25519 in key ids and key texts.
const TYPE: u8 = 1;
/// Longest note read, in bytes.
const LONGEST: usize = 64 * 1024;
const SIGNATURE: &str = "\u{2014} ";

/// Why a note or a key cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// This is no signed note.
    #[error("this is no signed note: {0}")]
    Malformed(&'static str),
    /// This is no key.
    #[error("this is no key for signed notes: {0}")]
    Key(&'static str),
    /// Signed, but not with this key.
    #[error("the note is not signed with the key {0}")]
    AnotherKey(String),
    /// The signature is not one over this text.
    #[error("the signature of {0} does not fit the text")]
    Signature(String),
}

/// Signs notes.
pub struct SigningKey {
    name: String,
    seed: [u8; 32],
    pair: Ed25519KeyPair,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.vkey())
    }
}

impl SigningKey {
    /// A key from 32 bytes that nobody can guess.
    ///
    /// # Errors
    /// When the name is empty or holds a space or a plus.
    pub fn generate(name: &str, seed: [u8; 32]) -> Result<Self, NoteError> {
        check_name(name)?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed)
            .map_err(|_| NoteError::Key("the seed is no Ed25519 seed"))?;
        Ok(Self {
            name: name.to_owned(),
            seed,
            pair,
        })
    }

    /// Reads what [`to_text`](Self::to_text) wrote.
    ///
    /// # Errors
    /// When the text is no such key.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let rest = text.trim().strip_prefix("PRIVATE+KEY+");
        let (name, id, seed) =
            parts(rest.ok_or(NoteError::Key("it does not begin with PRIVATE+KEY+"))?)?;
        let key = Self::generate(name, seed)?;
        if key.id() == id {
            Ok(key)
        } else {
            Err(NoteError::Key("its id is that of another key"))
        }
    }

    /// The secret key as a line of text, as Go's `sumdb/note` writes it. Keep it secret.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!(
            "PRIVATE+KEY+{}",
            key_text(&self.name, self.id(), &self.seed)
        )
    }

    /// The public key as a line of text.
    #[must_use]
    pub fn vkey(&self) -> String {
        key_text(&self.name, self.id(), &self.public())
    }

    /// The public half.
    #[must_use]
    pub fn verifying(&self) -> VerifyingKey {
        VerifyingKey {
            name: self.name.clone(),
            key: self.public(),
        }
    }

    /// Name of the key.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The signed note of a text that ends with a line feed.
    #[must_use]
    pub fn sign(&self, text: &str) -> String {
        let mut signature = self.id().to_vec();
        signature.extend_from_slice(self.pair.sign(text.as_bytes()).as_ref());
        let signature = STANDARD.encode(signature);
        format!("{text}\n{SIGNATURE}{} {signature}\n", self.name)
    }

    fn public(&self) -> [u8; 32] {
        let mut key = [0; 32];
        for (to, from) in key.iter_mut().zip(self.pair.public_key().as_ref()) {
            *to = *from;
        }
        key
    }

    fn id(&self) -> [u8; 4] {
        id(&self.name, &self.public())
    }
}

/// Checks signed notes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyingKey {
    name: String,
    key: [u8; 32],
}

impl VerifyingKey {
    /// Reads a public key such as `name+1a2b3c4d+AQ…`.
    ///
    /// # Errors
    /// When the text is no such key.
    pub fn parse(vkey: &str) -> Result<Self, NoteError> {
        let (name, found, key) = parts(vkey.trim())?;
        check_name(name)?;
        if found != id(name, &key) {
            return Err(NoteError::Key("its id does not fit name and key"));
        }
        Ok(Self {
            name: name.to_owned(),
            key,
        })
    }

    /// Name of the key.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key as a line of text.
    #[must_use]
    pub fn vkey(&self) -> String {
        key_text(&self.name, id(&self.name, &self.key), &self.key)
    }

    /// The text of a note, if this key signed it. Signatures of other keys are passed over.
    ///
    /// # Errors
    /// When it is no note, or this key did not sign it.
    pub fn open(&self, note: &str) -> Result<String, NoteError> {
        let (text, signatures) = split(note)?;
        for line in signatures {
            let (name, signature) = line
                .strip_prefix(SIGNATURE)
                .and_then(|rest| rest.rsplit_once(' '))
                .ok_or(NoteError::Malformed(
                    "a line of a signature has another form",
                ))?;
            let signature = STANDARD
                .decode(signature)
                .map_err(|_| NoteError::Malformed("a signature is no base64"))?;
            let Some((found, signature)) = signature.split_at_checked(4) else {
                return Err(NoteError::Malformed("a signature is too short"));
            };
            if name == self.name && found == id(&self.name, &self.key) {
                return UnparsedPublicKey::new(&ED25519, self.key)
                    .verify(text.as_bytes(), signature)
                    .map(|()| text.to_owned())
                    .map_err(|_| NoteError::Signature(self.name.clone()));
            }
        }
        Err(NoteError::AnotherKey(self.vkey()))
    }
}

/// The text of a note, with its last line feed, and its signature lines. Proves nothing.
fn split(note: &str) -> Result<(&str, impl Iterator<Item = &str>), NoteError> {
    let control = |c: char| c < ' ' && c != '\n';
    if note.len() > LONGEST || note.contains(control) {
        return Err(NoteError::Malformed(
            "it is too long or has control characters",
        ));
    }
    let at = note.rfind("\n\n").ok_or(NoteError::Malformed(
        "it has no blank line before signatures",
    ))?;
    let (text, signatures) = note.split_at(at + 1);
    match signatures.get(1..).filter(|s| s.ends_with('\n')) {
        Some(lines) => Ok((text, lines.lines())),
        None => Err(NoteError::Malformed("it has no signatures, or is cut off")),
    }
}

fn check_name(name: &str) -> Result<(), NoteError> {
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || c == '+';
    if name.is_empty() || name.contains(forbidden) {
        return Err(NoteError::Key("its name is empty or has a space or a plus"));
    }
    Ok(())
}

/// First four bytes of SHA-256 (name ‖ line feed ‖ type ‖ public key).
fn id(name: &str, public: &[u8; 32]) -> [u8; 4] {
    let hasher = Sha256::new().chain_update(name).chain_update([b'\n', TYPE]);
    let [a, b, c, d, ..] = <[u8; 32]>::from(hasher.chain_update(public).finalize());
    [a, b, c, d]
}

fn key_text(name: &str, id: [u8; 4], key: &[u8; 32]) -> String {
    let mut typed = vec![TYPE];
    typed.extend_from_slice(key);
    format!("{name}+{}+{}", hex(&id), STANDARD.encode(typed))
}

/// Name, id and key bytes of a key's text.
fn parts(text: &str) -> Result<(&str, [u8; 4], [u8; 32]), NoteError> {
    let mut fields = text.splitn(3, '+');
    let (Some(name), Some(id), Some(key)) = (fields.next(), fields.next(), fields.next()) else {
        return Err(NoteError::Key("it is not name+id+key"));
    };
    let id = u32::from_str_radix(id, 16)
        .ok()
        .filter(|_| id.len() == 8)
        .ok_or(NoteError::Key("its id is not 8 hexadecimal digits"))?;
    let key = STANDARD
        .decode(key)
        .map_err(|_| NoteError::Key("it is no base64"))?;
    match key.split_first() {
        Some((&TYPE, key)) => {
            let key = key
                .try_into()
                .map_err(|_| NoteError::Key("it has not 32 bytes"))?;
            Ok((name, id.to_be_bytes(), key))
        }
        _ => Err(NoteError::Key("it is not of the type Ed25519")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SigningKey {
        SigningKey::generate("example.org/log", [7; 32]).unwrap()
    }

    /// The example of the specification, made by another implementation.
    #[test]
    fn the_example_of_the_specification_opens() {
        let vkey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        let text = "If you think cryptography is the answer to your problem,\n\
                    then you don't know what your problem is.\n";
        let note = format!(
            "{text}\n\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
        );
        assert_eq!(
            VerifyingKey::parse(vkey).unwrap().open(&note).unwrap(),
            text
        );
    }

    #[test]
    fn another_author_verifies_and_signs_the_same() {
        use ed25519_dalek::{Signature, Signer, SigningKey as Theirs};
        let theirs = Theirs::from_bytes(&[7; 32]);
        let note = key().sign("one\ntwo\n");
        let (text, line) = note.split_once("\n\n").unwrap();
        let line = line.trim().rsplit_once(' ').unwrap().1;
        let bytes = STANDARD.decode(line).unwrap();
        let signature = Signature::from_slice(&bytes[4..]).unwrap();
        let text = format!("{text}\n");
        theirs
            .verifying_key()
            .verify_strict(text.as_bytes(), &signature)
            .unwrap();
        assert_eq!(theirs.sign(text.as_bytes()), signature);
        assert_eq!(key().verifying().key, theirs.verifying_key().to_bytes());
    }

    #[test]
    fn keys_survive_their_texts() {
        let key = key();
        let again = SigningKey::parse(&key.to_text()).unwrap();
        assert_eq!(again.vkey(), key.vkey());
        assert_eq!(VerifyingKey::parse(&key.vkey()).unwrap(), key.verifying());
        assert!(!format!("{key:?}").contains("PRIVATE"));
        let other = key.to_text().replace("example", "another");
        assert!(matches!(SigningKey::parse(&other), Err(NoteError::Key(_))));
        for bad in ["", "a", "a+b+c", "a b+00000000+AQ==", "a+00000000+AQ=="] {
            assert!(VerifyingKey::parse(bad).is_err(), "{bad}");
        }
        assert!(SigningKey::generate("a b", [1; 32]).is_err());
    }

    #[test]
    fn what_was_changed_does_not_open() {
        let note = key().sign("one\ntwo\n");
        let verifier = key().verifying();
        assert_eq!(verifier.open(&note).unwrap(), "one\ntwo\n");
        let changed = note.replacen("two", "owt", 1);
        assert_eq!(
            verifier.open(&changed),
            Err(NoteError::Signature("example.org/log".into()))
        );
        let other = SigningKey::generate("example.org/log", [8; 32]).unwrap();
        assert!(matches!(
            other.verifying().open(&note),
            Err(NoteError::AnotherKey(_))
        ));
        for cut in 0..note.len() {
            if let Some(part) = note.get(..cut) {
                assert!(verifier.open(part).is_err(), "{part}");
            }
        }
    }

    #[test]
    fn signatures_of_others_are_passed_over() {
        let note = key().sign("one\n");
        let line = SigningKey::generate("witness", [9; 32])
            .unwrap()
            .sign("one\n");
        let (_, line) = line.split_once("\n\n").unwrap();
        let both = note.replace("\n\n", &format!("\n\n{line}"));
        assert_eq!(key().verifying().open(&both).unwrap(), "one\n");
    }
}
