//! What the settings mean: one struct a section, each read and checked by itself.

use super::reader::Reader;
use super::retention::{RetentionRule, RetentionRules};
use super::secret::Secret;
use super::transport::TlsSettings;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What may be uploaded.
#[derive(Clone, Debug)]
pub struct UploadSettings {
    /// Sources that documents may come from.
    pub sources: Vec<String>,
    /// Largest file in bytes.
    pub max_file_bytes: u64,
}

/// How documents are worked on.
#[derive(Clone, Debug)]
pub struct JobSettings {
    /// At once, by this process.
    pub workers: usize,
    /// Asked to stop after this.
    pub soft_limit: Duration,
    /// Killed after this.
    pub hard_limit: Duration,
    /// Attempts before a document is failed.
    pub max_attempts: u32,
    /// Wait before the second attempt.
    pub retry_first: Duration,
    /// Longest wait between attempts.
    pub retry_longest: Duration,
    /// A worker that shows no sign of life for this long has lost its job.
    pub ack_wait: Duration,
    /// Between looks for jobs left behind.
    pub sweep_every: Duration,
    /// Most address space of an extraction process, in bytes.
    pub extraction_memory: u64,
    /// Extraction processes that are started ahead.
    pub extraction_ready: usize,
}

/// Objects that no event names.
#[derive(Clone, Debug)]
pub struct OrphanSettings {
    /// Younger ones are left alone.
    pub grace: Duration,
    /// Between looks.
    pub look_every: Duration,
}

/// Live subscribers.
#[derive(Clone, Debug)]
pub struct LiveSettings {
    /// Events kept in memory.
    pub ring: usize,
    /// Between pings.
    pub heartbeat: Duration,
    /// Silence after which the position is told.
    pub checkpoint: Duration,
    /// A client that takes nothing for this long is let go.
    pub longest_write: Duration,
}

/// The HTTP server.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// Address and port.
    pub listen: SocketAddr,
    /// Longest wait for `min_position`.
    pub min_position_wait: Duration,
    /// Time to finish at shutdown.
    pub shutdown_grace: Duration,
    /// Origins whose pages may ask, read and open connections, beside our own.
    pub allowed_origins: Vec<String>,
    /// The certificate; absent: TLS is not spoken.
    pub tls: Option<TlsSettings>,
    /// TLS ends at a proxy in front of us.
    pub behind_tls: bool,
}

impl HttpSettings {
    /// Clients come over TLS.
    #[must_use]
    pub const fn is_encrypted(&self) -> bool {
        self.tls.is_some() || self.behind_tls
    }
}

/// Signed checkpoints of the event log.
#[derive(Clone, Debug)]
pub struct NotarySettings {
    /// File with the signing key.
    pub key_file: PathBuf,
    /// Between looks whether the log grew.
    pub every: Duration,
    /// Days that the copies are locked for in the object store; 0: not locked.
    pub lock_days: u32,
}

/// How long documents are kept, and their erasure.
#[derive(Clone, Debug)]
pub struct ErasureSettings {
    /// In order: the first that fits a document counts.
    pub retention: Vec<RetentionRule>,
    /// Between looks for documents that were kept long enough.
    pub sweep_every: Duration,
}

/// The embedded engines.
#[derive(Clone, Debug)]
pub struct EngineSettings {
    /// Folder with binaries that are not on the system.
    pub dir: PathBuf,
    /// Folder with PostgreSQL's binaries.
    pub postgres_bin: Option<PathBuf>,
    /// The nats-server binary.
    pub nats_bin: Option<PathBuf>,
}

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Human on a terminal, JSON elsewhere.
    Auto,
    /// Lines for people.
    Human,
    /// One JSON object a line.
    Json,
}

/// Logs.
#[derive(Clone, Debug)]
pub struct LogSettings {
    /// Filter, as tracing understands it.
    pub filter: String,
    /// Form.
    pub format: LogFormat,
}

pub(super) fn upload(r: &mut Reader) -> UploadSettings {
    let text: String = r.required("upload.sources", String::new());
    let sources: Vec<String> = text
        .split(',')
        .map(|s| s.trim().to_owned())
        .filter(|s| !s.is_empty())
        .collect();
    let word = |s: &String| {
        s.len() <= 64
            && s.chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-')
    };
    if sources.is_empty() || !sources.iter().all(word) {
        r.error(
            "upload.sources",
            "must be words of a-z, 0-9, _ and - separated by commas",
        );
    }
    UploadSettings {
        sources,
        max_file_bytes: r.number("upload.max_file_bytes", 1, 5 << 30),
    }
}

pub(super) fn jobs(r: &mut Reader) -> JobSettings {
    let day = 86_400;
    let workers = match r.number("jobs.workers", 0, 256) {
        0 => std::thread::available_parallelism().map_or(2, usize::from),
        n => usize::try_from(n).unwrap_or(2),
    };
    let (soft, hard) = (
        r.number("jobs.soft_limit", 1, day),
        r.number("jobs.hard_limit", 1, day),
    );
    if hard <= soft {
        r.error("jobs.hard_limit", "must be more than jobs.soft_limit");
    }
    JobSettings {
        workers,
        soft_limit: Duration::from_secs(soft),
        hard_limit: Duration::from_secs(hard),
        max_attempts: number(r, "jobs.max_attempts", 1, 100),
        retry_first: seconds(r, "jobs.retry_first"),
        retry_longest: seconds(r, "jobs.retry_longest"),
        ack_wait: seconds(r, "jobs.ack_wait"),
        sweep_every: seconds(r, "jobs.sweep_every"),
        extraction_memory: r.number("extraction.memory_bytes", 256 << 20, 1 << 40),
        extraction_ready: number(r, "extraction.ready", 0, 64),
    }
}

pub(super) fn orphans(r: &mut Reader) -> OrphanSettings {
    OrphanSettings {
        grace: Duration::from_secs(r.number("orphans.grace", 60, 1 << 31)),
        look_every: seconds(r, "orphans.look_every"),
    }
}

pub(super) fn live(r: &mut Reader) -> LiveSettings {
    LiveSettings {
        ring: number(r, "live.ring", 16, 1_000_000),
        heartbeat: seconds(r, "live.heartbeat"),
        checkpoint: seconds(r, "live.checkpoint"),
        longest_write: seconds(r, "live.longest_write"),
    }
}

pub(super) fn http(r: &mut Reader) -> HttpSettings {
    HttpSettings {
        listen: r.required("listen", SocketAddr::from(([127, 0, 0, 1], 8080))),
        min_position_wait: seconds(r, "http.min_position_wait"),
        shutdown_grace: seconds(r, "http.shutdown_grace"),
        allowed_origins: origins(r),
        tls: super::transport::tls(r),
        behind_tls: r.required("http.behind_tls", false),
    }
}

fn origins(r: &mut Reader) -> Vec<String> {
    let text: String = r.optional("http.allowed_origins").unwrap_or_default();
    let words = text.split(',').map(str::trim).filter(|w| !w.is_empty());
    let origins: Vec<String> = words.map(str::to_owned).collect();
    let is_origin = |origin: &String| {
        let rest = origin
            .strip_prefix("https://")
            .or_else(|| origin.strip_prefix("http://"));
        rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(['/', '*', '@', '?', '#']))
    };
    if !origins.iter().all(is_origin) {
        r.error(
            "http.allowed_origins",
            "must be such as `https://portal.example,https://portal.example:8443`",
        );
    }
    origins
}

pub(super) fn notary(r: &mut Reader, data_dir: &Path) -> NotarySettings {
    let key_file = r.optional("notary.key_file").map(absolute);
    NotarySettings {
        key_file: key_file.unwrap_or_else(|| data_dir.join("log-signing-key")),
        every: seconds(r, "notary.every"),
        lock_days: number(r, "notary.lock_days", 0, 36_500),
    }
}

pub(super) fn erasure(r: &mut Reader) -> ErasureSettings {
    ErasureSettings {
        retention: r.required("retention", RetentionRules::default()).0,
        sweep_every: seconds(r, "erasure.sweep_every"),
    }
}

pub(super) fn engines(r: &mut Reader) -> EngineSettings {
    EngineSettings {
        dir: absolute(r.required("engines.dir", PathBuf::new())),
        postgres_bin: r.optional("engines.postgres_bin").map(absolute),
        nats_bin: r.optional("engines.nats_bin").map(absolute),
    }
}

pub(super) fn log(r: &mut Reader) -> LogSettings {
    let format = match r.required("log.format", String::new()).as_str() {
        "auto" => LogFormat::Auto,
        "human" => LogFormat::Human,
        "json" => LogFormat::Json,
        other => {
            r.error(
                "log.format",
                &format!("`{other}` is none of auto, human, json"),
            );
            LogFormat::Auto
        }
    };
    let filter: String = r.required("log.filter", "info".into());
    if let Err(e) = filter.parse::<tracing_subscriber::EnvFilter>() {
        r.error("log.filter", &format!("`{filter}` cannot be used: {e}"));
    }
    LogSettings { filter, format }
}

pub(super) fn api_key(r: &mut Reader) -> Option<Secret> {
    let key: Option<String> = r.optional("api_key");
    if key.as_ref().is_some_and(|k| k.chars().count() < 16) {
        r.error("api_key", "must have at least 16 characters");
    }
    key.map(Secret::new)
}

pub(super) fn approver_key(r: &mut Reader) -> Option<Secret> {
    let key: Option<String> = r.optional("approver_key");
    if key.as_ref().is_some_and(|k| k.chars().count() < 16) {
        r.error("approver_key", "must have at least 16 characters");
    }
    if key.is_some() && key == r.optional("api_key") {
        r.error(
            "approver_key",
            "must be another than api_key: it is another person's",
        );
    }
    key.map(Secret::new)
}

pub(super) fn data_dir(r: &mut Reader) -> PathBuf {
    absolute(r.required("data_dir", PathBuf::new()))
}

/// Engines and children run in other folders: paths must not depend on ours.
pub(super) fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

pub(super) fn seconds(r: &mut Reader, key: &str) -> Duration {
    Duration::from_secs(r.number(key, 1, 86_400))
}

/// A number within limits that the type has room for.
pub(super) fn number<T: TryFrom<u64> + Default>(
    r: &mut Reader,
    key: &str,
    least: u64,
    most: u64,
) -> T {
    T::try_from(r.number(key, least, most)).unwrap_or_default()
}
