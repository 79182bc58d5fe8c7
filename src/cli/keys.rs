//! `keys`: issues, lists, rotates and revokes API keys of a running gateway.

use super::asking::Asking;
use super::config::print;
use super::{CliError, ServerAddress};
use serde_json::{Value, json};
use std::process::ExitCode;

/// Most keys a page.
const PAGE: usize = 500;

/// What to do with keys.
#[derive(Debug, clap::Args)]
pub(super) struct KeysArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a key, and print it: it cannot be shown again.
    Issue(IssueArgs),
    /// List keys, the newest first.
    List {
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Give a key another secret, and print the new key.
    Rotate {
        /// Its id or its prefix, as listed.
        id: String,
        /// Seconds for which the key before stays good.
        #[arg(long, default_value_t = 86_400, value_parser = clap::value_parser!(i64).range(0..=2_592_000))]
        overlap: i64,
    },
    /// Make a key good for nothing, at once and everywhere.
    Revoke {
        /// Its id or its prefix, as listed.
        id: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
}

#[derive(Debug, clap::Args)]
struct IssueArgs {
    /// 1 to 64 of a-z, 0-9, `-`, `_` and `.`; given once and for ever.
    name: String,
    /// Who answers for it.
    #[arg(long)]
    owner: String,
    /// connector, reader, officer, auditor or administrator; may be given several times.
    #[arg(long = "role", required = true)]
    roles: Vec<String>,
    /// Narrows the roles: documents:upload, documents:read, documents:change, audit:read,
    /// operations:read, operations:change or keys:manage; may be given several times.
    #[arg(long = "scope")]
    scopes: Vec<String>,
    /// A source that it may write; may be given several times. Needed for connectors.
    #[arg(long = "source")]
    sources: Vec<String>,
    /// A department whose documents it sees; may be given several times. All when absent.
    #[arg(long = "department")]
    departments: Vec<String>,
    /// From when on it is good for nothing (RFC 3339, such as 2027-01-01T00:00:00Z).
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
}

/// Does it.
pub(super) async fn run(args: KeysArgs, server: &ServerAddress) -> Result<ExitCode, CliError> {
    let asking = Asking::new(server)?;
    match args.command {
        Command::Issue(args) => {
            let answer = asking.post("/api/v1/keys", &args.body()).await?;
            shown(&answer);
        }
        Command::List { json } => list(&asking, json).await?,
        Command::Rotate { id, overlap } => {
            let path = format!("/api/v1/keys/{}/rotate", id_of(&id));
            shown(
                &asking
                    .post(&path, &json!({ "overlap_seconds": overlap }))
                    .await?,
            );
        }
        Command::Revoke { id, reason } => {
            let path = format!("/api/v1/keys/{}/revoke", id_of(&id));
            asking.post(&path, &json!({ "reason": reason })).await?;
            print("revoked");
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl IssueArgs {
    fn body(&self) -> Value {
        let some = |words: &Vec<String>| (!words.is_empty()).then(|| words.clone());
        json!({
            "name": self.name,
            "owner": self.owner,
            "roles": self.roles,
            "scopes": some(&self.scopes),
            "sources": some(&self.sources),
            "departments": some(&self.departments),
            "expires_at": self.expires,
        })
    }
}

/// A prefix is the beginning of a key, which holds its id.
fn id_of(text: &str) -> &str {
    text.strip_prefix("kmrl_").unwrap_or(text)
}

/// The key alone on standard output, so that it can be piped on.
#[expect(clippy::print_stderr, reason = "a remark for people beside the key")]
fn shown(answer: &Value) {
    print(answer["key"].as_str().unwrap_or_default());
    eprintln!(
        "id {}; the key cannot be shown again",
        answer["id"].as_str().unwrap_or_default()
    );
}

async fn list(asking: &Asking<'_>, as_json: bool) -> Result<(), CliError> {
    let mut before = None;
    loop {
        let mut path = format!("/api/v1/keys?limit={PAGE}");
        if let Some(position) = before {
            path.push_str(&format!("&before={position}"));
        }
        let page = asking.get(&path).await?;
        for key in page["keys"].as_array().into_iter().flatten() {
            match as_json {
                true => print(&key.to_string()),
                false => print(&line(key)),
            }
        }
        before = page["next_before"].as_i64();
        if before.is_none() {
            return Ok(());
        }
    }
}

fn line(key: &Value) -> String {
    let word = |name: &str| key[name].as_str().unwrap_or("-").to_owned();
    let words = |name: &str| {
        let words = key[name].as_array().into_iter().flatten();
        let words: Vec<&str> = words.filter_map(Value::as_str).collect();
        words.join(",")
    };
    format!(
        "{}  {}  {}  {}  last used {}  owner {}",
        word("id"),
        word("state"),
        word("name"),
        words("roles"),
        word("last_used_at"),
        word("owner"),
    )
}
