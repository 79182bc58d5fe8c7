//! What the gateway stands on: PostgreSQL, NATS, S3, and the secrets that they ask for.

use super::reader::Reader;
use super::secret::Secret;
use super::sections::number;
use url::Url;

/// PostgreSQL.
#[derive(Clone, Debug)]
pub struct DatabaseSettings {
    /// Absent: `up` starts its own.
    pub url: Option<Secret>,
    /// Most connections of this process.
    pub max_connections: u32,
}

/// NATS.
#[derive(Clone, Debug)]
pub struct NatsSettings {
    /// Absent: `up` starts its own.
    pub url: Option<Secret>,
    /// First word of subjects and streams.
    pub prefix: String,
}

/// Where documents are kept when not in local files.
#[derive(Clone, Debug)]
pub struct S3Settings {
    /// Bucket.
    pub bucket: String,
    /// Server other than AWS.
    pub endpoint: Option<String>,
    /// Region.
    pub region: String,
    /// Absent: as AWS's own tools find them.
    pub credentials: Option<S3Credentials>,
}

/// A key for the bucket.
#[derive(Clone, Debug)]
pub struct S3Credentials {
    /// Its id.
    pub access_key_id: Secret,
    /// The key.
    pub secret_access_key: Secret,
    /// Of a temporary key.
    pub session_token: Option<Secret>,
}

pub(super) fn database(r: &mut Reader) -> DatabaseSettings {
    let url: Option<String> = r.optional("database_url");
    if url
        .as_ref()
        .is_some_and(|u| !u.starts_with("postgres://") && !u.starts_with("postgresql://"))
    {
        r.error("database_url", "must begin with postgres://");
    }
    DatabaseSettings {
        url: with_password(r, url, "database_url", "database.password"),
        max_connections: number(r, "database.max_connections", 4, 500),
    }
}

pub(super) fn nats(r: &mut Reader) -> NatsSettings {
    let url: Option<String> = r.optional("nats_url");
    let prefix: String = r.required("nats.prefix", String::new());
    if prefix.is_empty() || !prefix.chars().all(|c| c.is_ascii_alphanumeric()) {
        r.error("nats.prefix", "must be letters and digits");
    }
    NatsSettings {
        url: with_password(r, url, "nats_url", "nats.password"),
        prefix,
    }
}

/// An address, with the password of a setting of its own in it when there is one.
fn with_password(
    r: &mut Reader,
    url: Option<String>,
    url_key: &str,
    password_key: &str,
) -> Option<Secret> {
    let Some(password) = r.optional::<String>(password_key) else {
        return url.map(Secret::new);
    };
    let Some(mut parsed) = url.as_deref().and_then(|url| Url::parse(url).ok()) else {
        let what = format!("needs {url_key} with the address and the user's name");
        r.error(password_key, &what);
        return None;
    };
    if parsed.password().is_some() {
        r.error(
            password_key,
            &format!("is there, and {url_key} has a password too; only one may be given"),
        );
    } else if parsed.username().is_empty() || parsed.set_password(Some(&password)).is_err() {
        r.error(password_key, &format!("needs a user's name in {url_key}"));
    }
    Some(Secret::new(parsed.into()))
}

pub(super) fn s3(r: &mut Reader) -> Option<S3Settings> {
    let (bucket, endpoint) = (
        r.optional::<String>("s3.bucket"),
        r.optional::<String>("s3.endpoint"),
    );
    if let Some(e) = &endpoint
        && !e.starts_with("http://")
        && !e.starts_with("https://")
    {
        r.error("s3.endpoint", "must begin with http:// or https://");
    }
    if endpoint.is_some() && bucket.is_none() {
        r.error("s3.bucket", "is needed when there is an endpoint");
    }
    let region = r.required("s3.region", String::new());
    let credentials = s3_credentials(r);
    bucket.map(|bucket| S3Settings {
        bucket,
        endpoint,
        region,
        credentials,
    })
}

fn s3_credentials(r: &mut Reader) -> Option<S3Credentials> {
    let mut secret = |key| r.optional::<String>(key).map(Secret::new);
    let id = secret("s3.access_key_id");
    let key = secret("s3.secret_access_key");
    let session_token = secret("s3.session_token");
    match (id, key) {
        (Some(access_key_id), Some(secret_access_key)) => Some(S3Credentials {
            access_key_id,
            secret_access_key,
            session_token,
        }),
        (None, None) => None,
        (Some(_), None) => {
            r.error("s3.secret_access_key", "is needed beside s3.access_key_id");
            None
        }
        (None, Some(_)) => {
            r.error("s3.access_key_id", "is needed beside s3.secret_access_key");
            None
        }
    }
}
