//! A virus scanner: clamd, spoken to over a socket with its command INSTREAM.
//!
//! Owns the conversation, its bounds and what the answers mean. Whatever is not a plain yes or no
//! is none: an answer that the limits of clamd were passed is not taken for clean. One connection a
//! file, so that a hung one holds nothing else up.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::ports::{Scan, ScanError, Scanner};

/// What is sent at once.
const CHUNK: usize = 64 * 1024;
/// Answers are one line.
const LONGEST_ANSWER: u64 = 4 * 1024;
const CONNECT_WITHIN: Duration = Duration::from_secs(3);

/// Where clamd listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClamdAddress {
    /// Host and port.
    Tcp(String),
    /// A socket in the file system.
    Unix(PathBuf),
}

/// A clamd that is asked about each file.
#[derive(Clone, Debug)]
pub struct Clamd {
    address: ClamdAddress,
    /// A file is answered within this.
    within: Duration,
    /// Larger files are known not to be scanned whole.
    max_bytes: u64,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl Clamd {
    /// Files of more than `max_bytes` are not taken for clean whatever clamd says.
    #[must_use]
    pub const fn new(address: ClamdAddress, within: Duration, max_bytes: u64) -> Self {
        Self {
            address,
            within,
            max_bytes,
        }
    }

    async fn connect(&self) -> Result<Box<dyn Stream>, ScanError> {
        let connecting = async {
            Ok::<Box<dyn Stream>, io::Error>(match &self.address {
                ClamdAddress::Tcp(address) => {
                    let stream = TcpStream::connect(address).await?;
                    stream.set_nodelay(true)?;
                    Box::new(stream)
                }
                ClamdAddress::Unix(path) => Box::new(UnixStream::connect(path).await?),
            })
        };
        bounded(CONNECT_WITHIN, "connect", connecting).await
    }

    async fn ask(&self, path: &Path) -> io::Result<String> {
        let mut file = tokio::fs::File::open(path).await?;
        let mut stream = self.connect().await.map_err(io::Error::other)?;
        // clamd may answer and close before it has heard all, as when a limit is passed.
        let sent = send(&mut stream, &mut file).await;
        let answer = answer(&mut stream).await;
        match (sent, answer) {
            (Err(SendError::File(error)), _) => Err(error),
            (Err(SendError::Socket(error)), Ok(answer)) if answer.is_empty() => Err(error),
            (_, answer) => answer,
        }
    }
}

enum SendError {
    File(io::Error),
    Socket(io::Error),
}

/// Pieces, each with its length before it; one of no length ends them.
async fn send(stream: &mut Box<dyn Stream>, file: &mut tokio::fs::File) -> Result<(), SendError> {
    stream
        .write_all(b"zINSTREAM\0")
        .await
        .map_err(SendError::Socket)?;
    let mut chunk = vec![0; CHUNK];
    loop {
        let length = file.read(&mut chunk).await.map_err(SendError::File)?;
        let announced = u32::try_from(length).unwrap_or(0).to_be_bytes();
        let piece = chunk.get(..length).unwrap_or_default();
        stream
            .write_all(&announced)
            .await
            .map_err(SendError::Socket)?;
        if length == 0 {
            return stream.flush().await.map_err(SendError::Socket);
        }
        stream.write_all(piece).await.map_err(SendError::Socket)?;
    }
}

async fn answer(stream: &mut Box<dyn Stream>) -> io::Result<String> {
    let mut answer = Vec::new();
    stream.take(LONGEST_ANSWER).read_to_end(&mut answer).await?;
    let text = String::from_utf8_lossy(&answer);
    Ok(text.trim_matches(['\0', '\n', '\r', ' ']).to_owned())
}

async fn bounded<T>(
    within: Duration,
    operation: &'static str,
    work: impl Future<Output = io::Result<T>>,
) -> Result<T, ScanError> {
    let unreachable = |source: io::Error| ScanError::Unreachable {
        operation,
        source: source.into(),
    };
    match timeout(within, work).await {
        Ok(result) => result.map_err(unreachable),
        Err(_elapsed) => Err(unreachable(io::ErrorKind::TimedOut.into())),
    }
}

/// What clamd's answer says of a file of this size.
fn understood(answer: &str, size: u64, max_bytes: u64) -> Result<Scan, ScanError> {
    let said = answer.strip_prefix("stream: ").unwrap_or(answer);
    if let Some(signature) = said.strip_suffix(" FOUND") {
        let signature: String = signature.chars().take(128).collect();
        return Ok(match signature.starts_with("Heuristics.Limits.Exceeded") {
            true => Scan::NotWhole,
            false => Scan::Found { signature },
        });
    }
    match said {
        "OK" if size > max_bytes => Ok(Scan::NotWhole),
        "OK" => Ok(Scan::Clean),
        _ if said.contains("size limit exceeded") => Ok(Scan::NotWhole),
        _ => Err(ScanError::Answer {
            answer: said.chars().take(200).collect(),
        }),
    }
}

#[async_trait]
impl Scanner for Clamd {
    async fn scan(&self, path: &Path, size: u64) -> Result<Scan, ScanError> {
        let answer = bounded(self.within, "scan a file", self.ask(path)).await?;
        understood(&answer, size, self.max_bytes)
    }

    async fn probe(&self) -> Result<(), ScanError> {
        let asking = async {
            let mut stream = self.connect().await.map_err(io::Error::other)?;
            stream.write_all(b"zPING\0").await?;
            answer(&mut stream).await
        };
        match bounded(CONNECT_WITHIN, "answer a ping", asking)
            .await?
            .as_str()
        {
            "PONG" => Ok(()),
            other => Err(ScanError::Answer {
                answer: other.chars().take(200).collect(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_ok_is_clean() {
        let of = |answer| understood(answer, 10, 100);
        assert!(matches!(of("stream: OK"), Ok(Scan::Clean)));
        assert!(
            matches!(of("stream: Eicar-Test FOUND"), Ok(Scan::Found { signature }) if signature == "Eicar-Test")
        );
        for over in [
            "INSTREAM size limit exceeded. ERROR",
            "stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND",
        ] {
            assert!(matches!(of(over), Ok(Scan::NotWhole)), "{over}");
        }
        assert!(matches!(
            understood("stream: OK", 101, 100),
            Ok(Scan::NotWhole)
        ));
        for neither in ["", "stream: Can't allocate memory ERROR", "OKAY"] {
            assert!(of(neither).is_err(), "{neither}");
        }
    }
}
