//! Goes along a log from its first entry and finds the first one that is not as it was signed.
//!
//! Three witnesses are compared: the entries themselves, copies of their leaf hashes kept
//! elsewhere, and signed checkpoints. A checkpoint decides which of the other two to believe;
//! believed copies then tell what exactly was done, and to which entry. Memory is bounded.

mod classify;

use super::Hash;
use super::entry::Entry;
use super::tree::CompactRange;
use serde::Serialize;
use std::collections::VecDeque;
use std::fmt;

/// Entries looked at from the first wrong one on, to tell what was done to it.
const WINDOW: usize = 2048;

/// What was found to be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An entry has another content.
    Altered,
    /// An entry is not there any more, later ones are.
    Removed,
    /// An entry was put in.
    Inserted,
    /// Entries are in another order.
    Reordered,
    /// The end of the log is missing.
    CutOff,
    /// A stored leaf hash was changed; its entry was not.
    LeafAltered,
    /// A copy of leaf hashes was changed; the entries were not.
    CopyAltered,
    /// A copy of leaf hashes is missing.
    CopyMissing,
    /// A checkpoint was changed or is not signed with the log's key.
    CheckpointAltered,
    /// The copy of a checkpoint is missing.
    CheckpointMissing,
    /// A private part does not fit the digest in its entry.
    PrivateAltered,
    /// A private part is missing although its document was not erased.
    PrivateMissing,
    /// A stream's sequence has holes, or its version is wrong.
    StreamBroken,
    /// An entry that no checkpoint covers, where all should be covered.
    Unproven,
    /// Another key is registered for the log.
    KeyReplaced,
}

impl Kind {
    const fn words(self) -> &'static str {
        match self {
            Self::Altered => "altered",
            Self::Removed => "removed",
            Self::Inserted => "inserted",
            Self::Reordered => "reordered",
            Self::CutOff => "cut off",
            Self::LeafAltered => "leaf hash altered",
            Self::CopyAltered => "copy altered",
            Self::CopyMissing => "copy missing",
            Self::CheckpointAltered => "checkpoint altered",
            Self::CheckpointMissing => "checkpoint missing",
            Self::PrivateAltered => "private part altered",
            Self::PrivateMissing => "private part missing",
            Self::StreamBroken => "stream broken",
            Self::Unproven => "not proven",
            Self::KeyReplaced => "key replaced",
        }
    }
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What.
    pub kind: Kind,
    /// Position of the first entry concerned; for a checkpoint its size.
    pub position: Option<u64>,
    /// When the entry itself cannot be told: it is one up to this position.
    pub until: Option<u64>,
    /// For people.
    pub detail: String,
}

impl Finding {
    /// A finding at a position.
    pub fn new(kind: Kind, position: u64, detail: impl Into<String>) -> Self {
        Self {
            kind,
            position: Some(position),
            until: None,
            detail: detail.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.position, self.until) {
            (Some(from), Some(until)) => write!(f, "entries {from} to {until}: ")?,
            (Some(position), None) => write!(f, "entry {position}: ")?,
            _ => {}
        }
        write!(f, "{}: {}", self.kind.words(), self.detail)
    }
}

/// An entry as it was found.
#[derive(Clone, Debug)]
pub struct Row {
    /// What it says.
    pub entry: Entry,
    /// The leaf hash made from what it says.
    pub leaf: Hash,
    /// The leaf hash stored with it.
    pub stored: Hash,
}

/// The first place where the witnesses disagree, and what follows it.
struct Trouble {
    position: u64,
    rows: Vec<Row>,
    /// From the same position on.
    copies: Vec<Option<Hash>>,
    decided: Option<Decided>,
}

/// What the first checkpoint after the trouble says.
enum Decided {
    /// The copies are as signed.
    CopiesHold,
    /// Neither entries nor copies are as signed; the entries before `from` are.
    Neither { from: u64 },
    /// As before, and entries and copies agree: nothing tells which entry it is.
    Unseen { until: u64 },
}

/// The comparison, fed from front to back.
pub struct Scan {
    rows: VecDeque<Row>,
    /// `None`: missing.
    copies: VecDeque<Option<Hash>>,
    checkpoints: VecDeque<(u64, Hash)>,
    expected: u64,
    step: u64,
    seen: u64,
    computed: CompactRange,
    copied: Option<CompactRange>,
    proven: u64,
    trouble: Option<Trouble>,
    findings: Vec<Finding>,
}

impl Default for Scan {
    fn default() -> Self {
        Self {
            rows: VecDeque::new(),
            copies: VecDeque::new(),
            checkpoints: VecDeque::new(),
            expected: 0,
            step: 0,
            seen: 0,
            computed: CompactRange::new(),
            copied: Some(CompactRange::new()),
            proven: 0,
            trouble: None,
            findings: Vec::new(),
        }
    }
}

impl Scan {
    /// The next entries, in the order in which they were found.
    pub fn rows(&mut self, rows: impl IntoIterator<Item = Row>) {
        self.rows.extend(rows);
    }

    /// The next copies of leaf hashes, from index 0 on; at least as far as the entries when there
    /// are any.
    pub fn copies(&mut self, copies: impl IntoIterator<Item = Option<Hash>>) {
        self.copies.extend(copies);
    }

    /// A checkpoint whose signature is good, before the entries that follow its tree.
    pub fn checkpoint(&mut self, size: u64, root: Hash) {
        self.expect(size);
        let at = self.checkpoints.partition_point(|(s, _)| *s <= size);
        self.checkpoints.insert(at, (size, root));
    }

    /// So many entries must be there.
    pub fn expect(&mut self, size: u64) {
        self.expected = self.expected.max(size);
    }

    /// Goes on as far as there are entries; `ended` says that no more will come.
    pub fn advance(&mut self, ended: bool) {
        while !self.rows.is_empty() || (ended && !self.copies.is_empty()) {
            let row = self.rows.pop_front();
            let copy = self.copies.pop_front().flatten();
            self.compare(row, copy);
            while let Some((size, root)) = self.checkpoints.front().copied()
                && size <= self.step
            {
                self.checkpoints.pop_front();
                self.decide(size, &root);
            }
        }
    }

    /// Whether the first wrong entry is known, so that going on tells no more of it.
    #[must_use]
    pub fn knows(&self) -> bool {
        self.trouble.as_ref().is_some_and(|t| match t.decided {
            None => false,
            Some(Decided::Unseen { .. }) => true,
            Some(_) => t.rows.len() >= WINDOW,
        })
    }

    /// Entries seen so far.
    #[must_use]
    pub const fn seen(&self) -> u64 {
        self.seen
    }

    /// Root of the tree over the entries seen so far.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.computed.root()
    }

    /// Newest size at which a checkpoint proved all entries before it.
    #[must_use]
    pub const fn proven(&self) -> u64 {
        self.proven
    }

    /// What is wrong with the entries, nothing when all is well.
    #[must_use]
    pub fn finish(mut self) -> Vec<Finding> {
        if !self.knows() {
            self.advance(true);
        }
        if let Some(trouble) = self.trouble.take() {
            self.findings.push(trouble.finding());
        } else if self.findings.is_empty() && self.seen < self.expected {
            let what = format!("the log ends here; it had {} entries", self.expected);
            self.findings
                .push(Finding::new(Kind::CutOff, self.seen + 1, what));
        }
        self.findings
    }

    fn compare(&mut self, row: Option<Row>, copy: Option<Hash>) {
        self.step += 1;
        let position = self.step;
        match (&mut self.copied, copy) {
            (Some(range), Some(copy)) => range.push(copy),
            _ => self.copied = None,
        }
        if let Some(row) = &row {
            self.seen += 1;
            self.computed.push(row.leaf);
        }
        let agree = row.as_ref().is_some_and(|row| {
            u64::try_from(row.entry.position) == Ok(position)
                && row.leaf == row.stored
                && copy.is_none_or(|copy| copy == row.leaf)
        });
        if self.trouble.is_none() && !agree {
            self.trouble = Some(Trouble {
                position,
                rows: Vec::new(),
                copies: Vec::new(),
                decided: None,
            });
        }
        if let Some(trouble) = &mut self.trouble
            && trouble.copies.len() < WINDOW
            && !matches!(trouble.decided, Some(Decided::Unseen { .. }))
        {
            trouble.rows.extend(row);
            trouble.copies.push(copy);
        }
    }

    /// What a checkpoint says of the entries up to it.
    fn decide(&mut self, size: u64, root: &Hash) {
        let entries_hold = self.computed.size() == size && self.computed.root() == *root;
        let copied = self.copied.as_ref();
        let copies_hold = copied.is_some_and(|c| c.size() == size && c.root() == *root);
        let from = self.proven.min(size.saturating_sub(1)) + 1;
        match &mut self.trouble {
            Some(trouble) if trouble.decided.is_none() => {
                if entries_hold {
                    self.findings.push(trouble.of_witness());
                    self.trouble = None;
                    self.copied = None;
                } else if copies_hold {
                    trouble.decided = Some(Decided::CopiesHold);
                } else {
                    trouble.decided = Some(Decided::Neither { from });
                }
            }
            None if !entries_hold => {
                self.trouble = Some(Trouble {
                    position: from,
                    rows: Vec::new(),
                    copies: Vec::new(),
                    decided: Some(Decided::Unseen { until: size }),
                });
            }
            _ => {}
        }
        if entries_hold {
            self.proven = size;
        }
    }
}

#[cfg(test)]
mod tests;
