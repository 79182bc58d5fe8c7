//! Files inside a document: attachments of a message, entries of an archive. This module owns
//! how many of them leave, and how they cross a pipe; it must not read any of them.

use serde::{Deserialize, Serialize};

use crate::format::Format;

/// How many files of one document become documents of their own.
const MOST: usize = 200;
/// Their bytes together: what the pipe to the parent has room for beside the longest text.
const MOST_BYTES: usize = 32 * 1024 * 1024;
/// Characters of a name.
const LONGEST_NAME: usize = 255;

/// A file inside a document, to become a document of its own.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Child {
    /// Its name, without folders.
    pub name: String,
    /// What its content or its name says it is, or else what its sender said.
    pub media_type: String,
    /// The file.
    #[serde(with = "base64_text")]
    pub bytes: Vec<u8>,
}

/// The files of one document, as far as there is room for them.
#[derive(Default)]
pub(crate) struct Children {
    taken: Vec<Child>,
    bytes: usize,
    listed: Vec<String>,
    left_out: Vec<String>,
}

impl Children {
    /// Bytes that there is still room for.
    pub(crate) fn room(&self) -> usize {
        if self.taken.len() < MOST {
            MOST_BYTES.saturating_sub(self.bytes)
        } else {
            0
        }
    }

    /// Take a file in, or note that it is left out.
    pub(crate) fn add(&mut self, path: &str, declared: Option<&str>, bytes: Vec<u8>) {
        if bytes.len() > self.room() {
            self.leave_out(path, "beyond the limits for files inside a document");
        } else if bytes.is_empty() {
            self.leave_out(path, "empty");
        } else {
            let name = base_name(path);
            let format =
                crate::content_format(&bytes, &name).or_else(|| Format::of_file_name(&name));
            let media_type = match (format, declared) {
                (Some(format), _) => format.media_type().to_owned(),
                (None, Some(declared)) => declared.to_owned(),
                (None, None) => "application/octet-stream".to_owned(),
            };
            self.bytes = self.bytes.saturating_add(bytes.len());
            self.listed.push(shown(path));
            self.taken.push(Child {
                name,
                media_type,
                bytes,
            });
        }
    }

    /// Note a file that does not become a document, and why.
    pub(crate) fn leave_out(&mut self, path: &str, why: &str) {
        let line = format!("{} (not taken: {why})", shown(path));
        self.listed.push(line.clone());
        self.left_out.push(line);
    }

    /// Of these lines those of files that do not become documents.
    pub(crate) fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// What was in the document, a line for each.
    pub(crate) fn listed(&self) -> &[String] {
        &self.listed
    }

    pub(crate) fn into_taken(self) -> Vec<Child> {
        self.taken
    }
}

/// A path on one line.
fn shown(path: &str) -> String {
    path.chars()
        .take(4 * LONGEST_NAME)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// The last part of a path, whichever way its slashes lean. Of a long one the end stays, which
/// says what kind of file it is.
fn base_name(path: &str) -> String {
    let last = path.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: Vec<char> = last.chars().filter(|c| !c.is_control()).collect();
    let kept = clean.len().saturating_sub(LONGEST_NAME);
    let name: String = clean.into_iter().skip(kept).collect();
    let name = name.trim();
    if name.is_empty() || name.chars().all(|c| c == '.') {
        "unnamed".to_owned()
    } else {
        name.to_owned()
    }
}

/// Bytes as base64 in JSON.
mod base64_text {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        STANDARD.decode(text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_their_folders_and_keep_their_endings() {
        for (path, name) in [
            ("a/b/വിവരം.pdf", "വിവരം.pdf"),
            ("C:\\Users\\x\\plan.dwg", "plan.dwg"),
            ("../../etc/passwd", "passwd"),
            ("..", "unnamed"),
            ("", "unnamed"),
            ("a\0\n.pdf", "a.pdf"),
        ] {
            assert_eq!(base_name(path), name, "{path:?}");
        }
        let long = base_name(&format!("{}.pdf", "x".repeat(999)));
        assert!(long.ends_with("x.pdf") && long.len() == LONGEST_NAME);
    }

    #[test]
    fn what_is_over_is_listed_and_left() {
        let mut children = Children::default();
        for number in 0..=MOST {
            children.add(&format!("{number}.txt"), None, vec![b'x']);
        }
        assert_eq!(children.listed().len(), MOST + 1);
        assert!(children.listed()[MOST].starts_with("200.txt (not taken"));
        assert_eq!(children.into_taken().len(), MOST);

        let mut children = Children::default();
        children.add("large.bin", None, vec![0; MOST_BYTES + 1]);
        children.add("fits.bin", Some("x/y"), vec![0; 9]);
        let taken = children.into_taken();
        assert_eq!(taken.len(), 1);
        assert_eq!(taken[0].media_type, "x/y");
    }

    #[test]
    fn bytes_cross_a_pipe() {
        let child = Child {
            name: "a.bin".into(),
            media_type: "application/octet-stream".into(),
            bytes: (0..=255).collect(),
        };
        let json = serde_json::to_string(&child).unwrap();
        assert_eq!(serde_json::from_str::<Child>(&json).unwrap(), child);
    }
}
