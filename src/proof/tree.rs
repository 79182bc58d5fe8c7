//! The Merkle tree of RFC 6962 and RFC 9162 (section 2.1): hashes, proofs and which subtrees they
//! are made of.
//!
//! An index counts leaves from 0; the entry at position `p` of the log has the index `p - 1`.

use super::Hash;
use sha2::{Digest, Sha256};

/// Why a proof proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The tree has no such leaf.
    #[error("a tree of {size} entries has no index {index}")]
    NoSuchIndex {
        /// Index asked for.
        index: u64,
        /// Size of the tree.
        size: u64,
    },
    /// A tree does not grow from the one size to the other.
    #[error("a tree does not grow from {old} to {new} entries")]
    NotGrowing {
        /// The size that should be the older.
        old: u64,
        /// The size that should be the newer.
        new: u64,
    },
    /// The proof has too few or too many hashes.
    #[error("the proof has {found} hashes, which does not fit these sizes")]
    Length {
        /// How many it has.
        found: usize,
    },
    /// The proof leads to another root.
    #[error("the proof leads to another root")]
    Root,
}

/// SHA-256 (0x00 ‖ entry).
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    let hasher = Sha256::new().chain_update([0]).chain_update(entry);
    hasher.finalize().into()
}

/// SHA-256 (0x01 ‖ left ‖ right).
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let hasher = Sha256::new().chain_update([1]).chain_update(left);
    hasher.chain_update(right).finalize().into()
}

/// Root of the tree without entries: SHA-256 of nothing.
#[must_use]
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// The roots of the perfect subtrees that a tree of some size is made of, from left to right: all
/// that is needed to go on appending. At most 64 hashes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompactRange {
    size: u64,
    peaks: Vec<Hash>,
}

impl CompactRange {
    /// The tree without entries.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A tree of `size` entries from the roots of [`perfect_subtrees`]`(0, size)`; `None` when
    /// their number does not fit.
    #[must_use]
    pub fn resume(size: u64, peaks: Vec<Hash>) -> Option<Self> {
        (peaks.len() == size.count_ones() as usize).then_some(Self { size, peaks })
    }

    /// Appends a leaf.
    pub fn push(&mut self, leaf: Hash) {
        let mut node = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                node = node_hash(&left, &node);
            }
        }
        self.peaks.push(node);
        self.size += 1;
    }

    /// Number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Root of the tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        join(&self.peaks).unwrap_or_else(empty_root)
    }
}

/// Root over the roots of perfect subtrees, from the largest to the smallest.
#[must_use]
pub fn join(peaks: &[Hash]) -> Option<Hash> {
    let (last, before) = peaks.split_last()?;
    Some(
        before
            .iter()
            .rfold(*last, |right, left| node_hash(left, &right)),
    )
}

/// A perfect subtree: the `2^level` leaves from `index * 2^level` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subtree {
    /// 0 for a leaf.
    pub level: u32,
    /// Which one on its level, from 0.
    pub index: u64,
}

/// Leaves from the first to before the second; as parts of proofs they start at a multiple of the
/// smallest power of two that is not smaller than their number.
pub type Leaves = (u64, u64);

/// The perfect subtrees that such leaves are made of, from left to right.
#[must_use]
pub fn perfect_subtrees((start, end): Leaves) -> Vec<Subtree> {
    let mut at = start;
    let mut found = Vec::new();
    while at < end {
        let level = (end - at).ilog2();
        found.push(Subtree {
            level,
            index: at >> level,
        });
        at += 1 << level;
    }
    found
}

/// Whose roots make the inclusion proof of an index, in the order of the proof.
///
/// # Errors
/// When the tree has no such index.
pub fn inclusion_path(index: u64, size: u64) -> Result<Vec<Leaves>, ProofError> {
    if index >= size {
        return Err(ProofError::NoSuchIndex { index, size });
    }
    let mut path = Vec::new();
    let (mut start, mut end) = (0, size);
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            path.push((middle, end));
            end = middle;
        } else {
            path.push((start, middle));
            start = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// Whose roots make the consistency proof between two sizes, in the order of the proof.
///
/// # Errors
/// When the older size is 0 or more than the newer one.
pub fn consistency_path(old: u64, new: u64) -> Result<Vec<Leaves>, ProofError> {
    if old == 0 || old > new {
        return Err(ProofError::NotGrowing { old, new });
    }
    let mut path = Vec::new();
    let (mut start, mut end) = (0, new);
    while end != old {
        let middle = start + split(end - start);
        if old <= middle {
            path.push((middle, end));
            end = middle;
        } else {
            path.push((start, middle));
            start = middle;
        }
    }
    // What is left is all of the old tree, whose root the verifier has, or a part of it.
    if start > 0 {
        path.push((start, end));
    }
    path.reverse();
    Ok(path)
}

/// Largest power of two smaller than `n`, which is at least 2.
const fn split(n: u64) -> u64 {
    1 << (n - 1).ilog2()
}

/// Root of some leaves.
#[must_use]
pub fn root(leaves: &[Hash]) -> Hash {
    let mut range = CompactRange::new();
    leaves.iter().for_each(|leaf| range.push(*leaf));
    range.root()
}

/// The inclusion proof of an index in a tree whose leaves are at hand.
///
/// # Errors
/// When the tree has no such index.
pub fn inclusion_proof(leaves: &[Hash], index: u64) -> Result<Vec<Hash>, ProofError> {
    let path = inclusion_path(index, leaves.len() as u64)?;
    Ok(path
        .into_iter()
        .map(|part| root(slice(leaves, part)))
        .collect())
}

/// The consistency proof from the first `old` leaves to all of a tree whose leaves are at hand.
///
/// # Errors
/// When there are fewer than `old` leaves, or `old` is 0.
pub fn consistency_proof(leaves: &[Hash], old: u64) -> Result<Vec<Hash>, ProofError> {
    let path = consistency_path(old, leaves.len() as u64)?;
    Ok(path
        .into_iter()
        .map(|part| root(slice(leaves, part)))
        .collect())
}

fn slice(leaves: &[Hash], (start, end): Leaves) -> &[Hash] {
    let at = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    leaves.get(at(start)..at(end)).unwrap_or_default()
}

/// Checks that a leaf is at an index of the tree with this size and root (RFC 9162, 2.1.3.2).
///
/// # Errors
/// When it is not proven.
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    let path = inclusion_path(index, size)?;
    let found = proof.len();
    if path.len() != found {
        return Err(ProofError::Length { found });
    }
    let made = path.iter().zip(proof).fold(*leaf, |node, (part, hash)| {
        if part.0 > index {
            node_hash(&node, hash)
        } else {
            node_hash(hash, &node)
        }
    });
    if made == *root {
        Ok(())
    } else {
        Err(ProofError::Root)
    }
}

/// Checks that the tree with `new` entries begins with the one of `old` (RFC 9162, 2.1.4.2).
///
/// # Errors
/// When that is not proven.
pub fn verify_consistency(
    old: u64,
    new: u64,
    proof: &[Hash],
    old_root: &Hash,
    new_root: &Hash,
) -> Result<(), ProofError> {
    let path = consistency_path(old, new)?;
    let found = proof.len();
    if path.len() != found {
        return Err(ProofError::Length { found });
    }
    let mut parts = path.iter().zip(proof).peekable();
    // The proof starts at the last perfect subtree of the old tree; that may be all of it.
    let seed = match parts.next_if(|((start, end), _)| *end == old && *start > 0) {
        Some((_, hash)) => *hash,
        None => *old_root,
    };
    let (mut of_old, mut of_new) = (seed, seed);
    for ((start, _), hash) in parts {
        if *start < old {
            of_old = node_hash(hash, &of_old);
            of_new = node_hash(hash, &of_new);
        } else {
            of_new = node_hash(&of_new, hash);
        }
    }
    if of_old == *old_root && of_new == *new_root {
        Ok(())
    } else {
        Err(ProofError::Root)
    }
}

#[cfg(test)]
mod tests;
