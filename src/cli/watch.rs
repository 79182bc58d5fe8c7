//! `watch`: follows what happens in a running gateway.
//!
//! Owns reconnecting without missing or repeating a message, and how messages look on a terminal.

use super::trust::Trust;
use super::{CliError, ServerAddress};
use futures::StreamExt;
use kmrl_domain::values::Status;
use reqwest::Url;
use serde::Deserialize;
use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::timeout;
use tokio_tungstenite::connect_async_tls_with_config;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::{self, Message};
use uuid::Uuid;

/// A server that shows no sign of life for this long is taken for gone.
const LONGEST_SILENCE: Duration = Duration::from_secs(90);
/// Wait before the first try to reconnect; doubled for each further one.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// Longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What to follow.
#[derive(Clone, Debug, clap::Args)]
pub struct WatchArgs {
    /// Print each message as it came, one JSON object a line.
    #[arg(long)]
    json: bool,
    /// Begin after this position of the log instead of now.
    #[arg(long, value_name = "POSITION", value_parser = clap::value_parser!(i64).range(0..))]
    after: Option<i64>,
    /// Only this document.
    #[arg(long, value_name = "ID")]
    document: Option<Uuid>,
    /// Only documents of this source.
    #[arg(long)]
    source: Option<String>,
    /// Only messages with this status: queued, processing, processed or failed.
    #[arg(long)]
    status: Option<Status>,
}

/// Follows until Ctrl-C or until standard output is closed.
///
/// # Errors
/// When the gateway refuses the connection or the address cannot be used. A gateway that cannot
/// be reached is tried again.
pub async fn run(args: WatchArgs, server: &ServerAddress) -> Result<ExitCode, CliError> {
    let mut watcher = Watcher::new(args, server)?;
    let ended = tokio::select! {
        ended = watcher.follow() => ended,
        interrupted = tokio::signal::ctrl_c() => {
            interrupted.map_err(|e| CliError::failed("waiting for Ctrl-C", e))
        }
    };
    ended.map(|()| ExitCode::SUCCESS)
}

/// Why one connection ended.
enum Ended {
    /// It may work when tried again.
    Retry(String),
    /// Nobody reads our output any more.
    OutputClosed,
    /// Trying again would give the same.
    Fatal(CliError),
}

struct Watcher {
    url: Url,
    api_key: HeaderValue,
    trust: Trust,
    json: bool,
    /// Last position seen.
    cursor: Option<i64>,
    /// Something came on the newest connection.
    heard: bool,
}

impl Watcher {
    fn new(args: WatchArgs, server: &ServerAddress) -> Result<Self, CliError> {
        let mut api_key = HeaderValue::from_str(server.api_key.reveal())
            .map_err(|e| CliError::failed("putting the key into a header", e))?;
        api_key.set_sensitive(true);
        Ok(Self {
            url: address(&server.base_url, &args)?,
            api_key,
            trust: server.trust.clone(),
            json: args.json,
            cursor: args.after,
            heard: false,
        })
    }

    async fn follow(&mut self) -> Result<(), CliError> {
        let mut wait = FIRST_WAIT;
        loop {
            self.heard = false;
            match self.connection().await {
                Ended::OutputClosed => return Ok(()),
                Ended::Fatal(error) => return Err(error),
                Ended::Retry(why) => {
                    if self.heard {
                        wait = FIRST_WAIT;
                    }
                    let (after, ms) = (self.cursor, wait.as_millis());
                    tracing::warn!(why, after, retry_in_ms = ms, "connection ended");
                }
            }
            crate::pause::pause(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    async fn connection(&mut self) -> Ended {
        let request = match self.request() {
            Ok(request) => request,
            Err(error) => return Ended::Fatal(error),
        };
        let connector = Some(self.trust.websocket());
        let connecting = connect_async_tls_with_config(request, None, true, connector);
        let mut socket = match connecting.await {
            Ok((socket, _)) => socket,
            Err(error) => return refused(error),
        };
        loop {
            let text = match timeout(LONGEST_SILENCE, socket.next()).await {
                Err(_) => return Ended::Retry("no sign of life".into()),
                Ok(None) => return Ended::Retry("closed".into()),
                Ok(Some(Err(error))) => return Ended::Retry(error.to_string()),
                Ok(Some(Ok(Message::Close(frame)))) => {
                    let why = frame.map_or_else(|| "closed".into(), |f| f.to_string());
                    return Ended::Retry(why);
                }
                Ok(Some(Ok(Message::Text(text)))) => text,
                Ok(Some(Ok(_))) => continue,
            };
            self.heard = true;
            match self.show(&text) {
                Ok(()) => {}
                Err(e) if e.kind() == io::ErrorKind::BrokenPipe => return Ended::OutputClosed,
                Err(e) => return Ended::Fatal(CliError::failed("writing to standard output", e)),
            }
        }
    }

    fn request(&self) -> Result<Request, CliError> {
        let mut url = self.url.clone();
        if let Some(after) = self.cursor {
            url.query_pairs_mut()
                .append_pair("after", &after.to_string());
        }
        let mut request = url
            .as_str()
            .into_client_request()
            .map_err(|e| CliError::failed(format!("making a request to {url}"), e))?;
        request
            .headers_mut()
            .insert("x-api-key", self.api_key.clone());
        Ok(request)
    }

    fn show(&mut self, text: &str) -> io::Result<()> {
        let told: Told<'_> = match serde_json::from_str(text) {
            Ok(told) => told,
            Err(error) => {
                tracing::warn!(%error, "a message that cannot be read");
                return Ok(());
            }
        };
        let line = if self.json {
            Some(text.to_owned())
        } else {
            told.line()
        };
        if let Some(mut line) = line {
            line.push('\n');
            let mut out = io::stdout().lock();
            out.write_all(line.as_bytes())?;
            out.flush()?;
        }
        // Only now: what was not shown is asked for again.
        self.cursor = self.cursor.max(told.position);
        Ok(())
    }
}

fn address(base_url: &str, args: &WatchArgs) -> Result<Url, CliError> {
    let wrong = |e: &dyn std::fmt::Display| CliError::Message(format!("address {base_url}: {e}"));
    let mut url = Url::parse(base_url).map_err(|e| wrong(&e))?;
    let scheme = match url.scheme() {
        "http" => "ws",
        "https" => "wss",
        _ => return Err(wrong(&"begins with neither http:// nor https://")),
    };
    url.set_scheme(scheme)
        .map_err(|()| wrong(&"cannot be made a WebSocket address"))?;
    let path = format!("{}/ws", url.path().trim_end_matches('/'));
    url.set_path(&path);
    url.set_query(None);
    let pairs = [
        ("document_id", args.document.map(|id| id.to_string())),
        ("source", args.source.clone()),
        ("status", args.status.map(|s| s.to_string())),
    ];
    for (name, value) in pairs {
        if let Some(value) = value {
            url.query_pairs_mut().append_pair(name, &value);
        }
    }
    Ok(url)
}

/// What a refused handshake means: the request is at fault, or it is not the time for it.
fn refused(error: tungstenite::Error) -> Ended {
    let tungstenite::Error::Http(answer) = &error else {
        return Ended::Retry(error.to_string());
    };
    let status = answer.status();
    let detail = super::upload::problem(answer.body().as_deref().unwrap_or_default());
    let text = format!("the gateway answers {status}{detail}");
    if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS {
        Ended::Fatal(CliError::Message(text))
    } else {
        Ended::Retry(text)
    }
}

/// As much of a message as is shown.
#[derive(Deserialize)]
struct Told<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    position: Option<i64>,
    #[serde(borrow)]
    timestamp: Option<Cow<'a, str>>,
    document_id: Option<Uuid>,
    #[serde(borrow)]
    status: Option<Cow<'a, str>>,
    progress: Option<u8>,
    #[serde(borrow)]
    message: Option<Cow<'a, str>>,
    #[serde(borrow)]
    source: Option<Cow<'a, str>>,
}

impl Told<'_> {
    /// The line for people; `None` for what is of use to programs only.
    fn line(&self) -> Option<String> {
        let mut line = String::new();
        let message = self.message.as_deref().unwrap_or_default();
        match (&*self.kind, self.document_id) {
            ("document_update", Some(id)) => {
                let time = self.timestamp.as_deref().unwrap_or_default();
                let (source, status) = (self.source.as_deref(), self.status.as_deref());
                let (source, status) = (source.unwrap_or_default(), status.unwrap_or_default());
                let progress = self.progress.unwrap_or_default();
                write!(
                    line,
                    "{time} {id} {source:<12} {status:<10} {progress:>3}%  {message}"
                )
            }
            ("system_status", _) => {
                let position = self.position.unwrap_or_default();
                write!(line, "connected, at position {position}")
            }
            ("error", _) => write!(line, "error: {message}"),
            _ => return None,
        }
        .ok()?;
        Some(
            line.chars()
                .map(|c| if c.is_control() { ' ' } else { c })
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    fn args() -> WatchArgs {
        WatchArgs {
            json: false,
            after: Some(4),
            document: Some(Uuid::from_u128(1)),
            source: Some("a&b".into()),
            status: Some(Status::Failed),
        }
    }

    fn server(base_url: &str) -> ServerAddress {
        ServerAddress {
            base_url: base_url.into(),
            api_key: Secret::new("key".into()),
            trust: Trust::anybody().unwrap(),
        }
    }

    #[test]
    fn the_request_names_filters_and_cursor_and_carries_the_key() {
        let watcher = Watcher::new(args(), &server("http://127.0.0.1:8080/")).unwrap();
        let request = watcher.request().unwrap();
        assert_eq!(
            request.uri().to_string(),
            "ws://127.0.0.1:8080/ws?document_id=00000000-0000-0000-0000-000000000001\
             &source=a%26b&status=failed&after=4"
        );
        assert_eq!(request.headers()["x-api-key"], "key");
        let encrypted = Watcher::new(args(), &server("https://localhost")).unwrap();
        assert_eq!(encrypted.request().unwrap().uri().scheme_str(), Some("wss"));
        assert!(Watcher::new(args(), &server("localhost:1")).is_err());
    }

    #[test]
    fn the_cursor_never_goes_back_and_unreadable_messages_are_left_out() {
        let mut watcher = Watcher::new(args(), &server("http://localhost")).unwrap();
        let messages = [
            r#"{"type":"checkpoint","position":9,"timestamp":"t"}"#,
            r#"{"type":"subscribed","position":7}"#,
            r#"{"type":"pong"}"#,
            "?",
        ];
        for text in messages {
            watcher.show(text).unwrap();
        }
        assert_eq!(watcher.cursor, Some(9));
    }

    #[test]
    fn a_line_is_for_people_and_cannot_move_the_cursor_of_a_terminal() {
        let text = r#"{"type":"document_update","document_id":"00000000-0000-0000-0000-000000000001",
            "status":"processing","progress":25,"message":"page 3\u001b[2J of 12",
            "timestamp":"2026-03-01T10:00:00Z","source":"scan"}"#;
        let told: Told<'_> = serde_json::from_str(text).unwrap();
        assert_eq!(
            told.line().unwrap(),
            "2026-03-01T10:00:00Z 00000000-0000-0000-0000-000000000001 scan         processing  25%  \
             page 3 [2J of 12"
        );
        let checkpoint: Told<'_> = serde_json::from_str(r#"{"type":"checkpoint"}"#).unwrap();
        assert_eq!(checkpoint.line(), None);
    }

    #[test]
    fn a_wrong_key_is_fatal_and_a_busy_gateway_is_not() {
        let answer = |code: u16| {
            let body = br#"{"title":"No","detail":"not this"}"#.to_vec();
            let response = tungstenite::http::Response::builder()
                .status(code)
                .body(Some(body))
                .unwrap();
            refused(tungstenite::Error::Http(Box::new(response)))
        };
        assert!(matches!(answer(401), Ended::Fatal(e) if e.to_string().ends_with("not this")));
        assert!(matches!(answer(503), Ended::Retry(_)));
        assert!(matches!(answer(429), Ended::Retry(_)));
    }
}
