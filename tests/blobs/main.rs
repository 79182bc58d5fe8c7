//! Blob stores and the spool that feeds them. One suite says what a store is, and runs on each.

#![cfg(test)]

mod conformance;
mod local;
mod s3;
mod spool;
#[path = "../support/s3.rs"]
mod support;

use bytes::Bytes;
use futures::TryStreamExt;
use kmrl_gateway::ports::BlobReader;
use kmrl_gateway::spool::{Spool, Spooled};
use sha2::{Digest, Sha256};

fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// Bytes that repeat nowhere near, the same for the same seed.
fn sample(length: usize, seed: u64) -> Bytes {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes: Vec<u8> = std::iter::repeat_with(&mut next)
        .take(length.div_ceil(8))
        .flatten()
        .collect();
    bytes.truncate(length);
    bytes.into()
}

async fn spooled(spool: &Spool, bytes: &[u8]) -> Spooled {
    let mut writer = spool.create().await.unwrap();
    for piece in bytes.chunks(10_000) {
        writer.write(piece).await.unwrap();
    }
    writer.finish().await.unwrap()
}

async fn all(reader: BlobReader) -> Vec<u8> {
    let pieces: Vec<Bytes> = reader.stream.try_collect().await.unwrap();
    pieces.concat()
}
