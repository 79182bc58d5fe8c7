//! Who may come in: how issued keys are hashed, and how tokens of users are checked.

use super::reader::Reader;
use super::secret::Secret;
use std::time::Duration;

/// Shortest shared secret, in bytes: as long as the hash (RFC 7518, section 3.2).
const SHORTEST_SECRET: usize = 32;

/// How identities are proved, beside the keys of the settings.
#[derive(Clone, Debug)]
pub struct IdentitySettings {
    /// What the secrets of issued keys are hashed with; absent: kept in the data folder.
    pub pepper: Option<Secret>,
    /// Tokens of users.
    pub tokens: TokenSettings,
}

/// How tokens of users are checked.
#[derive(Clone, Debug)]
pub struct TokenSettings {
    /// Shared secret of HS256.
    pub secret: Option<Secret>,
    /// Who issues tokens: `iss`.
    pub issuer: Option<String>,
    /// Whom tokens are for: `aud`.
    pub audience: Option<String>,
    /// Where the issuer's keys are; absent: as the issuer's discovery document says.
    pub jwks_url: Option<String>,
    /// How far clocks may differ.
    pub leeway: Duration,
    /// Where roles are among the claims, with dots between names.
    pub roles_claim: String,
    /// Where departments are among the claims.
    pub departments_claim: String,
    /// A token that names no departments is good for all of them.
    pub all_departments: bool,
}

pub(super) fn identity(r: &mut Reader) -> IdentitySettings {
    let pepper: Option<String> = r.optional("keys.pepper");
    if pepper.as_ref().is_some_and(|p| p.len() < SHORTEST_SECRET) {
        r.error("keys.pepper", "must have at least 32 bytes");
    }
    IdentitySettings {
        pepper: pepper.map(Secret::new),
        tokens: tokens(r),
    }
}

fn tokens(r: &mut Reader) -> TokenSettings {
    let secret: Option<String> = r.optional("jwt.secret");
    if secret.as_ref().is_some_and(|s| s.len() < SHORTEST_SECRET) {
        r.error("jwt.secret", "must have at least 32 bytes");
    }
    let settings = TokenSettings {
        secret: secret.map(Secret::new),
        issuer: r.optional("jwt.issuer"),
        audience: r.optional("jwt.audience"),
        jwks_url: r.optional("jwt.jwks_url"),
        leeway: Duration::from_secs(r.number("jwt.leeway", 0, 300)),
        roles_claim: r.required("jwt.roles_claim", String::new()),
        departments_claim: r.required("jwt.departments_claim", String::new()),
        all_departments: r.required("jwt.all_departments", false),
    };
    let asks_an_issuer = settings.jwks_url.is_some() || settings.secret.is_none();
    if settings.jwks_url.is_some() && settings.issuer.is_none() {
        r.error("jwt.issuer", "is needed where an issuer's keys are used");
    }
    if settings.issuer.is_some() && asks_an_issuer && settings.audience.is_none() {
        r.error(
            "jwt.audience",
            "is needed: an issuer's tokens for others must not be good here",
        );
    }
    for (key, url) in [
        (
            "jwt.issuer",
            settings.issuer.as_ref().filter(|_| asks_an_issuer),
        ),
        ("jwt.jwks_url", settings.jwks_url.as_ref()),
    ] {
        if url.is_some_and(|url| !is_safe(url)) {
            r.error(
                key,
                "must begin with https://, or http:// and a loopback address",
            );
        }
    }
    settings
}

/// Keys that came over an open line could be anybody's.
fn is_safe(url: &str) -> bool {
    let local = ["http://127.0.0.1", "http://[::1]", "http://localhost"];
    let of_host = |rest: &str| rest.is_empty() || rest.starts_with([':', '/']);
    url.starts_with("https://")
        || local
            .iter()
            .any(|start| url.strip_prefix(start).is_some_and(of_host))
}

#[cfg(test)]
mod tests {
    use super::is_safe;

    #[test]
    fn keys_are_fetched_over_safe_lines_alone() {
        for good in [
            "https://sso.example/realms/a",
            "http://127.0.0.1:9/",
            "http://localhost",
        ] {
            assert!(is_safe(good), "{good}");
        }
        for bad in [
            "http://sso.example",
            "http://127.0.0.1.example/",
            "http://localhost@x",
            "file:///etc",
        ] {
            assert!(!is_safe(bad), "{bad}");
        }
    }
}
