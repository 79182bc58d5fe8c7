//! Proofs about the log, pure: the Merkle tree over its entries and signed checkpoints of it.
//!
//! Owns what a verifier needs without a server: RFC 6962 (now RFC 9162, section 2.1) hashes and
//! proofs, the form of an entry, C2SP signed notes and C2SP checkpoints. It must not read or write
//! anything, and knows no database.

pub mod checkpoint;
pub mod entry;
pub mod export;
pub mod note;
pub mod scan;
pub mod tree;

/// A SHA-256 hash of the tree.
pub type Hash = [u8; 32];

/// Reads 64 hexadecimal digits, in either case.
#[must_use]
pub fn hash_from_hex(text: &str) -> Option<Hash> {
    let mut hash = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (i, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok()?;
    }
    Some(hash)
}

/// 64 lower-case hexadecimal digits.
#[must_use]
pub fn hex(hash: &Hash) -> String {
    kmrl_domain::private::hex(hash)
}
