//! The S3 client: where it connects, how often it tries and how long it waits.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Builder as S3Config, Credentials, Region};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

use crate::config::S3Settings;

/// Tries of one call, the first included.
const ATTEMPTS: u32 = 3;
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// One try of a call that carries no object: until the answer's head has come.
pub(super) const CALL_LIMIT: Duration = Duration::from_secs(20);

/// What all calls share. Credentials come from AWS's own sources unless the settings name them.
pub(super) fn loader(settings: &S3Settings) -> ConfigLoader {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let loader = aws_config::defaults(BehaviorVersion::v2026_01_12());
    let loader = match credentials(settings) {
        Some(credentials) => loader.credentials_provider(credentials),
        None => loader,
    };
    loader
        .http_client(http)
        .region(Region::new(settings.region.clone()))
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
        .timeout_config(timeouts(CALL_LIMIT))
}

fn credentials(settings: &S3Settings) -> Option<Credentials> {
    let given = settings.credentials.as_ref()?;
    let token = given.session_token.as_ref();
    Some(Credentials::new(
        given.access_key_id.reveal(),
        given.secret_access_key.reveal(),
        token.map(|token| token.reveal().to_owned()),
        None,
        "settings",
    ))
}

pub(super) fn client(settings: &S3Settings, shared: &SdkConfig) -> Client {
    let mut config = S3Config::from(shared).force_path_style(settings.endpoint.is_some());
    if let Some(endpoint) = &settings.endpoint {
        config = config.endpoint_url(endpoint);
    }
    Client::from_conf(config.build())
}

/// The limit covers sending the request, its body included, and waiting for the answer's head.
/// Reading the body of an answer has the SDK's own guard against streams that stall.
pub(super) fn timeouts(attempt: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_LIMIT)
        .operation_attempt_timeout(attempt)
        .build()
}
