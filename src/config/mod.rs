//! Settings: from flags, environment and an optional TOML file, in that order of strength.
//!
//! Owns names, defaults, meaning and checks. Starts nothing.

mod current;
mod door;
mod flags;
mod helpers;
mod identity;
mod judging;
mod limits;
mod networks;
mod pairs;
mod reader;
mod recognition;
mod retention;
mod secret;
mod secret_file;
mod sections;
mod stores;
mod table;
mod transport;
mod watching;

pub use current::Current;
pub use door::{ClamdPlace, ClamdSettings, DoorSettings, Policies, Policy};
pub use flags::SettingFlags;
pub use helpers::HelperSettings;
pub use identity::{IdentitySettings, TokenSettings};
pub use judging::JudgingSettings;
pub use limits::{ConnectionSettings, Exceptions, LimitSettings, Rates};
pub use networks::Networks;
pub use reader::{ConfigError, Origin, Reader, Values};
pub use recognition::RecognitionSettings;
pub use retention::{RetentionRule, RetentionRules};
pub use secret::Secret;
pub use sections::{
    EngineSettings, ErasureSettings, HttpSettings, JobSettings, LiveSettings, LogFormat,
    LogSettings, NotarySettings, OrphanSettings, UploadSettings,
};
pub use stores::{DatabaseSettings, NatsSettings, S3Credentials, S3Settings};
pub use table::{SETTINGS, Setting, markdown};
pub use transport::{ClientSettings, TlsSettings};
pub use watching::{HealthSettings, TraceSettings};

use std::path::PathBuf;

/// All settings, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Folder for documents, embedded engines, secrets and work files.
    pub data_dir: PathBuf,
    /// The first administrator's key.
    pub api_key: Option<Secret>,
    /// A second person's key, to approve erasures with.
    pub approver_key: Option<Secret>,
    /// Issued keys, and tokens of users.
    pub identity: IdentitySettings,
    /// PostgreSQL.
    pub database: DatabaseSettings,
    /// NATS.
    pub nats: NatsSettings,
    /// S3; absent: local files.
    pub s3: Option<S3Settings>,
    /// What may be uploaded.
    pub upload: UploadSettings,
    /// What the door lets in.
    pub door: DoorSettings,
    /// How documents are worked on.
    pub jobs: JobSettings,
    /// How pictures become text.
    pub recognition: RecognitionSettings,
    /// Programs that read what we do not.
    pub helpers: HelperSettings,
    /// By what texts are judged.
    pub judging: JudgingSettings,
    /// Live subscribers.
    pub live: LiveSettings,
    /// Objects that no event names.
    pub orphans: OrphanSettings,
    /// The HTTP server.
    pub http: HttpSettings,
    /// How commands reach a running gateway.
    pub client: ClientSettings,
    /// Its connections.
    pub connections: ConnectionSettings,
    /// What clients may take.
    pub limits: LimitSettings,
    /// What health calls too much.
    pub health: HealthSettings,
    /// Where traces are sent.
    pub traces: TraceSettings,
    /// Signed checkpoints of the event log.
    pub notary: NotarySettings,
    /// How long documents are kept, and their erasure.
    pub erasure: ErasureSettings,
    /// The embedded engines.
    pub engines: EngineSettings,
    /// Logs.
    pub log: LogSettings,
}

impl Settings {
    /// Reads and checks all settings.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn read(mut r: Reader) -> Result<Self, ConfigError> {
        let data_dir = sections::data_dir(&mut r);
        let settings = Self {
            notary: sections::notary(&mut r, &data_dir),
            data_dir,
            api_key: sections::api_key(&mut r),
            approver_key: sections::approver_key(&mut r),
            identity: identity::identity(&mut r),
            database: stores::database(&mut r),
            nats: stores::nats(&mut r),
            s3: stores::s3(&mut r),
            upload: sections::upload(&mut r),
            door: door::door(&mut r),
            jobs: sections::jobs(&mut r),
            recognition: recognition::recognition(&mut r),
            helpers: helpers::helpers(&mut r),
            judging: judging::read(&mut r),
            live: sections::live(&mut r),
            orphans: sections::orphans(&mut r),
            http: sections::http(&mut r),
            client: transport::client(&mut r),
            connections: limits::connections(&mut r),
            limits: limits::limits(&mut r),
            health: watching::health(&mut r),
            traces: watching::traces(&mut r),
            erasure: sections::erasure(&mut r),
            engines: sections::engines(&mut r),
            log: sections::log(&mut r),
        };
        r.finish(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn map(pairs: &[(&str, &str)]) -> HashMap<String, String> {
        pairs
            .iter()
            .map(|(k, v)| ((*k).into(), (*v).into()))
            .collect()
    }

    fn read(flags: &[(&str, &str)], env: &[(&str, &str)]) -> Result<Settings, ConfigError> {
        Settings::read(Reader::new(map(flags), map(env), None)?)
    }

    #[test]
    fn the_defaults_are_usable() {
        let s = read(&[], &[]).unwrap();
        assert_eq!(s.http.listen.to_string(), "127.0.0.1:8080");
        assert!(s.upload.sources.contains(&"maximo".to_owned()));
        assert!(s.s3.is_none() && s.database.url.is_none());
    }

    #[test]
    fn a_flag_beats_the_environment_and_that_the_file() {
        let dir = std::env::temp_dir().join(format!("kmrl-config-{}", std::process::id()));
        std::fs::write(&dir, "listen = \"127.0.0.1:1\"\n[jobs]\nworkers = 7\nmax_attempts = 9\n[upload]\nsources = [\"a\", \"b\"]\n[[retention]]\nsource = \"a\"\ndays = 30\n[[retention]]\ndays = 60\n").unwrap();
        let reader = Reader::new(
            map(&[("listen", "127.0.0.1:3")]),
            map(&[("KMRL_LISTEN", "127.0.0.1:2"), ("KMRL_JOBS_WORKERS", "5")]),
            Some(&dir),
        );
        std::fs::remove_file(&dir).unwrap();
        let s = Settings::read(reader.unwrap()).unwrap();
        assert_eq!(s.http.listen.port(), 3);
        assert_eq!(s.jobs.workers, 5);
        assert_eq!(s.jobs.max_attempts, 9);
        assert_eq!(s.upload.sources, ["a", "b"]);
        let rules: Vec<_> = s
            .erasure
            .retention
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(rules, ["source=a,days=30", "days=60"]);
    }

    #[test]
    fn all_errors_are_told_at_once_and_no_secret_is_shown() {
        let error = read(
            &[("jobs.soft_limit", "300")],
            &[
                ("KMRL_LISTEN", "nowhere"),
                ("KMRL_API_KEY", "tooshort"),
                ("KMRL_APPROVER_KEY", "tooshort"),
                ("KMRL_RETENTION", "source=scan"),
                ("KMRL_REVIEW_BELOW", "7"),
                ("KMRL_DEPARTMENT_RULES", "/nowhere.toml"),
                ("KMRL_WORKERZ", "1"),
                ("S3_ENDPOINT", "ftp://x"),
                ("KMRL_DOOR_MACROS", "perhaps"),
                ("KMRL_DOOR_TYPES", "pdf,.exe"),
                ("KMRL_DOOR_MAX_BYTES", "txt"),
                ("KMRL_CLAMD_ADDRESS", "127.0.0.1"),
                ("KMRL_JWT_SECRET", "tooshort"),
                ("KMRL_JWT_JWKS_URL", "http://sso.example/keys"),
            ],
        )
        .unwrap_err()
        .to_string();
        for part in [
            "KMRL_LISTEN",
            "KMRL_API_KEY",
            "KMRL_APPROVER_KEY",
            "KMRL_RETENTION",
            "KMRL_REVIEW_BELOW",
            "KMRL_DEPARTMENT_RULES",
            "KMRL_WORKERZ",
            "S3_ENDPOINT",
            "S3_BUCKET",
            "KMRL_JOBS_HARD_LIMIT",
            "KMRL_DOOR_MACROS",
            "KMRL_DOOR_TYPES",
            "KMRL_DOOR_MAX_BYTES",
            "KMRL_CLAMD_ADDRESS",
            "KMRL_JWT_SECRET",
            "KMRL_JWT_JWKS_URL",
            "KMRL_JWT_ISSUER",
        ] {
            assert!(error.contains(part), "{part} is not in:\n{error}");
        }
        assert!(!error.contains("tooshort"));
    }

    #[test]
    fn secrets_do_not_debug() {
        let secrets: Vec<_> = SETTINGS.iter().filter(|setting| setting.secret).collect();
        let marker = |n: usize| format!("marker-{n:03}-of-more-than-32-bytes-each");
        let given = |(n, setting): (usize, &&Setting)| match setting.key {
            // Their passwords are settings of their own here.
            "database_url" => (setting.env.to_owned(), "postgres://kmrl@h/k".to_owned()),
            "nats_url" => (setting.env.to_owned(), "nats://kmrl@h".to_owned()),
            _ => (setting.env.to_owned(), marker(n)),
        };
        let mut environment: HashMap<_, _> = secrets.iter().enumerate().map(given).collect();
        environment.insert("S3_BUCKET".into(), "b".into());
        let settings = Settings::read(Reader::new(HashMap::new(), environment, None).unwrap());
        let settings = settings.unwrap();
        let url = settings.database.url.as_ref().unwrap();
        assert!(url.reveal().starts_with("postgres://kmrl:marker-"));
        let shown = format!("{settings:?}{settings:#?}");
        assert!(!shown.contains("marker-"), "{shown}");
    }

    #[test]
    fn a_password_of_its_own_becomes_a_part_of_the_address_and_is_given_once() {
        let url = "postgres://kmrl@db/kmrl";
        let s = read(
            &[],
            &[("DATABASE_URL", url), ("DATABASE_PASSWORD", "a/b@c")],
        )
        .unwrap();
        let whole = s.database.url.unwrap();
        assert_eq!(whole.reveal(), "postgres://kmrl:a%2Fb%40c@db/kmrl");
        for wrong in ["postgres://kmrl:x@db/kmrl", "postgres://db/kmrl", ""] {
            let given = [("DATABASE_URL", wrong), ("DATABASE_PASSWORD", "secret")];
            let error = read(&[], &given).unwrap_err().to_string();
            assert!(error.contains("DATABASE_PASSWORD"), "{error}");
            assert!(!error.contains("secret`"));
        }
    }

    #[test]
    fn a_file_that_is_no_toml_is_told_without_its_lines() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "[jobs]\napi_key = \"the-secret\nx = 1\n").unwrap();
        let error = Reader::new(map(&[]), map(&[]), Some(file.path()));
        let error = error.err().unwrap();
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("line 2"), "{shown}");
        assert!(!shown.contains("the-secret"), "{shown}");
    }
}
