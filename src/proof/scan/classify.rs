//! What was done to the first entry that is not as it was: its content is looked for at other
//! positions, and other contents at its position.

use super::{Decided, Finding, Kind, Row, Trouble};
use crate::proof::Hash;

/// How far the sequence in a stream may have been renumbered, either way.
const RENUMBERED: i64 = 8;

impl Trouble {
    /// The entries are as signed, so a witness was changed.
    pub(super) fn of_witness(&self) -> Finding {
        let changed_leaf = self.rows.first().is_some_and(|row| row.leaf != row.stored);
        if changed_leaf {
            let what = "the leaf hash stored with it is not its own; the entry is as signed";
            Finding::new(Kind::LeafAltered, self.position, what)
        } else {
            let what = "the copy of its leaf hash is not its own; the entry is as signed";
            Finding::new(Kind::CopyAltered, self.position, what)
        }
    }

    pub(super) fn finding(&self) -> Finding {
        let kind = self.kind();
        match self.decided {
            Some(Decided::Unseen { until }) => Finding {
                until: Some(until),
                ..Finding::new(
                    Kind::Altered,
                    self.position,
                    "the checkpoint signed other entries; which of these was changed cannot be told, because every copy of their hashes was changed too or is missing",
                )
            },
            Some(Decided::Neither { from }) if from < self.position => Finding::new(
                kind,
                self.position,
                format!(
                    "{}; copies were changed too, so an entry from {from} on may have been changed before it",
                    words(kind)
                ),
            ),
            _ => Finding::new(kind, self.position, words(kind)),
        }
    }

    fn kind(&self) -> Kind {
        let Some(first) = self.rows.first() else {
            return Kind::CutOff;
        };
        let at = |row: &Row| u64::try_from(row.entry.position).unwrap_or(0);
        if at(first) < self.position {
            return Kind::Inserted;
        }
        if at(first) > self.position {
            let later = self.rows.iter().any(|row| at(row) == self.position);
            return if later {
                Kind::Reordered
            } else {
                Kind::Removed
            };
        }
        if self.copy(self.position) == Some(first.leaf) {
            return Kind::LeafAltered;
        }
        let later = self.rows.iter().skip(1);
        let found_later = later.into_iter().any(|row| self.was_at(row, self.position));
        let came_from_later = (1..self.copies.len() as u64)
            .any(|distance| self.was_at(first, self.position + distance));
        match (came_from_later, found_later) {
            (true, true) => Kind::Reordered,
            (true, false) => Kind::Removed,
            (false, true) => Kind::Inserted,
            (false, false) => Kind::Altered,
        }
    }

    fn copy(&self, position: u64) -> Option<Hash> {
        let index = usize::try_from(position.checked_sub(self.position)?).ok()?;
        self.copies.get(index).copied().flatten()
    }

    /// Whether a row holds what was at a position, maybe renumbered since. Tells by the copy of
    /// that position, else by the leaf that was stored with the row and not made anew.
    fn was_at(&self, row: &Row, position: u64) -> bool {
        let Ok(place) = i64::try_from(position) else {
            return false;
        };
        let copy = self.copy(position);
        if copy.is_none() && row.stored == row.leaf {
            return false;
        }
        let mut entry = row.entry.clone();
        entry.position = place;
        (-RENUMBERED..=RENUMBERED).any(|shift| {
            entry.sequence = row.entry.sequence + shift;
            let leaf = entry.leaf();
            copy == Some(leaf) || row.stored == leaf
        })
    }
}

const fn words(kind: Kind) -> &'static str {
    match kind {
        Kind::Removed => "the entry that was here is gone; later ones are there",
        Kind::Inserted => "this entry was never in the log; the one that was here comes later",
        Kind::Reordered => "the entry that was here comes later, in another order",
        Kind::CutOff => "the log ends before this entry, which was in it",
        Kind::LeafAltered => "the leaf hash stored with it is not its own",
        _ => "its content is not what was in the log",
    }
}
