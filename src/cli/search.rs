//! `search QUERY`: asks a running gateway, and prints hits with what was found in them.

use super::config::print;
use super::{CliError, ServerAddress};
use kmrl_domain::access::bounded;
use serde::Deserialize;
use serde_json::Value;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

/// Longest that an answer may take.
const LIMIT: Duration = Duration::from_secs(30);
/// Most characters of a name that are printed.
const LONGEST_NAME: usize = 200;

/// What to find.
#[derive(Debug, clap::Args)]
pub(super) struct SearchArgs {
    /// Words (all of them), "phrases", -exclusions, OR between alternatives, begin*.
    #[arg(allow_hyphen_values = true)]
    query: String,
    /// Only from this source.
    #[arg(long)]
    source: Option<String>,
    /// Only of this department.
    #[arg(long)]
    department: Option<String>,
    /// Only in this language, such as en, ml or mixed.
    #[arg(long)]
    language: Option<String>,
    /// Only with this status: queued, processing, processed or failed.
    #[arg(long)]
    status: Option<String>,
    /// Only taken in then or later (RFC 3339, such as 2026-01-02T03:04:05Z).
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Only taken in before (RFC 3339).
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// The newest first instead of the most relevant.
    #[arg(long)]
    newest: bool,
    /// How many at most.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(i64).range(1..=100))]
    limit: i64,
    /// Go on where the page before ended.
    #[arg(long)]
    cursor: Option<String>,
    /// Print the gateway's answer as it came.
    #[arg(long)]
    json: bool,
}

#[derive(Deserialize)]
struct Answer {
    hits: Vec<Hit>,
    total: i64,
    read_as: Vec<Reading>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct Hit {
    document: Document,
    pages: Vec<u32>,
    highlights: Vec<Highlight>,
}

#[derive(Deserialize)]
struct Document {
    id: String,
    original_filename: String,
    source: String,
    department: Option<String>,
    upload_time: String,
}

#[derive(Deserialize)]
struct Highlight {
    field: String,
    page: Option<u32>,
    pieces: Vec<Piece>,
}

#[derive(Deserialize)]
struct Piece {
    text: String,
    marked: bool,
}

#[derive(Deserialize)]
struct Reading {
    word: String,
    read_as: Vec<String>,
}

/// Asks and prints. Finding nothing is exit code 1, as with grep.
pub(super) async fn run(args: SearchArgs, server: &ServerAddress) -> Result<ExitCode, CliError> {
    let text = ask(&args, server).await?;
    let failed = |e| CliError::failed("reading the gateway's answer", e);
    if args.json {
        print(&text);
        let answer: Value = serde_json::from_str(&text).map_err(failed)?;
        return Ok(code(answer["total"].as_i64().unwrap_or(0)));
    }
    let answer: Answer = serde_json::from_str(&text).map_err(failed)?;
    let (on, off) = match std::io::stdout().is_terminal() {
        true => ("\u{1b}[1m", "\u{1b}[0m"),
        false => ("«", "»"),
    };
    for reading in &answer.read_as {
        let words = reading.read_as.join(", ");
        print(&format!("{} was read as {words}", reading.word));
    }
    for hit in &answer.hits {
        print(&hit.heading());
        for highlight in &hit.highlights {
            print(&highlight.line(on, off));
        }
    }
    print(&format!("{} of {} shown", answer.hits.len(), answer.total));
    if let Some(cursor) = &answer.next_cursor {
        print(&format!("more: --cursor {cursor}"));
    }
    Ok(code(answer.total))
}

fn code(total: i64) -> ExitCode {
    ExitCode::from(u8::from(total == 0))
}

async fn ask(args: &SearchArgs, server: &ServerAddress) -> Result<String, CliError> {
    let asking = |e| CliError::failed(format!("asking {}", server.base_url), e);
    let client = server.trust.http().timeout(LIMIT);
    let client = client.build().map_err(asking)?;
    let limit = args.limit.to_string();
    let order = args.newest.then_some("newest");
    let parameters = [
        ("q", Some(args.query.as_str())),
        ("source", args.source.as_deref()),
        ("department", args.department.as_deref()),
        ("language", args.language.as_deref()),
        ("status", args.status.as_deref()),
        ("from", args.from.as_deref()),
        ("to", args.to.as_deref()),
        ("order", order),
        ("limit", Some(limit.as_str())),
        ("cursor", args.cursor.as_deref()),
    ];
    let given = parameters.into_iter().filter_map(|(n, v)| Some((n, v?)));
    let answer = client
        .get(format!("{}/api/v1/search", server.base_url))
        .query(&given.collect::<Vec<_>>())
        .header("x-api-key", server.api_key.reveal())
        .send()
        .await
        .map_err(asking)?;
    let status = answer.status();
    let text = answer.text().await.map_err(asking)?;
    if status.is_success() {
        return Ok(text);
    }
    let problem: Value = serde_json::from_str(&text).unwrap_or_default();
    let said = ["detail", "title"]
        .iter()
        .find_map(|name| problem[name].as_str());
    Err(CliError::Message(match said {
        Some(said) => bounded(said, 500),
        None => format!("the gateway answered {status}"),
    }))
}

impl Hit {
    fn heading(&self) -> String {
        let d = &self.document;
        let pages: Vec<String> = self.pages.iter().map(u32::to_string).collect();
        let pages = match pages.as_slice() {
            [] => String::new(),
            [one] => format!("  page {one}"),
            many => format!("  pages {}", many.join(", ")),
        };
        format!(
            "{}  {}  {}  {}  {}{pages}",
            d.id,
            d.upload_time.get(..10).unwrap_or(&d.upload_time),
            d.source,
            d.department.as_deref().unwrap_or("-"),
            bounded(&d.original_filename, LONGEST_NAME),
        )
    }
}

impl Highlight {
    fn line(&self, on: &str, off: &str) -> String {
        let place = match self.page {
            Some(page) => format!("{page:>4}"),
            None => bounded(&self.field, LONGEST_NAME),
        };
        let mut line = format!("  {place}: ");
        for piece in &self.pieces {
            let text = bounded(&piece.text, usize::MAX);
            match piece.marked {
                true => line.extend([on, text.as_str(), off]),
                false => line.push_str(&text),
            }
        }
        line
    }
}
