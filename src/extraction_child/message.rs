//! What parent and child say to each other.
//!
//! Owns the three messages: how a child is started (its environment), what it is handed (one JSON
//! line before the document's bytes) and what it answers (JSON lines). It must not do any of it.

use std::io::{self, BufRead, Read};

use kmrl_extraction::inspect::InspectLimits;
use kmrl_extraction::{ExtractError, Format, Frame, Input};
use serde::{Deserialize, Serialize};

/// What a child is told when it is started, which may be long before there is a document.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Start {
    /// Address space in bytes.
    pub(crate) memory_bytes: u64,
    /// Processor time in seconds.
    pub(crate) cpu_seconds: u64,
    /// Process id of the parent.
    pub(crate) parent: u32,
    /// Do without landlock and seccomp, to measure what they cost.
    pub(crate) only_limits: bool,
}

const MEMORY_BYTES: &str = "KMRL_CHILD_MEMORY_BYTES";
const CPU_SECONDS: &str = "KMRL_CHILD_CPU_SECONDS";
const PARENT: &str = "KMRL_CHILD_PARENT";
const ONLY_LIMITS: &str = "KMRL_CHILD_ONLY_LIMITS";

impl Start {
    /// The environment that says this, which is otherwise empty.
    pub(crate) fn to_env(self) -> [(&'static str, String); 4] {
        [
            (MEMORY_BYTES, self.memory_bytes.to_string()),
            (CPU_SECONDS, self.cpu_seconds.to_string()),
            (PARENT, self.parent.to_string()),
            (ONLY_LIMITS, self.only_limits.to_string()),
        ]
    }

    pub(super) fn read(get: impl Fn(&str) -> Option<String>) -> Option<Self> {
        Some(Self {
            memory_bytes: get(MEMORY_BYTES)?.parse().ok()?,
            cpu_seconds: get(CPU_SECONDS)?.parse().ok()?,
            parent: get(PARENT)?.parse().ok()?,
            only_limits: get(ONLY_LIMITS)?.parse().ok()?,
        })
    }
}

/// What is to be done with a document. Each has its own answer, in [`Line::Done`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Task {
    /// Read its text; the answer is an [`Extraction`](kmrl_extraction::Extraction).
    Read,
    /// Read what the helper of a format made of it; the answer is an extraction as well.
    ReadHelped(Format),
    /// Tell what it is and carries; the answer is an [`Inspection`](kmrl_extraction::inspect::Inspection).
    Inspect(InspectLimits),
    /// Make pictures of pages: a [`Line::Picture`] for each, in the order asked for.
    Render(Render),
    /// Try what the jail refuses; the answer is [`Protections`](crate::jail::Protections).
    Probe,
}

/// Pages to make pictures of.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Render {
    /// Counted from 1, rising.
    pub(crate) pages: Vec<u32>,
    /// Pixels an inch.
    pub(crate) dpi: u32,
}

/// What the child is handed. The bytes of the document follow.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Handover {
    pub(crate) task: Task,
    pub(crate) file_name: String,
    pub(crate) content_type: String,
    /// Bytes of the document: fewer are a document that was not handed over whole.
    pub(crate) length: u64,
}

/// Characters of a name that are handed over: readers look at its ending only.
const LONGEST_NAME: usize = 255;
/// More than any handover takes, in bytes: ten thousand numbers of pages and the names.
const LONGEST_HANDOVER: u64 = 256 * 1024;

impl Handover {
    pub(crate) fn new(task: Task, file_name: &str, content_type: &str, length: u64) -> Self {
        Self {
            task,
            file_name: ending(file_name),
            content_type: ending(content_type),
            length,
        }
    }

    /// As it is written before the document.
    pub(crate) fn to_line(&self) -> io::Result<Vec<u8>> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        Ok(line)
    }

    /// Read it, and leave the document to be read next; `None` when nobody had anything to do.
    pub(super) fn read(from: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut line = Vec::new();
        from.take(LONGEST_HANDOVER).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Ok(None);
        }
        Ok(Some(serde_json::from_slice(&line)?))
    }

    pub(super) fn input<'a>(&'a self, bytes: &'a [u8]) -> Input<'a> {
        Input {
            bytes,
            file_name: &self.file_name,
            content_type: Some(self.content_type.as_str()).filter(|of| !of.is_empty()),
        }
    }
}

fn ending(text: &str) -> String {
    let from = text.chars().count().saturating_sub(LONGEST_NAME);
    text.chars().skip(from).collect()
}

/// One line on standard output. Any number of pages and pictures is followed by one of the others.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Line<Answer> {
    /// A page was read.
    Page {
        /// Counted from 1.
        page: u32,
        /// Pages of the document.
        pages: u32,
    },
    /// A picture of a page. Its pixels follow the line: `width` × `height` bytes, each a shade of
    /// grey, row by row from the top.
    Picture(Picture),
    /// The task is done.
    Done(Answer),
    /// Why it cannot be done.
    Refused(ExtractError),
}

/// What is said of a picture before its pixels.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Picture {
    /// The page, counted from 1.
    pub(crate) page: u32,
    /// Pixels in a row.
    pub(crate) width: u32,
    /// Rows.
    pub(crate) height: u32,
    /// How it lies on the page.
    pub(crate) frame: Frame,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(handover: &Handover, document: &[u8]) -> (Handover, Vec<u8>) {
        let line = handover.to_line().unwrap();
        let mut from = line.chain(document);
        let arrived = Handover::read(&mut from).unwrap().unwrap();
        let mut rest = Vec::new();
        from.read_to_end(&mut rest).unwrap();
        (arrived, rest)
    }

    #[test]
    fn what_a_child_is_started_with_arrives() {
        let start = Start {
            memory_bytes: 1 << 30,
            cpu_seconds: 305,
            parent: 17,
            only_limits: false,
        };
        let env = start.to_env();
        let get = |name: &str| {
            let (_, value) = env.iter().find(|(key, _)| *key == name)?;
            Some(value.clone())
        };
        assert_eq!(Start::read(get), Some(start));
        assert_eq!(Start::read(|_| None), None);
    }

    #[test]
    fn what_is_handed_over_arrives_and_the_document_after_it() {
        let circular = Handover::new(Task::Read, "മെട്രോ\n circular.pdf", "", 9);
        let (arrived, document) = passed(&circular, b"%PDF\n1\n\n9");
        assert_eq!((arrived, &document[..]), (circular, &b"%PDF\n1\n\n9"[..]));
    }

    #[test]
    fn long_names_keep_their_ending() {
        let name = format!("a\0{}.pdf", "ക".repeat(50_000));
        let (arrived, _) = passed(&Handover::new(Task::Read, &name, &name, 0), b"");
        assert!(arrived.file_name.ends_with("ക.pdf"));
        assert_eq!(arrived.file_name.chars().count(), LONGEST_NAME);
    }

    #[test]
    fn a_parent_that_ended_hands_nothing_over() {
        assert_eq!(Handover::read(&mut &b""[..]).unwrap(), None);
        assert!(Handover::read(&mut &b"{\"task\":"[..]).is_err());
    }
}
