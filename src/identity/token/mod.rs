//! Tokens of users: JSON Web Tokens (RFC 7519) signed with a shared secret (HS256), or by an issuer whose keys
//! are published (OpenID Connect Discovery 1.0, RFC 7517).
//!
//! Which algorithm is taken is decided here and by the key, never by the token alone (RFC 8725, section
//! 3.1): HS256 only with the shared secret, asymmetric ones only with a published key of that family.

mod claims;
mod crypto;
mod published;

use super::{Principal, Unproved};
use crate::config::TokenSettings;
use claims::Claims;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use published::PublishedKeys;

/// Longest token looked at, in bytes.
const LONGEST: usize = 8 * 1024;
/// What an issuer may sign with.
const ASYMMETRIC: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// Checks tokens.
pub struct Tokens {
    settings: TokenSettings,
    shared: Option<DecodingKey>,
    published: Option<PublishedKeys>,
}

/// A token of three parts; whether it is a good one is not known yet.
pub(super) fn looks_like_one(text: &str) -> bool {
    text.len() <= LONGEST && text.bytes().filter(|b| *b == b'.').count() == 2
}

impl Tokens {
    /// By the settings; `None` when they name neither a secret nor an issuer.
    ///
    /// # Errors
    /// When no client for the issuer's keys can be made.
    pub fn new(settings: TokenSettings) -> Result<Option<Self>, reqwest::Error> {
        crypto::install();
        let shared = settings.secret.as_ref();
        let shared = shared.map(|s| DecodingKey::from_secret(s.reveal().as_bytes()));
        let discovered = settings.issuer.clone().filter(|_| shared.is_none());
        let published = match (&settings.jwks_url, discovered) {
            (Some(url), _) => Some(PublishedKeys::at(url.clone())?),
            (None, Some(issuer)) => Some(PublishedKeys::of(issuer)?),
            (None, None) => None,
        };
        let any = shared.is_some() || published.is_some();
        Ok(any.then_some(Self {
            settings,
            shared,
            published,
        }))
    }

    pub(super) async fn prove(&self, token: &str) -> Result<Principal, Unproved> {
        let not_good = |error: jsonwebtoken::errors::Error| {
            tracing::debug!(%error, "a token was not taken");
            Unproved::NotGood
        };
        let header = decode_header(token).map_err(not_good)?;
        // What must be understood and is not (RFC 7515, section 4.1.11) makes a token useless.
        if header.crit.is_some() {
            return Err(Unproved::NotGood);
        }
        let claims = match (header.alg, &self.shared, &self.published) {
            (Algorithm::HS256, Some(key), _) => self.check(token, key, Algorithm::HS256),
            (algorithm, _, Some(published)) if ASYMMETRIC.contains(&algorithm) => {
                let key = published.find(header.kid.as_deref(), algorithm).await?;
                self.check(token, &key, algorithm)
            }
            _ => return Err(Unproved::NotGood),
        };
        claims.map_err(not_good)?.principal(&self.settings)
    }

    fn check(
        &self,
        token: &str,
        key: &DecodingKey,
        algorithm: Algorithm,
    ) -> Result<Claims, jsonwebtoken::errors::Error> {
        let mut validation = Validation::new(algorithm);
        validation.leeway = self.settings.leeway.as_secs();
        validation.validate_nbf = true;
        let mut required = vec!["exp", "sub"];
        if let Some(issuer) = &self.settings.issuer {
            validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        if let Some(audience) = &self.settings.audience {
            validation.set_audience(&[audience]);
            required.push("aud");
        }
        validation.set_required_spec_claims(&required);
        Ok(decode::<Claims>(token, key, &validation)?.claims)
    }
}
