//! The keys that an issuer publishes: fetched when they are first needed, again from time to time, and
//! at once when a token names one that is not known, but not more often than a made-up token could cause harm.

use crate::identity::Unproved;
use futures::StreamExt;
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Keys older than this are fetched again.
const FRESH: Duration = Duration::from_secs(300);
/// Keys older than this are not used any more, when they cannot be fetched.
const STALE: Duration = Duration::from_secs(3_600);
/// Least time between two fetches.
const PAUSE: Duration = Duration::from_secs(5);
/// Longest fetch.
const PATIENCE: Duration = Duration::from_secs(5);
/// Largest answer of an issuer, in bytes.
const LARGEST: usize = 1 << 20;

#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("asking the issuer")]
    Http(#[from] reqwest::Error),
    #[error("the issuer's answer has more than {LARGEST} bytes")]
    TooLarge,
    #[error("the issuer's answer has not its form")]
    Form(#[from] serde_json::Error),
    #[error("the discovery document is of another issuer")]
    OtherIssuer,
}

enum Place {
    /// Where the keys are.
    Keys(String),
    /// Whose discovery document says where they are.
    Issuer(String),
}

/// Keys of an issuer.
pub(super) struct PublishedKeys {
    place: Place,
    client: reqwest::Client,
    known: Mutex<Known>,
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    keys: Option<(Instant, Arc<JwkSet>)>,
    tried: Option<Instant>,
}

impl PublishedKeys {
    pub(super) fn at(url: String) -> Result<Self, reqwest::Error> {
        Self::new(Place::Keys(url))
    }

    pub(super) fn of(issuer: String) -> Result<Self, reqwest::Error> {
        Self::new(Place::Issuer(issuer))
    }

    fn new(place: Place) -> Result<Self, reqwest::Error> {
        Ok(Self {
            place,
            client: reqwest::Client::builder()
                .timeout(PATIENCE)
                .redirect(reqwest::redirect::Policy::none())
                .build()?,
            known: Mutex::default(),
            fetching: tokio::sync::Mutex::default(),
        })
    }

    /// The key that a token names, if it may be used with the token's algorithm.
    pub(super) async fn find(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<DecodingKey, Unproved> {
        let keys = self.keys(kid).await?;
        let jwk = pick(&keys, kid).filter(|jwk| may_verify(jwk, algorithm));
        let key = jwk.map(DecodingKey::from_jwk).transpose();
        key.ok().flatten().ok_or(Unproved::NotGood)
    }

    /// The keys, fetched again when they are old or lack the one named. One caller fetches; whoever
    /// needs what is not known waits for it, and nobody else.
    async fn keys(&self, kid: Option<&str>) -> Result<Arc<JwkSet>, Unproved> {
        if let Some(keys) = self.fresh(kid) {
            return Ok(keys);
        }
        let _one = self.fetching.lock().await;
        if let Some(keys) = self.fresh(kid) {
            return Ok(keys);
        }
        if self.is_time() {
            match self.fetch().await {
                Ok(keys) => self.known().keys = Some((Instant::now(), Arc::new(keys))),
                Err(error) => {
                    let error: &(dyn std::error::Error + 'static) = &error;
                    tracing::warn!(error, "the issuer's keys cannot be fetched");
                }
            }
        }
        match &self.known().keys {
            Some((fetched, keys)) if fetched.elapsed() < STALE => Ok(Arc::clone(keys)),
            _ => Err(Unproved::Unavailable(
                "the issuer's keys are not known".into(),
            )),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The keys, if they are new enough and have the one named.
    fn fresh(&self, kid: Option<&str>) -> Option<Arc<JwkSet>> {
        let known = self.known();
        let (fetched, keys) = known.keys.as_ref()?;
        let usable = fetched.elapsed() < FRESH && pick(keys, kid).is_some();
        usable.then(|| Arc::clone(keys))
    }

    /// Whether it may be fetched again; if so, that is now.
    fn is_time(&self) -> bool {
        let mut known = self.known();
        let is_time = known.tried.is_none_or(|tried| tried.elapsed() >= PAUSE);
        if is_time {
            known.tried = Some(Instant::now());
        }
        is_time
    }

    async fn fetch(&self) -> Result<JwkSet, FetchError> {
        #[derive(Deserialize)]
        struct Discovery {
            issuer: String,
            jwks_uri: String,
        }
        let issuer = match &self.place {
            Place::Keys(url) => return self.json(url).await,
            Place::Issuer(issuer) => issuer,
        };
        let base = issuer.trim_end_matches('/');
        let url = format!("{base}/.well-known/openid-configuration");
        let discovery: Discovery = self.json(&url).await?;
        // OpenID Connect Discovery 1.0, section 4.3.
        if discovery.issuer != *issuer {
            return Err(FetchError::OtherIssuer);
        }
        self.json(&discovery.jwks_uri).await
    }

    async fn json<T: DeserializeOwned>(&self, url: &str) -> Result<T, FetchError> {
        let response = self.client.get(url).send().await?.error_for_status()?;
        let mut body = Vec::new();
        let mut stream = response.bytes_stream();
        while let Some(chunk) = stream.next().await {
            body.extend_from_slice(&chunk?);
            if body.len() > LARGEST {
                return Err(FetchError::TooLarge);
            }
        }
        Ok(serde_json::from_slice(&body)?)
    }
}

/// The key named, or the only one there is when none is named.
fn pick<'a>(keys: &'a JwkSet, kid: Option<&str>) -> Option<&'a Jwk> {
    match (kid, keys.keys.as_slice()) {
        (Some(kid), _) => keys.find(kid),
        (None, [only]) => Some(only),
        (None, _) => None,
    }
}

/// A key for encryption, or of another algorithm, checks no signature.
fn may_verify(jwk: &Jwk, algorithm: Algorithm) -> bool {
    let common = &jwk.common;
    let for_signatures = !matches!(common.public_key_use, Some(PublicKeyUse::Encryption));
    let same =
        |named: jsonwebtoken::jwk::KeyAlgorithm| named.to_string() == format!("{algorithm:?}");
    for_signatures && common.key_algorithm.is_none_or(same)
}
