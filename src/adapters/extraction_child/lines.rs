//! The child's standard output as lines, never more of it than an honest child can say.
//!
//! Owns the bound and the parsing. It must not act on what it hears.

use std::io;

use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::ChildStdout;

use crate::extraction_child::Line;

/// All of a child's output in bytes. The reader's own limit of 20 million characters is 60 MB of
/// Malayalam; the rest is for the JSON around it and for the lines of progress.
const MOST_OUTPUT: usize = 128 * 1024 * 1024;
/// Lines longer than this are parsed off the async threads.
const SHORT_LINE: usize = 64 * 1024;

/// What an honest child does not do. Quotes nothing of what was said.
#[derive(Debug, thiserror::Error)]
pub(super) enum Nonsense {
    #[error("it said more than {MOST_OUTPUT} bytes")]
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
}

impl Lines {
    pub(super) fn new(stdout: ChildStdout) -> Self {
        Self {
            from: BufReader::with_capacity(SHORT_LINE, stdout),
            line: Vec::new(),
            heard: 0,
        }
    }

    /// The next line, not looked into; `None` when the child closed its output, with a line
    /// begun or without. Dropped while it waits, it loses nothing.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<u8>>, Nonsense> {
        loop {
            let available = self.from.fill_buf().await.map_err(Nonsense::Broken)?;
            if available.is_empty() {
                return Ok(None);
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
                return Ok(Some(std::mem::take(&mut self.line)));
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
