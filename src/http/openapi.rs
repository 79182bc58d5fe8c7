//! The OpenAPI document: written by the routes themselves, so that it cannot name others.

use super::router;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Components, ContentBuilder, OpenApi, Ref, ResponseBuilder};
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
        (name = "keys", description = "API keys"),
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

/// Every route behind the gate may answer that it does not let the request through.
pub(super) fn behind_the_gate(mut api: OpenApi) -> OpenApi {
    for item in api.paths.paths.values_mut() {
        let operations = [
            &mut item.get,
            &mut item.post,
            &mut item.put,
            &mut item.delete,
        ];
        for operation in operations.into_iter().flatten() {
            let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("ProblemBody")));
            let forbidden = ResponseBuilder::new()
                .description("The credential does not allow it")
                .content("application/problem+json", problem.build())
                .build();
            let responses = &mut operation.responses.responses;
            responses.entry("403".into()).or_insert(forbidden.into());
        }
    }
    api
}

/// The whole document.
#[must_use]
pub fn document() -> OpenApi {
    router::routes().1
}
