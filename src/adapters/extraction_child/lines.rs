//! The child's standard output as lines, and pixels between them, never more of it than an honest
//! child can say.
//!
//! Owns the bound and the parsing. It must not act on what it hears.

use std::io;

use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::ChildStdout;

use crate::extraction_child::Line;

/// All lines of a child in bytes. The reader's own limit of 20 million characters is 60 MB of
/// Malayalam; the rest is for the JSON around it and for the lines of progress.
const MOST_OUTPUT: usize = 128 * 1024 * 1024;
/// Pixels of one picture: more than the reader's own limit allows.
const MOST_PIXELS: usize = 48 * 1024 * 1024;
/// Lines longer than this are parsed off the async threads.
const SHORT_LINE: usize = 64 * 1024;

/// What an honest child does not do. Quotes nothing of what was said.
#[derive(Debug, thiserror::Error)]
pub(super) enum Nonsense {
    #[error("it said more than {MOST_OUTPUT} bytes, or showed a picture larger than agreed")]
    TooMuch,
    #[error("it said something that is not an answer")]
    NotALine,
    #[error("its output could not be read: {}", .0.kind())]
    Broken(io::Error),
}

pub(super) struct Lines {
    from: BufReader<ChildStdout>,
    line: Vec<u8>,
    heard: usize,
    /// Bytes that come before the next line.
    pixels: usize,
}

/// A piece of what was said.
pub(super) enum Piece {
    /// A line, not looked into.
    Line(Vec<u8>),
    /// The bytes that were expected.
    Pixels(Vec<u8>),
}

impl Lines {
    pub(super) fn new(stdout: ChildStdout) -> Self {
        Self {
            from: BufReader::with_capacity(SHORT_LINE, stdout),
            line: Vec::new(),
            heard: 0,
            pixels: 0,
        }
    }

    /// Take so many bytes for pixels before the next line.
    pub(super) fn expect_pixels(&mut self, count: u64) -> Result<(), Nonsense> {
        self.pixels = usize::try_from(count)
            .ok()
            .filter(|count| *count <= MOST_PIXELS)
            .ok_or(Nonsense::TooMuch)?;
        Ok(())
    }

    /// The next piece; `None` when the child closed its output, with a piece begun or without.
    /// Dropped while it waits, it loses nothing.
    pub(super) async fn next(&mut self) -> Result<Option<Piece>, Nonsense> {
        loop {
            let available = self.from.fill_buf().await.map_err(Nonsense::Broken)?;
            if available.is_empty() {
                return Ok(None);
            }
            if self.pixels > 0 {
                let length = available.len().min(self.pixels - self.line.len());
                self.line.extend(available.iter().take(length));
                self.from.consume(length);
                if self.line.len() == self.pixels {
                    self.pixels = 0;
                    return Ok(Some(Piece::Pixels(std::mem::take(&mut self.line))));
                }
                continue;
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let length = end.map_or(available.len(), |end| end + 1);
            self.heard = self.heard.saturating_add(length);
            if self.heard > MOST_OUTPUT {
                return Err(Nonsense::TooMuch);
            }
            self.line.extend(available.iter().take(length));
            self.from.consume(length);
            if end.is_some() {
                return Ok(Some(Piece::Line(std::mem::take(&mut self.line))));
            }
        }
    }
}

/// What a line says.
pub(super) async fn parse<Answer>(line: Vec<u8>) -> Result<Line<Answer>, Nonsense>
where
    Answer: DeserializeOwned + Send + 'static,
{
    let short = line.len() <= SHORT_LINE;
    let parse = move || serde_json::from_slice(&line).map_err(|_| Nonsense::NotALine);
    if short {
        return parse();
    }
    tokio::task::spawn_blocking(parse)
        .await
        .map_err(|error| Nonsense::Broken(io::Error::other(error)))?
}
