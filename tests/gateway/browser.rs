//! What browsers are told: which pages may ask (CORS), and what every answer forbids them.

use crate::harness::{Gateway, World, expect_problem, signal};
use crate::support::eventually;
use crate::support::scrape::Scraped;
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PORTAL: &str = "https://portal.example";

fn from(page: &str, request: RequestBuilder) -> RequestBuilder {
    request.header("origin", page)
}

/// As a browser asks before it asks: without a credential.
async fn preflight(gateway: &Gateway, page: &str, path: &str, method: &str) -> Response {
    let request = Client::new().request(Method::OPTIONS, format!("{}{path}", gateway.base));
    let request = request
        .header("access-control-request-method", method)
        .header("access-control-request-headers", "x-api-key,if-match");
    from(page, request).send().await.unwrap()
}

fn allowed(answer: &Response) -> Option<&str> {
    let value = answer.headers().get("access-control-allow-origin")?;
    value.to_str().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_listed_origins_may_ask_and_others_may_not() {
    let world = World::with(&[("KMRL_HTTP_ALLOWED_ORIGINS", PORTAL)]).await;
    let gateway = world.start();
    let path = "/api/v1/documents/00000000-0000-0000-0000-000000000001/withdraw";

    let answer = preflight(&gateway, PORTAL, path, "POST").await;
    assert_eq!(answer.status(), 204);
    assert_eq!(allowed(&answer), Some(PORTAL));
    let headers = answer.headers();
    assert!(!headers.contains_key("access-control-allow-credentials"));
    let told = |name: &str| headers[name].to_str().unwrap().to_owned();
    assert!(told("access-control-allow-methods").contains("POST"));
    let may_send = told("access-control-allow-headers");
    for header in ["x-api-key", "authorization", "if-match", "idempotency-key"] {
        assert!(may_send.contains(header), "{may_send}");
    }
    // For them a refusal can be read as well, without what only problems made anew would lose.
    let request = Client::new().get(format!("{}/api/v1/documents/", gateway.base));
    let denied = from(PORTAL, request).send().await.unwrap();
    assert_eq!(allowed(&denied), Some(PORTAL));
    let exposed = denied.headers()["access-control-expose-headers"].clone();
    for header in [
        "etag",
        "location",
        "retry-after",
        "content-range",
        "x-request-id",
    ] {
        assert!(exposed.to_str().unwrap().contains(header), "{exposed:?}");
    }
    expect_problem(denied, 401, "unauthorized").await;

    for page in ["https://evil.example", "null", "http://portal.example"] {
        let answer = preflight(&gateway, page, path, "POST").await;
        assert_eq!(allowed(&answer), None, "{page}");
        expect_problem(answer, 405, "method-not-allowed").await;
        let answer = from(page, gateway.get("/api/v1/documents/")).send();
        let answer = answer.await.unwrap();
        // The key is good: it is the browser that keeps the answer from such a page.
        assert_eq!((answer.status().as_u16(), allowed(&answer)), (200, None));
        assert_eq!(answer.headers()["vary"], "origin");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_list_nobody_is_allowed_and_a_list_is_read_again() {
    let world = World::new().await;
    let file = world.data.path().join("gateway.toml");
    std::fs::write(&file, "").unwrap();
    let mut command = world.command("api,relay,projector,worker");
    command.env("KMRL_CONFIG", &file);
    let gateway = Gateway::spawn(command);
    let answer = preflight(&gateway, PORTAL, "/api/v1/documents/", "GET").await;
    assert_eq!((answer.status().as_u16(), allowed(&answer)), (405, None));
    let opened = async || {
        let headers = [("x-api-key", crate::harness::KEY), ("origin", PORTAL)];
        gateway.socket_with("/ws", &headers).await.err()
    };
    assert_eq!(opened().await, Some(403));

    let listed = format!("[http]\nallowed_origins = [{}]\n", json!(PORTAL));
    std::fs::write(&file, listed).unwrap();
    signal(gateway.pid(), "HUP");
    eventually("the list is read", || async {
        let answer = preflight(&gateway, PORTAL, "/api/v1/documents/", "GET").await;
        (allowed(&answer) == Some(PORTAL)).then_some(())
    })
    .await;
    assert_eq!(opened().await, None);
    let applied = "kmrl_config_reloads_total{outcome=\"applied\"}";
    assert_eq!(Scraped::of(&gateway).await.get(applied), Some(1.0));
}

/// What has to be on every answer.
fn hardened(what: &str, headers: &HeaderMap) {
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("x-frame-options", "DENY"),
    ] {
        assert_eq!(headers[name], value, "{what}");
    }
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'"), "{what}: {policy}");
    assert!(
        policy.contains("frame-ancestors 'none'"),
        "{what}: {policy}"
    );
    assert!(!policy.contains("unsafe"), "{what}: {policy}");
    let permissions = headers["permissions-policy"].to_str().unwrap();
    assert!(permissions.contains("camera=()"), "{what}");
    assert!(!headers.contains_key("server"), "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_forbids_what_browsers_could_do_with_it() {
    let world = World::new().await;
    let gateway = world.start();
    let document = gateway.upload("a.txt", "words").await;
    let id = document["id"].as_str().unwrap();
    gateway.finished(id).await;
    let own = format!("/api/v1/documents/{id}");
    let download = format!("{own}/download");
    let stranger = Client::new();
    for (what, request, status, cache) in [
        ("a document", gateway.get(&own), 200, Some("no-store")),
        (
            "its bytes",
            gateway.get(&download),
            200,
            Some("private, no-cache"),
        ),
        (
            "a list",
            gateway.get("/api/v1/documents/"),
            200,
            Some("no-store"),
        ),
        (
            "no key",
            stranger.get(format!("{}{own}", gateway.base)),
            401,
            Some("no-store"),
        ),
        ("no route", gateway.get("/nowhere"), 404, Some("no-store")),
        (
            "no method",
            gateway.client.patch(format!("{}{own}", gateway.base)),
            405,
            Some("no-store"),
        ),
        (
            "no id",
            gateway.get("/api/v1/documents/x"),
            400,
            Some("no-store"),
        ),
        ("health", gateway.get("/health/live"), 200, Some("no-store")),
        ("the API", gateway.get("/openapi.json"), 200, None),
        ("the page", gateway.get("/docs/"), 200, None),
        ("no file of it", gateway.get("/docs/nowhere.js"), 404, None),
    ] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status, "{what}");
        hardened(what, answer.headers());
        let got = answer.headers().get("cache-control");
        assert_eq!(got.map(|v| v.to_str().unwrap()), cache, "{what}");
        // Whoever comes without TLS must not be bound to it.
        assert!(!answer.headers().contains_key("strict-transport-security"));
    }
    let large = vec![b'x'; 300 << 20];
    let refused = gateway.upload_request("large.txt", large).send().await;
    let refused = refused.unwrap();
    assert_eq!(refused.status(), 413);
    hardened("too large", refused.headers());
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_proxy_that_speaks_tls_browsers_are_bound_to_it() {
    let world = World::with(&[("KMRL_HTTP_BEHIND_TLS", "true")]).await;
    let gateway = world.start_roles("api,projector");
    for path in ["/health/live", "/nowhere", "/docs/"] {
        let answer = gateway.get(path).send().await.unwrap();
        let always = &answer.headers()["strict-transport-security"];
        assert_eq!(always, "max-age=63072000", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_the_api_runs_nothing_but_its_own_files() {
    let world = World::new().await;
    let gateway = world.start_roles("api,projector");
    let answer = gateway.get("/docs/").send().await.unwrap();
    let policy = answer.headers()["content-security-policy"].clone();
    let policy = policy.to_str().unwrap();
    assert!(
        policy.contains("script-src 'self'; style-src 'self';"),
        "{policy}"
    );
    let page = answer.text().await.unwrap();
    // Code or style in the page itself would not run.
    for tag in page.split('<').filter(|tag| tag.starts_with("script")) {
        assert!(tag.contains("src=\"./"), "{tag}");
        let file = tag.split("src=\"./").nth(1).unwrap();
        let file = file.split('"').next().unwrap();
        let script = gateway.get(&format!("/docs/{file}")).send().await.unwrap();
        assert_eq!(script.status(), 200, "{file}");
        let kind = script.headers()["content-type"].to_str().unwrap();
        assert!(kind.contains("javascript"), "{file}: {kind}");
    }
    assert!(
        !page.contains("<style") && !page.contains("style="),
        "{page}"
    );
    let start = gateway.get("/docs/swagger-initializer.js").send();
    let start = start.await.unwrap().text().await.unwrap();
    assert!(
        start.contains("/openapi.json") && start.contains("\"none\""),
        "{start}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_http_is_told_nothing_of_what_answers() {
    let world = World::new().await;
    let gateway = world.start_roles("api,projector");
    let address = gateway.base.strip_prefix("http://").unwrap();
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    socket
        .write_all(b"\x16\x03\x01 nonsense\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer).to_lowercase();
    assert!(answer.starts_with("http/1.1 400"), "{answer}");
    for word in ["server:", "hyper", "kmrl"] {
        assert!(!answer.contains(word), "{answer}");
    }
}
