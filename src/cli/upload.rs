//! `upload`: sends files or folders to a running gateway and, when asked, waits for their text.
//!
//! Owns repeating safely: the idempotency key is made of path and content, so that a repeated
//! upload, also by a later run, makes no second document.

use super::{CliError, ServerAddress};
use indicatif::{ProgressBar, ProgressStyle};
use kmrl_domain::private::hex;
use kmrl_domain::values::{Priority, Status};
use reqwest::multipart::{Form, Part};
use reqwest::{Body, Client, RequestBuilder, Response, StatusCode, header};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::io::ReaderStream;

/// Tries for one file.
const MOST_TRIES: u32 = 8;
/// Wait before the second try; doubled for each further one, unless the gateway says how long.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// Longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// Between two looks whether a document is processed.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// With `--wait`, the longest wait for one document after the last upload.
const LONGEST_PROCESSING: Duration = Duration::from_mins(30);
/// To connect; the transfer itself may take as long as it moves.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// Longest time without a byte of an answer once a request was sent.
const READ_LIMIT: Duration = Duration::from_mins(2);

/// What to upload.
#[derive(Clone, Debug, clap::Args)]
pub struct UploadArgs {
    /// Files, or folders with all files in them.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Where the documents come from.
    #[arg(long, default_value = "manual")]
    source: String,
    /// What is known of the documents: a JSON object.
    #[arg(long, value_name = "JSON", value_parser = json_object)]
    metadata: Option<String>,
    /// How urgent: high, normal or low.
    #[arg(long, default_value_t = Priority::Normal)]
    priority: Priority,
    /// Wait until every document is processed; a failed one counts as an error.
    #[arg(long)]
    wait: bool,
}

fn json_object(text: &str) -> Result<String, String> {
    serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text)
        .map(|_| text.to_owned())
        .map_err(|e| format!("not a JSON object: {e}"))
}

/// Uploads each file and prints a line for each: path, id, status. The exit code is 1 when one of
/// them failed.
///
/// # Errors
/// When the paths cannot be listed or nothing can be printed. A file that fails is no error: it
/// is named and the rest goes on.
pub async fn run(args: UploadArgs, server: &ServerAddress) -> Result<ExitCode, CliError> {
    let files = files(&args.paths)?;
    let uploader = Uploader::new(&args, server)?;
    let bar = ProgressBar::new(files.len() as u64);
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {wide_msg}")
        .map_err(|e| CliError::failed("setting up the progress bar", e))?;
    bar.set_style(style);
    let mut failed = false;
    let mut accepted = Vec::new();
    for path in files {
        bar.set_message(path.display().to_string());
        match uploader.send(&path).await {
            Ok(document) if args.wait => accepted.push((path, document)),
            Ok(document) => {
                print(&bar, &path, &document.id, "accepted")?;
                bar.inc(1);
            }
            Err(error) => {
                failed = true;
                print(&bar, &path, "-", &format!("error: {error}"))?;
                bar.inc(1);
            }
        }
    }
    for (path, document) in accepted {
        bar.set_message(format!("waiting for {}", path.display()));
        let said = match uploader.wait(&document).await {
            Ok(Status::Processed) => "processed".to_owned(),
            Ok(status) => {
                failed = true;
                status.to_string()
            }
            Err(error) => {
                failed = true;
                format!("error: {error}")
            }
        };
        print(&bar, &path, &document.id, &said)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(ExitCode::from(u8::from(failed)))
}

fn print(bar: &ProgressBar, path: &Path, id: &str, said: &str) -> Result<(), CliError> {
    bar.suspend(|| writeln!(io::stdout(), "{}\t{id}\t{said}", path.display()))
        .map_err(|e| CliError::failed("writing to standard output", e))
}

/// The files that paths name, folders replaced by what is in them. Links in folders are not
/// followed.
pub(super) fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, CliError> {
    let mut found = Vec::new();
    for path in paths {
        let failed = |e| CliError::failed(format!("listing {}", path.display()), e);
        if path.is_dir() {
            walk(path, &mut found).map_err(failed)?;
        } else {
            // What is no file fails by itself, with its own line.
            found.push(path.clone());
        }
    }
    Ok(found)
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut entries = std::fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let kind = entry.file_type()?;
        if kind.is_dir() {
            walk(&entry.path(), found)?;
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    Ok(())
}

/// Why a file was not uploaded or a document not seen to its end.
#[derive(Debug, thiserror::Error)]
enum UploadError {
    #[error("reading the file: {0}")]
    File(#[from] io::Error),
    #[error("the gateway cannot be reached: {}", with_causes(.0))]
    Unreachable(reqwest::Error),
    #[error("the gateway answers {status}{detail}")]
    Refused { status: StatusCode, detail: String },
    #[error("the answer cannot be understood: {}", with_causes(.0))]
    Answer(reqwest::Error),
    #[error("not processed after {} minutes", LONGEST_PROCESSING.as_secs() / 60)]
    TooLong,
}

/// One line for a table cell: the error and what lies beneath it.
fn with_causes(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(e) = cause {
        text.push_str(": ");
        text.push_str(&e.to_string());
        cause = e.source();
    }
    text
}

/// What an accepted upload answers, as far as it is used here.
#[derive(Debug, Deserialize)]
struct Accepted {
    id: String,
    position: Option<i64>,
}

#[derive(Deserialize)]
struct Stand {
    status: Status,
}

struct Uploader<'a> {
    client: Client,
    server: &'a ServerAddress,
    args: &'a UploadArgs,
}

impl<'a> Uploader<'a> {
    fn new(args: &'a UploadArgs, server: &'a ServerAddress) -> Result<Self, CliError> {
        let client = server
            .trust
            .http()
            .connect_timeout(CONNECT_LIMIT)
            .read_timeout(READ_LIMIT)
            .build()
            .map_err(|e| CliError::failed("setting up the HTTP client", e))?;
        Ok(Self {
            client,
            server,
            args,
        })
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server.base_url.trim_end_matches('/'))
    }

    fn with_key(&self, request: RequestBuilder) -> RequestBuilder {
        request.header("x-api-key", self.server.api_key.reveal())
    }

    /// Uploads a file, again while that may help.
    async fn send(&self, path: &Path) -> Result<Accepted, UploadError> {
        let owned = path.to_owned();
        let key = tokio::task::spawn_blocking(move || idempotency_key(&owned))
            .await
            .map_err(io::Error::other)??;
        let mut wait = FIRST_WAIT;
        for tried in 1.. {
            let sent = self.send_once(path, &key).await?.send().await;
            let pause = match sent {
                Ok(answer) if may_be_repeated(answer.status()) && tried < MOST_TRIES => {
                    asked_to_wait(&answer).unwrap_or(wait)
                }
                Ok(answer) => {
                    let answer = good(answer).await?;
                    return answer.json().await.map_err(UploadError::Answer);
                }
                Err(error) if tried >= MOST_TRIES || error.is_builder() => {
                    return Err(UploadError::Unreachable(error));
                }
                Err(_) => wait,
            };
            crate::pause::pause(pause.min(LONGEST_WAIT)).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
        Err(UploadError::TooLong)
    }

    async fn send_once(&self, path: &Path, key: &str) -> Result<RequestBuilder, UploadError> {
        let file = tokio::fs::File::open(path).await?;
        let length = file.metadata().await?.len();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let part = Part::stream_with_length(Body::wrap_stream(ReaderStream::new(file)), length)
            .file_name(name.into_owned());
        // The file comes last: what is wrong with the rest is known before it is sent.
        let mut form = Form::new()
            .text("source", self.args.source.clone())
            .text("priority", self.args.priority.to_string());
        if let Some(metadata) = &self.args.metadata {
            form = form.text("metadata", metadata.clone());
        }
        let request = self.client.post(self.url("/api/v1/documents/upload"));
        Ok(self
            .with_key(request)
            .header("idempotency-key", key)
            .multipart(form.part("file", part)))
    }

    /// Waits until a document is processed or failed.
    async fn wait(&self, document: &Accepted) -> Result<Status, UploadError> {
        let mut url = self.url(&format!("/api/v1/documents/{}/status", document.id));
        if let Some(position) = document.position {
            url.push_str(&format!("?min_position={position}"));
        }
        let end = Instant::now() + LONGEST_PROCESSING;
        while Instant::now() < end {
            match self.with_key(self.client.get(&url)).send().await {
                Ok(answer) if may_be_repeated(answer.status()) => {}
                Ok(answer) => {
                    let answer = good(answer).await?;
                    let stand: Stand = answer.json().await.map_err(UploadError::Answer)?;
                    if matches!(stand.status, Status::Processed | Status::Failed) {
                        return Ok(stand.status);
                    }
                }
                Err(error) if error.is_builder() => return Err(UploadError::Unreachable(error)),
                // It may come back; the end bounds how long we hope.
                Err(error) => tracing::debug!(%error, "the gateway cannot be reached"),
            }
            crate::pause::pause(LOOK_EVERY).await;
        }
        Err(UploadError::TooLong)
    }
}

/// The same file at the same path gives the same key.
fn idempotency_key(path: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    hasher.update(path.as_os_str().as_encoded_bytes());
    hasher.update([0]);
    let mut file = std::fs::File::open(path)?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hasher.finalize())),
            n => hasher.update(buffer.get(..n).unwrap_or_default()),
        }
    }
}

fn may_be_repeated(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS
    )
}

/// How long the gateway asks to wait.
fn asked_to_wait(answer: &Response) -> Option<Duration> {
    let value = answer.headers().get(header::RETRY_AFTER)?;
    let seconds = value.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

async fn good(answer: Response) -> Result<Response, UploadError> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let body = answer.bytes().await.map_err(UploadError::Answer)?;
    Err(UploadError::Refused {
        status,
        detail: problem(&body),
    })
}

/// `: ` and what a problem document says for people, or nothing when it is none.
pub(super) fn problem(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Problem {
        title: Option<String>,
        detail: Option<String>,
    }
    let said = serde_json::from_slice::<Problem>(body).ok();
    said.and_then(|p| p.detail.or(p.title))
        .map(|text| format!(": {text}"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_a_json_object() {
        assert!(json_object(r#"{"wonum":"WO-1"}"#).is_ok());
        for text in ["", "[]", "1", "{"] {
            assert!(json_object(text).is_err(), "{text}");
        }
    }

    #[test]
    fn folders_are_walked_in_order_and_the_key_knows_path_and_content() {
        let folder = std::env::temp_dir().join(format!("kmrl-upload-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("b")).unwrap();
        for (name, text) in [("c.txt", "one"), ("a.txt", "one"), ("b/d.txt", "two")] {
            std::fs::write(folder.join(name), text).unwrap();
        }
        let names = ["a.txt", "b/d.txt", "c.txt"].map(|n| folder.join(n));
        assert_eq!(files(std::slice::from_ref(&folder)).unwrap(), names);
        let [a, _, c] = &names;
        let key = idempotency_key(a).unwrap();
        assert_eq!(key.len(), 64);
        assert_eq!(key, idempotency_key(a).unwrap());
        assert_ne!(key, idempotency_key(c).unwrap());
        std::fs::write(a, "other").unwrap();
        assert_ne!(key, idempotency_key(a).unwrap());
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_problem_is_told_in_its_words() {
        assert_eq!(problem(br#"{"title":"No","detail":"Why"}"#), ": Why");
        assert_eq!(problem(br#"{"title":"No"}"#), ": No");
        assert_eq!(problem(b"<html>"), "");
    }
}
