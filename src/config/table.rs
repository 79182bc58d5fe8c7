//! The one table of settings: flags, environment, TOML keys, the help and the document come from it.
//!
//! Holds names, defaults and words. Meaning and checks are in [`super::sections`].

/// One setting.
#[derive(Debug)]
pub struct Setting {
    /// Key in the TOML file, with its section before the dot. The flag is the same with dashes.
    pub key: &'static str,
    /// Name in the environment.
    pub env: &'static str,
    /// Default as it would be written; empty: none.
    pub default: &'static str,
    /// What it is, its unit and its limits.
    pub help: &'static str,
    /// Never shown.
    pub secret: bool,
    /// Takes effect with SIGHUP; others need a new start.
    pub reloadable: bool,
}

impl Setting {
    /// Name of its command-line flag, without the dashes before it.
    #[must_use]
    pub fn flag(&self) -> String {
        self.key.replace(['.', '_'], "-")
    }

    /// Name in the environment of a file that holds the value; secrets alone have one.
    #[must_use]
    pub fn file_env(&self) -> Option<String> {
        self.secret.then(|| format!("{}_FILE", self.env))
    }

    const fn reloadable(mut self) -> Self {
        self.reloadable = true;
        self
    }
}

const fn plain(
    key: &'static str,
    env: &'static str,
    default: &'static str,
    help: &'static str,
) -> Setting {
    Setting {
        key,
        env,
        default,
        help,
        secret: false,
        reloadable: false,
    }
}

const fn secret(key: &'static str, env: &'static str, help: &'static str) -> Setting {
    Setting {
        key,
        env,
        default: "",
        help,
        secret: true,
        reloadable: false,
    }
}

/// All settings.
pub const SETTINGS: &[Setting] = &[
    plain(
        "listen",
        "KMRL_LISTEN",
        "127.0.0.1:8080",
        "Address and port of the HTTP server; port 0 takes a free one.",
    ),
    plain(
        "data_dir",
        "KMRL_DATA_DIR",
        "./data",
        "Folder for documents, embedded engines, secrets and work files.",
    ),
    secret(
        "api_key",
        "KMRL_API_KEY",
        "The first administrator's key, at least 16 characters. Generated, stored with mode 0600 and printed once when absent.",
    ),
    secret(
        "approver_key",
        "KMRL_APPROVER_KEY",
        "A second person's key, at least 16 characters and another than the administrator's: what one of them requests to be erased, the other approves. Absent: only what retention requested can be erased.",
    ),
    secret(
        "keys.pepper",
        "KMRL_KEYS_PEPPER",
        "What the secrets of issued API keys are hashed with (HMAC-SHA256), at least 32 bytes; the same for every process of a gateway. Generated and stored with mode 0600 when absent. With another one no issued key is good.",
    ),
    secret(
        "jwt.secret",
        "KMRL_JWT_SECRET",
        "Shared secret of users' tokens signed with HS256, at least 32 bytes. Absent: such tokens are refused.",
    ),
    plain(
        "jwt.issuer",
        "KMRL_JWT_ISSUER",
        "",
        "Who issues users' tokens, as in `iss`. Without `jwt.secret` its keys are fetched as OpenID Connect Discovery says.",
    ),
    plain(
        "jwt.audience",
        "KMRL_JWT_AUDIENCE",
        "",
        "Whom users' tokens are for, as in `aud`. Needed where an issuer's keys are used.",
    ),
    plain(
        "jwt.jwks_url",
        "KMRL_JWT_JWKS_URL",
        "",
        "Where the issuer's keys are (JWKS), where discovery does not tell it, or beside `jwt.secret`.",
    ),
    plain(
        "jwt.leeway",
        "KMRL_JWT_LEEWAY",
        "30",
        "Seconds by which the issuer's clock and ours may differ, 0 to 300.",
    ),
    plain(
        "jwt.roles_claim",
        "KMRL_JWT_ROLES_CLAIM",
        "roles",
        "Claim with the user's roles (connector, reader, officer, auditor, administrator), with dots between names, such as `realm_access.roles`; other words in it are passed over.",
    ),
    plain(
        "jwt.departments_claim",
        "KMRL_JWT_DEPARTMENTS_CLAIM",
        "departments",
        "Claim with the departments whose documents the user sees; `*` is all.",
    ),
    plain(
        "jwt.all_departments",
        "KMRL_JWT_ALL_DEPARTMENTS",
        "false",
        "Whether a token without that claim is good for all departments. Auditors and administrators see all of them then in any case.",
    ),
    secret(
        "database_url",
        "DATABASE_URL",
        "PostgreSQL 14 or newer. Absent: `up` starts its own.",
    ),
    secret(
        "database.password",
        "DATABASE_PASSWORD",
        "Password of the database's user, where `database_url` names none: then that address is no secret, and the password can be in a file.",
    ),
    plain(
        "database.max_connections",
        "KMRL_DATABASE_MAX_CONNECTIONS",
        "20",
        "Most connections of this process to PostgreSQL, 4 to 500.",
    ),
    secret(
        "nats_url",
        "NATS_URL",
        "NATS server 2.10 or newer with JetStream. Absent: `up` starts its own.",
    ),
    secret(
        "nats.password",
        "NATS_PASSWORD",
        "Password of the NATS user, where `nats_url` names a user and no password.",
    ),
    plain(
        "nats.prefix",
        "KMRL_NATS_PREFIX",
        "kmrl",
        "First word of subjects and streams, letters and digits, so that several gateways can share a server.",
    ),
    plain(
        "s3.bucket",
        "S3_BUCKET",
        "",
        "Bucket for documents. Absent: they are files under the data folder. Credentials come from the three settings below, else as AWS's own tools find them (profile, web identity, the machine's role).",
    ),
    secret(
        "s3.access_key_id",
        "AWS_ACCESS_KEY_ID",
        "Id of the key for the bucket; needs `s3.secret_access_key`.",
    ),
    secret(
        "s3.secret_access_key",
        "AWS_SECRET_ACCESS_KEY",
        "The key for the bucket.",
    ),
    secret(
        "s3.session_token",
        "AWS_SESSION_TOKEN",
        "Token of a temporary key.",
    ),
    plain(
        "s3.endpoint",
        "S3_ENDPOINT",
        "",
        "Address of an S3 server other than AWS.",
    ),
    plain(
        "s3.region",
        "AWS_REGION",
        "us-east-1",
        "Region of the bucket.",
    ),
    plain(
        "upload.sources",
        "KMRL_UPLOAD_SOURCES",
        "gmail,email,google_drive,sharepoint,maximo,whatsapp,scan,manual",
        "Sources that documents may come from, separated by commas.",
    )
    .reloadable(),
    plain(
        "upload.max_file_bytes",
        "KMRL_UPLOAD_MAX_FILE_BYTES",
        "209715200",
        "Largest file in bytes (200 MiB); a larger one is cut off while it streams.",
    )
    .reloadable(),
    plain(
        "door.types",
        "KMRL_DOOR_TYPES",
        "pdf,docx,doc,xlsx,xls,pptx,ppt,odt,ods,odp,rtf,jpg,jpeg,png,gif,bmp,tif,tiff,webp,dwg,dxf,step,stp,iges,igs,txt,md,rst,html,htm,xml,json,csv,eml,msg,zip",
        "Extensions of files that are taken in, separated by commas. Name, declared type and content have to agree. A name without an extension is taken for what its content is.",
    )
    .reloadable(),
    plain(
        "door.max_bytes",
        "KMRL_DOOR_MAX_BYTES",
        "",
        "Most bytes of files by extension, such as `txt=10000000,zip=50000000`, where that is less than `upload.max_file_bytes`.",
    )
    .reloadable(),
    plain(
        "door.mismatches",
        "KMRL_DOOR_MISMATCHES",
        "reject",
        "Files whose name, declared type and content disagree: `reject`, `quarantine` (it is kept and waits for two persons) or `accept` (an event says what was found).",
    )
    .reloadable(),
    plain(
        "door.polyglots",
        "KMRL_DOOR_POLYGLOTS",
        "reject",
        "Files of several types at once, such as a picture with an archive behind it: `reject`, `quarantine` (it is kept and waits for two persons) or `accept` (an event says what was found).",
    )
    .reloadable(),
    plain(
        "door.executables",
        "KMRL_DOOR_EXECUTABLES",
        "reject",
        "Programs and scripts, by themselves, in archives, office files, messages or PDFs: `reject`, `quarantine` (it is kept and waits for two persons) or `accept` (an event says what was found).",
    )
    .reloadable(),
    plain(
        "door.macros",
        "KMRL_DOOR_MACROS",
        "quarantine",
        "Office files with macros: `reject`, `quarantine` (it is kept and waits for two persons) or `accept` (an event says what was found).",
    )
    .reloadable(),
    plain(
        "door.javascript",
        "KMRL_DOOR_JAVASCRIPT",
        "accept",
        "PDFs with scripts: `reject`, `quarantine` (it is kept and waits for two persons) or `accept` (an event says what was found).",
    )
    .reloadable(),
    plain(
        "door.launch_actions",
        "KMRL_DOOR_LAUNCH_ACTIONS",
        "quarantine",
        "PDFs with actions that start a program or open another file: `reject`, `quarantine` (it is kept and waits for two persons) or `accept` (an event says what was found).",
    )
    .reloadable(),
    plain(
        "door.opaque",
        "KMRL_DOOR_OPAQUE",
        "quarantine",
        "Files that hold what cannot be looked into, behind a password or in an unknown archive; not PDFs behind a password, which fail in processing: `reject`, `quarantine` (it is kept and waits for two persons) or `accept` (an event says what was found).",
    )
    .reloadable(),
    plain(
        "door.uninspectable",
        "KMRL_DOOR_UNINSPECTABLE",
        "quarantine",
        "Files that make the inspector crash, or run out of time or memory: `reject`, `quarantine` (it is kept and waits for two persons) or `accept` (an event says what was found).",
    )
    .reloadable(),
    plain(
        "door.malware",
        "KMRL_DOOR_MALWARE",
        "reject",
        "Files that the virus scanner knows: `reject`, `quarantine` (it is kept and waits for two persons) or `accept` (an event says what was found).",
    )
    .reloadable(),
    plain(
        "door.unscanned",
        "KMRL_DOOR_UNSCANNED",
        "quarantine",
        "Files beyond the virus scanner's limits: `reject`, `quarantine` (it is kept and waits for two persons) or `accept` (an event says what was found).",
    )
    .reloadable(),
    plain(
        "door.max_depth",
        "KMRL_DOOR_MAX_DEPTH",
        "5",
        "How deep archives may lie in one another, 1 to 32; beyond it is a bomb, which is always refused.",
    )
    .reloadable(),
    plain(
        "door.max_entries",
        "KMRL_DOOR_MAX_ENTRIES",
        "20000",
        "Most entries of all archives of a file.",
    )
    .reloadable(),
    plain(
        "door.max_unpacked_bytes",
        "KMRL_DOOR_MAX_UNPACKED_BYTES",
        "1073741824",
        "Most bytes that a file unpacks to (1 GiB), at least 1 MiB.",
    )
    .reloadable(),
    plain(
        "door.max_ratio",
        "KMRL_DOOR_MAX_RATIO",
        "200",
        "How many times larger than itself a file may unpack to; up to 64 MiB it may anyhow.",
    )
    .reloadable(),
    plain(
        "door.max_pixels",
        "KMRL_DOOR_MAX_PIXELS",
        "400000000",
        "Most pixels that a picture declares.",
    )
    .reloadable(),
    plain(
        "door.within",
        "KMRL_DOOR_WITHIN",
        "60",
        "Seconds after which the inspection of a file is killed.",
    )
    .reloadable(),
    plain(
        "clamd.address",
        "KMRL_CLAMD_ADDRESS",
        "",
        "Virus scanner, `tcp:HOST:PORT` or `unix:/PATH` of a clamd. Its StreamMaxLength must be above the largest upload. Absent: files are not scanned. While it does not answer, nothing is taken in.",
    ),
    plain(
        "clamd.within",
        "KMRL_CLAMD_WITHIN",
        "60",
        "Seconds within which clamd has to answer for a file.",
    ),
    plain(
        "clamd.max_bytes",
        "KMRL_CLAMD_MAX_BYTES",
        "104857600",
        "The least of clamd's StreamMaxLength, MaxScanSize and MaxFileSize (100 MiB is its own default of the last): larger files are not taken for clean.",
    ),
    plain(
        "jobs.workers",
        "KMRL_JOBS_WORKERS",
        "0",
        "Documents worked on at once by this process, up to 256; 0: one for each processor.",
    ),
    plain(
        "jobs.soft_limit",
        "KMRL_JOBS_SOFT_LIMIT",
        "240",
        "Seconds after which a job is asked to stop.",
    ),
    plain(
        "jobs.hard_limit",
        "KMRL_JOBS_HARD_LIMIT",
        "300",
        "Seconds after which a job is killed; more than the soft limit.",
    ),
    plain(
        "jobs.max_attempts",
        "KMRL_JOBS_MAX_ATTEMPTS",
        "3",
        "Attempts at a document before it is failed, 1 to 100.",
    ),
    plain(
        "jobs.retry_first",
        "KMRL_JOBS_RETRY_FIRST",
        "5",
        "Seconds before the second attempt; doubles with each further one.",
    ),
    plain(
        "jobs.retry_longest",
        "KMRL_JOBS_RETRY_LONGEST",
        "300",
        "Longest wait between attempts, in seconds.",
    ),
    plain(
        "jobs.ack_wait",
        "KMRL_JOBS_ACK_WAIT",
        "30",
        "Seconds without a sign of life after which a worker's job goes to another.",
    ),
    plain(
        "jobs.sweep_every",
        "KMRL_JOBS_SWEEP_EVERY",
        "10",
        "Seconds between looks for jobs that were left behind.",
    ),
    plain(
        "orphans.grace",
        "KMRL_ORPHANS_GRACE",
        "3600",
        "Seconds after which an object that no event names is removed; at least 60.",
    ),
    plain(
        "orphans.look_every",
        "KMRL_ORPHANS_LOOK_EVERY",
        "3600",
        "Seconds between looks for such objects.",
    ),
    plain(
        "extraction.memory_bytes",
        "KMRL_EXTRACTION_MEMORY_BYTES",
        "2147483648",
        "Most address space of an extraction process, in bytes; at least 256 MiB.",
    ),
    plain(
        "extraction.ready",
        "KMRL_EXTRACTION_READY",
        "2",
        "Extraction processes started ahead, each for one document; 0 to 64. 0 starts each when it is needed.",
    ),
    plain(
        "ocr.program",
        "KMRL_OCR_PROGRAM",
        "tesseract",
        "Name or path of tesseract 5, which reads scans and pictures.",
    ),
    plain(
        "ocr.data_dir",
        "KMRL_OCR_DATA_DIR",
        "",
        "Folder with tesseract's languages. Absent: where distributions put them.",
    ),
    plain(
        "ocr.languages",
        "KMRL_OCR_LANGUAGES",
        "mal+eng",
        "Languages of scans and pictures in tesseract's words, joined by +.",
    ),
    plain(
        "ocr.dpi",
        "KMRL_OCR_DPI",
        "300",
        "Pixels an inch that pages without text are drawn with; 72 to 600.",
    ),
    plain(
        "ocr.page_limit",
        "KMRL_OCR_PAGE_LIMIT",
        "60",
        "Seconds that recognising one page may take.",
    ),
    plain(
        "helpers.programs",
        "KMRL_HELPERS",
        "catdoc,antiword,dwgread",
        "Programs that read what the gateway does not (catdoc and antiword: doc; dwgread of LibreDWG: dwg), by name or path and joined by commas, the one to be tried first in front; those that are not installed are passed over. `none`: no program.",
    ),
    plain(
        "review.below",
        "KMRL_REVIEW_BELOW",
        "0.7",
        "Confidence, 0 to 1, under which a text is for a person to look at.",
    )
    .reloadable(),
    plain(
        "departments.rules_file",
        "KMRL_DEPARTMENT_RULES",
        "",
        "TOML file with the rules that tell which department a document belongs to, in the form of `src/departments/rules.toml`. Absent: those rules, which are compiled in.",
    )
    .reloadable(),
    plain(
        "live.ring",
        "KMRL_LIVE_RING",
        "4096",
        "Events kept in memory for live subscribers; a slower one reads from the log. 16 to 1000000.",
    ),
    plain(
        "live.heartbeat",
        "KMRL_LIVE_HEARTBEAT",
        "20",
        "Seconds between WebSocket pings; two missed answers close.",
    ),
    plain(
        "live.checkpoint",
        "KMRL_LIVE_CHECKPOINT",
        "15",
        "Seconds of silence after which a subscriber is told the position.",
    ),
    plain(
        "live.longest_write",
        "KMRL_LIVE_LONGEST_WRITE",
        "60",
        "Seconds after which a subscriber who takes nothing of what is written is let go.",
    ),
    plain(
        "http.min_position_wait",
        "KMRL_HTTP_MIN_POSITION_WAIT",
        "5",
        "Longest wait for `min_position`, in seconds.",
    ),
    plain(
        "http.shutdown_grace",
        "KMRL_HTTP_SHUTDOWN_GRACE",
        "30",
        "Seconds that requests and jobs have to finish at shutdown.",
    ),
    plain(
        "http.allowed_origins",
        "KMRL_HTTP_ALLOWED_ORIGINS",
        "",
        "Origins whose web pages may use the API (CORS) and open live connections, separated by commas, such as `https://portal.example`. Pages of the gateway's own origin always may; programs that send no Origin are not concerned.",
    )
    .reloadable(),
    plain(
        "http.tls_certificate_file",
        "KMRL_HTTP_TLS_CERTIFICATE_FILE",
        "",
        "PEM file with the gateway's certificate and those that it is signed by, in that order. With it and its key only TLS (1.2 and 1.3) is spoken. Both files are looked at again as they change; a pair that cannot be used leaves the one before in use.",
    ),
    plain(
        "http.tls_key_file",
        "KMRL_HTTP_TLS_KEY_FILE",
        "",
        "PEM file with the private key of that certificate.",
    ),
    plain(
        "http.tls_look_every",
        "KMRL_HTTP_TLS_LOOK_EVERY",
        "60",
        "Seconds between looks whether these files changed; SIGHUP looks at once.",
    ),
    plain(
        "http.behind_tls",
        "KMRL_HTTP_BEHIND_TLS",
        "false",
        "Whether a proxy in front of the gateway takes TLS connections only: browsers are then told to come by TLS for two years (HSTS), as they are when the gateway speaks TLS itself.",
    ),
    plain(
        "server",
        "KMRL_SERVER",
        "",
        "Address of the gateway that upload, search, watch, keys, audit and health talk to, such as `https://gateway.example:8443`. Absent: the one running on the data folder, else at `listen`. With it the key stored in the data folder is not used.",
    ),
    plain(
        "ca_file",
        "KMRL_CA_FILE",
        "",
        "PEM file with certificates that these commands trust beside the system's.",
    ),
    plain(
        "http.connections",
        "KMRL_HTTP_CONNECTIONS",
        "4096",
        "Most connections at once, of each process; further ones are answered 503 and closed.",
    ),
    plain(
        "http.connections_of_an_address",
        "KMRL_HTTP_CONNECTIONS_OF_AN_ADDRESS",
        "512",
        "Most connections at once of one address, trusted proxies excepted.",
    ),
    plain(
        "http.patience",
        "KMRL_HTTP_PATIENCE",
        "60",
        "Seconds that a client may take to send a request's head, and to go on reading an answer; a body has as long to begin, and then has to come with 1 KiB a second on the average.",
    ),
    plain(
        "http.trusted_proxies",
        "KMRL_HTTP_TRUSTED_PROXIES",
        "",
        "Addresses and networks, separated by commas, of proxies whose `X-Forwarded-For` is believed, such as `10.0.0.0/8,::1`. Absent: nobody's; a client's address is the other end of its connection.",
    ),
    plain(
        "limits.uploads",
        "KMRL_LIMITS_UPLOADS",
        "600",
        "Uploads a minute of one key or user, over all processes. Here and in the rates below 0 is no limit.",
    )
    .reloadable(),
    plain(
        "limits.queries",
        "KMRL_LIMITS_QUERIES",
        "3000",
        "Reading requests a minute of one key or user, over all processes.",
    )
    .reloadable(),
    plain(
        "limits.commands",
        "KMRL_LIMITS_COMMANDS",
        "600",
        "Changing requests other than uploads a minute of one key or user, over all processes.",
    )
    .reloadable(),
    plain(
        "limits.health",
        "KMRL_LIMITS_HEALTH",
        "6000",
        "Requests for detailed health and metrics a minute of one key or user, of each process.",
    )
    .reloadable(),
    plain(
        "limits.source_uploads",
        "KMRL_LIMITS_SOURCE_UPLOADS",
        "6000",
        "Uploads of one source a minute, whoever sends them, over all processes.",
    )
    .reloadable(),
    plain(
        "limits.address_requests",
        "KMRL_LIMITS_ADDRESS_REQUESTS",
        "12000",
        "Requests a minute of one address (of IPv6 one /64), of each process, before it is looked at whose they are.",
    )
    .reloadable(),
    plain(
        "limits.exceptions",
        "KMRL_LIMITS_EXCEPTIONS",
        "",
        "Whose rates differ: `actor=key:maximo,uploads=6000,queries=0;source=gmail,uploads=1200`. In TOML a list, `[[limits.exceptions]]` with `actor` (`key:NAME` or `user:SUBJECT`) or `source`, and `uploads`, `queries`, `commands`, `health`.",
    )
    .reloadable(),
    plain(
        "limits.uploads_at_once",
        "KMRL_LIMITS_UPLOADS_AT_ONCE",
        "64",
        "Most uploads at once, of each process.",
    )
    .reloadable(),
    plain(
        "limits.uploads_at_once_of_one",
        "KMRL_LIMITS_UPLOADS_AT_ONCE_OF_ONE",
        "16",
        "Most uploads at once of one key or user, of each process.",
    )
    .reloadable(),
    plain(
        "limits.live",
        "KMRL_LIMITS_LIVE",
        "2000",
        "Most live connections (WebSocket and server-sent events), of each process.",
    )
    .reloadable(),
    plain(
        "limits.live_of_one",
        "KMRL_LIMITS_LIVE_OF_ONE",
        "200",
        "Most live connections of one key or user, of each process.",
    )
    .reloadable(),
    plain(
        "limits.waiting",
        "KMRL_LIMITS_WAITING",
        "50000",
        "Documents that may wait for a worker before uploads are answered 503; 0: any number.",
    )
    .reloadable(),
    plain(
        "limits.failures",
        "KMRL_LIMITS_FAILURES",
        "20",
        "Credentials that are not good, of one address (of IPv6 one /64) over all processes, after which the address is blocked; 0: never.",
    )
    .reloadable(),
    plain(
        "limits.failures_within",
        "KMRL_LIMITS_FAILURES_WITHIN",
        "300",
        "Seconds after which a failure is forgotten when no other followed.",
    )
    .reloadable(),
    plain(
        "limits.block",
        "KMRL_LIMITS_BLOCK",
        "900",
        "Seconds that an address is blocked.",
    )
    .reloadable(),
    plain(
        "limits.never_blocked",
        "KMRL_LIMITS_NEVER_BLOCKED",
        "127.0.0.0/8,::1",
        "Addresses and networks, separated by commas, that are never blocked.",
    )
    .reloadable(),
    plain(
        "health.lag",
        "KMRL_HEALTH_LAG",
        "60",
        "Seconds that the relay, a projection or the notary may be behind the log before health calls it degraded.",
    )
    .reloadable(),
    plain(
        "health.queue_jobs",
        "KMRL_HEALTH_QUEUE_JOBS",
        "10000",
        "Jobs that may wait for a worker before health calls the queue degraded.",
    )
    .reloadable(),
    plain(
        "health.queue_wait",
        "KMRL_HEALTH_QUEUE_WAIT",
        "900",
        "Seconds that a job may wait for a worker before health calls the queue degraded.",
    )
    .reloadable(),
    plain(
        "health.disk_free_bytes",
        "KMRL_HEALTH_DISK_FREE_BYTES",
        "1073741824",
        "Bytes (1 GiB) under which health calls the disk of the data folder degraded; uploads need several times the largest file.",
    )
    .reloadable(),
    plain(
        "health.clock_skew",
        "KMRL_HEALTH_CLOCK_SKEW",
        "2",
        "Seconds that this machine's clock may differ from the database's before health calls it degraded.",
    )
    .reloadable(),
    plain(
        "health.jail_every",
        "KMRL_HEALTH_JAIL_EVERY",
        "300",
        "Seconds after which health tries again what readers of documents are refused, which starts two processes.",
    ),
    plain(
        "notary.every",
        "KMRL_LOG_CHECKPOINT_EVERY",
        "5",
        "Seconds between signed checkpoints of the event log, while it grows.",
    ),
    plain(
        "notary.key_file",
        "KMRL_LOG_KEY_FILE",
        "",
        "File with the key that signs checkpoints, made with mode 0600 at the first. Absent: `log-signing-key` in the data folder. All processes with the projector role need the same.",
    ),
    plain(
        "notary.lock_days",
        "KMRL_LOG_LOCK_DAYS",
        "0",
        "Days that copies of the log's hashes and checkpoints are locked against deletion in the object store, up to 36500; 0: not locked.",
    ),
    plain(
        "retention",
        "KMRL_RETENTION",
        "",
        "How long documents are kept: `source=scan,department=finance,days=3650;days=7300`; source and department may be left out, and the first rule that fits a document counts. In TOML a list, `[[retention]]` with `source`, `department`, `days`. After that time, 0 to 36500 days from the upload, their erasure is requested, and a person approves it. Absent: they are kept.",
    )
    .reloadable(),
    plain(
        "erasure.sweep_every",
        "KMRL_ERASURE_SWEEP_EVERY",
        "60",
        "Seconds between looks for documents that were kept long enough, and for remains of erased ones.",
    ),
    plain(
        "log.filter",
        "KMRL_LOG",
        "info,sqlx=warn,async_nats=warn",
        "What is logged, as tracing's filter: `info`, `debug`, `kmrl_gateway=debug,warn`.",
    )
    .reloadable(),
    plain(
        "log.format",
        "KMRL_LOG_FORMAT",
        "auto",
        "`human`, `json`, or `auto`: human on a terminal.",
    ),
    plain(
        "traces.endpoint",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "",
        "Base address of a collector of OpenTelemetry that takes OTLP over HTTP with protobuf, such as `http://127.0.0.1:4318`, without TLS: put a collector beside the gateway. Absent: there are no traces.",
    ),
    plain(
        "traces.service",
        "OTEL_SERVICE_NAME",
        "kmrl-gateway",
        "Name of this service in traces.",
    ),
    plain(
        "engines.dir",
        "KMRL_ENGINES_DIR",
        "./.engines",
        "Folder with engine binaries that are not on the system.",
    ),
    plain(
        "engines.postgres_bin",
        "KMRL_PG_BIN",
        "",
        "Folder with `postgres` and `initdb` for the embedded engine. Absent: searched for.",
    ),
    plain(
        "engines.nats_bin",
        "KMRL_NATS_BIN",
        "",
        "`nats-server` for the embedded engine. Absent: searched for.",
    ),
];

/// The table as a Markdown document.
#[must_use]
pub fn markdown() -> String {
    let mut out = String::from(
        "# Settings\n\nWritten by `kmrl-gateway config table`. A flag beats the environment, the environment beats the TOML file\n(`--config FILE` or `KMRL_CONFIG`). All are checked at start and all errors are told at once\n(`kmrl-gateway config check`). Those with a mark under SIGHUP take effect when the process gets that signal: the\nfile is read again (environment and flags of a process stay). Settings that cannot be used leave those before in force.\n\nA secret has no flag, which every user of the machine would see. It may be in a file of its own that `NAME_FILE` in\nthe environment names, as Docker and Kubernetes hand them out: the file's text without one newline at its end, at most\n64 KiB. `NAME` and `NAME_FILE` at once are an error; a file that every user can read is warned of.\n\n| flag | environment | TOML | default | SIGHUP | what it is |\n|---|---|---|---|---|---|\n",
    );
    for s in SETTINGS {
        let default = if s.default.is_empty() {
            String::new()
        } else {
            format!("`{}`", s.default)
        };
        let file = s.file_env().map(|name| format!(" or `{name}`"));
        out.push_str(&format!(
            "| {} | `{}`{} | `{}` | {default} | {} | {} |\n",
            if s.secret {
                String::new()
            } else {
                format!("`--{}`", s.flag())
            },
            s.env,
            file.unwrap_or_default(),
            s.key,
            if s.reloadable { "✓" } else { "" },
            s.help.replace('|', "\\|"),
        ));
    }
    out
}
