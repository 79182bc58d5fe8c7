//! API8 and API9: what is told of the inside, and what is served that nobody knows of.

use super::{NOBODYS, operations};
use crate::harness::World;
use reqwest::{Client, Method};
use serde_json::json;
use std::collections::BTreeSet;

/// API8, security misconfiguration: answers tell nothing of the inside, whatever they are asked.
#[tokio::test(flavor = "multi_thread")]
async fn api8_no_answer_tells_of_the_inside() {
    let world = World::new().await;
    let gateway = world.start();
    let id = gateway.upload("a.txt", "x").await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let data = world.data.path().display().to_string();
    let inner = [
        "panicked",
        "stack backtrace",
        ".rs:",
        "sqlx",
        "postgres",
        "SELECT ",
        "nats://",
        "/root",
        "RUST_",
        "error returned from database",
        &data,
        &world.database.url,
    ];
    let nonsense = [
        "%00",
        "'",
        "1;DROP TABLE events",
        "%F0%9F%9A%87",
        "../../etc/passwd",
        "${jndi:ldap://x}",
        "{{7*7}}",
    ];
    for (method, path, operation) in operations(&gateway).await {
        if path.contains("/stream") || path.starts_with("/ws") || path == "/openapi.json" {
            continue;
        }
        let parameters = operation["parameters"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        for word in nonsense {
            let query = parameters
                .iter()
                .filter(|p| p["in"] == "query")
                .find_map(|p| p["name"].as_str());
            let query = query
                .map(|name| format!("?{name}={word}"))
                .unwrap_or_default();
            let path = path
                .replace("{id}", &id)
                .replace("{matter}", word)
                .replace("{key_id}", word);
            let path = path
                .replace("{number}", word)
                .replace("{position}", word)
                .replace("{index}", word);
            let url = format!("{}{path}{}", gateway.base, query.replace(' ', "%20"));
            let request = gateway
                .client
                .request(method.clone(), url)
                .header("if-match", "*");
            let request = request
                .header("content-type", "application/json")
                .body(format!("{{\"{word}\""));
            let answer = request.send().await.unwrap();
            assert!(
                answer.status().as_u16() < 500,
                "{method} {path}{query}: {}",
                answer.status()
            );
            assert!(answer.headers().get("server").is_none(), "{path}");
            assert!(answer.headers().get("x-powered-by").is_none(), "{path}");
            let bytes = answer.bytes().await.unwrap();
            // Health is that of PostgreSQL too, and names what it is of.
            let names_parts = ["/metrics", "/health", "/api/v1/status", "/asyncapi.json"];
            if !names_parts.iter().any(|start| path.starts_with(start)) {
                let text = String::from_utf8_lossy(&bytes);
                let leak = inner.iter().find(|inner| text.contains(**inner));
                assert!(
                    leak.is_none(),
                    "{method} {path}{query} tells {leak:?}: {text}"
                );
            }
        }
    }
}

/// API8: whatever host and origin is named, nothing of it comes back.
#[tokio::test(flavor = "multi_thread")]
async fn api8_no_foreign_host_or_origin_is_believed() {
    let world = World::new().await;
    let gateway = world.start();
    // Whatever host is asked for: nothing of it comes back.
    for host in ["evil.example", "127.0.0.1", "x:1\"", "[::1]"] {
        let request = gateway
            .get("/api/v1/documents?limit=1")
            .header("host", host);
        let answer = request.send().await.unwrap();
        assert!(
            answer.url().as_str().starts_with(&gateway.base),
            "{}",
            answer.url()
        );
        assert_eq!(answer.status(), 200, "{host}");
    }
    // Pages of others are given no right to read answers.
    let origin = gateway
        .get("/api/v1/status")
        .header("origin", "https://evil.example");
    let answer = origin.send().await.unwrap();
    assert!(
        answer
            .headers()
            .get("access-control-allow-credentials")
            .is_none()
    );
    let allowed = answer.headers().get("access-control-allow-origin");
    assert!(
        allowed.is_none_or(|value| value != "*" && value != "https://evil.example"),
        "{allowed:?}"
    );
}

/// API9, improper inventory management: nothing is served that is not in the documentation.
#[tokio::test(flavor = "multi_thread")]
async fn api9_nothing_old_or_hidden_is_served() {
    let world = World::new().await;
    let gateway = world.start();
    for path in [
        "/api",
        "/api/",
        "/api/v0/documents/",
        "/api/v2/documents/",
        "/api/v1",
        "/api/v1/",
        "/api/v1/admin",
        "/api/v1/debug",
        "/api/v1/users",
        "/api/v1/config",
        "/api/v1/documents/upload/",
        "/api/internal/keys",
        "/v1/documents/",
        "/documents/",
        "/debug",
        "/debug/pprof/",
        "/debug/vars",
        "/actuator",
        "/actuator/env",
        "/actuator/health",
        "/admin",
        "/console",
        "/env",
        "/.env",
        "/.git/HEAD",
        "/.git/config",
        "/.aws/credentials",
        "/server-status",
        "/phpinfo.php",
        "/wp-login.php",
        "/graphql",
        "/swagger.json",
        "/swagger-ui/",
        "/v3/api-docs",
        "/api-docs/openapi.json",
        "/robots.txt",
        "/favicon.ico",
        "/metrics/",
        "/health/",
        "/data/admin.key",
        "/admin.key",
        "/trace",
        "/heapdump",
        "/jolokia",
        "/ws/documents/",
    ] {
        for method in [Method::GET, Method::POST] {
            let url = format!("{}{path}", gateway.base);
            let answer = gateway
                .client
                .request(method.clone(), url)
                .send()
                .await
                .unwrap();
            let status = answer.status().as_u16();
            assert!(
                status == 404 || (status == 405 && path == "/ws/documents/"),
                "{method} {path}: {status}"
            );
        }
    }
    // Every operation has a name in the rules of who may what, but for those that are open to everybody.
    let open: BTreeSet<String> = operations(&gateway)
        .await
        .into_iter()
        .filter(|(_, _, operation)| operation["security"] == json!([{}]))
        .map(|(method, path, _)| format!("{method} {path}"))
        .collect();
    let stranger = Client::new();
    for (method, path, _) in operations(&gateway).await {
        let path = path.replace("{id}", NOBODYS);
        let answer = stranger
            .request(method.clone(), format!("{}{path}", gateway.base))
            .send()
            .await
            .unwrap();
        let is_open = open.contains(&format!("{method} {path}"));
        assert_eq!(
            answer.status() != 401,
            is_open,
            "{method} {path}: {}",
            answer.status()
        );
    }
}
