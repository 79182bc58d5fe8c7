//! The OpenAPI document: written by the routes themselves, so that it cannot name others.

use super::router;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Components, OpenApi};
use utoipa::{Modify, OpenApi as _};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "KMRL Gateway",
        description = "Documents go in and come out as text, events, rows and live pushes. Errors are RFC 9457 problems.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    security(("api_key" = []), ("bearer" = [])),
    tags(
        (name = "documents", description = "Documents in and out"),
        (name = "commands", description = "What people do to documents"),
        (name = "events", description = "The log"),
        (name = "log", description = "Proofs that the log was not changed"),
        (name = "operations", description = "What waits for somebody"),
        (name = "audit", description = "Who did, saw or tried what"),
        (name = "live", description = "Live updates over WebSocket"),
        (name = "health", description = "How the gateway is"),
    ),
    modifiers(&Schemes),
)]
struct Base;

struct Schemes;

impl Modify for Schemes {
    fn modify(&self, api: &mut OpenApi) {
        let components = api.components.get_or_insert_with(Components::new);
        let key = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-API-Key")));
        components.add_security_scheme("api_key", key);
        let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        components.add_security_scheme("bearer", bearer);
    }
}

/// What stands in the document besides the routes.
pub(super) fn base() -> OpenApi {
    Base::openapi()
}

/// The whole document.
#[must_use]
pub fn document() -> OpenApi {
    router::routes().1
}
