//! The OWASP API Security Top 10 of 2023, one risk after the other: what no other test tries.
//!
//! API4 is in `oversized` and `never_reads`, API7 and API10 in `upstream`. Roles on every route (API5), departments
//! (API1), forged tokens and revoked keys (API2), and second persons (API6) have more tests in `authority`, `tokens`,
//! `keys`, `erasure` and `door`.

use crate::authority::{as_holder, key};
use crate::harness::{Gateway, KEY, World, expect_problem};
use crate::support::eventually;
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const NOBODYS: &str = "00000000-0000-7000-8000-000000000000";
const APPROVER: &str = "approver-key-0123456789abcdef";

/// Each operation of the OpenAPI document.
async fn operations(gateway: &Gateway) -> Vec<(Method, String, Value)> {
    let document = gateway.json("/openapi.json").await;
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            found.push((method, path.clone(), operation.clone()));
        }
    }
    assert!(found.len() > 40, "{}", found.len());
    found
}

/// Status and stable word of the problem.
async fn told(answer: Response) -> (u16, String) {
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.unwrap_or_default();
    (status, body["type"].as_str().unwrap_or_default().to_owned())
}

/// API1, broken object level authorization: a document of another department is answered on every path, with every
/// method, as one that is not there.
#[tokio::test(flavor = "multi_thread")]
async fn api1_a_foreign_document_is_as_one_that_is_not_there_on_every_path() {
    let world = World::new().await;
    let gateway = world.start();
    let id = gateway.upload("secret.txt", "theirs alone").await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    gateway.finished(&id).await;
    let terms = json!({
        "name": "finance-desk", "owner": "tests", "roles": ["officer", "auditor"], "departments": ["finance"],
    });
    let finance = key(&gateway, terms).await;
    let mut tried = BTreeSet::new();
    for (method, path, _) in operations(&gateway).await {
        if !path.contains("{id}") || path.contains("dead-letters") {
            continue;
        }
        let path = path.replace("{matter}", "case-1").replace("{number}", "1");
        let ask = async |id: &str| {
            let request = as_holder(
                &gateway,
                method.clone(),
                &path.replace("{id}", id),
                &finance,
            );
            let request = request
                .header("if-match", "*")
                .json(&json!({"reason": "curious", "matter": "case-1"}));
            told(request.send().await.unwrap()).await
        };
        let theirs = ask(&id).await;
        assert_eq!(
            theirs,
            (404, "/problems/document-not-found".into()),
            "{method} {path}"
        );
        assert_eq!(theirs, ask(NOBODYS).await, "{method} {path}");
        tried.insert(path);
    }
    assert!(tried.len() >= 20, "{tried:?}");
    // Nor by naming it in a query or a batch.
    for path in [
        "/api/v1/events?",
        "/api/v1/audit?",
        "/api/v1/documents/?parent=",
        "/api/v1/search?q=theirs&x=",
    ] {
        let query = match path {
            "/api/v1/events?" | "/api/v1/audit?" => format!("{path}document_id={id}"),
            "/api/v1/search?q=theirs&x=" => "/api/v1/search?q=theirs".to_owned(),
            path => format!("{path}{id}"),
        };
        let answer = as_holder(&gateway, Method::GET, &query, &finance)
            .send()
            .await
            .unwrap();
        let text = answer.text().await.unwrap();
        assert!(
            !text.contains("secret.txt") && !text.contains("Uploaded"),
            "{query}: {text}"
        );
    }
    let statistics = as_holder(
        &gateway,
        Method::GET,
        "/api/v1/documents/statistics",
        &finance,
    );
    let statistics: Value = statistics.send().await.unwrap().json().await.unwrap();
    assert_eq!(statistics["total"], 0, "{statistics}");
    let commands = ["reprocess", "withdraw", "correct", "review"].map(|kind| {
        json!({"type": kind, "document_id": id, "reason": "x", "department": "finance", "verdict": "accept"})
    });
    let batch = as_holder(&gateway, Method::POST, "/api/v1/commands", &finance);
    let results: Value = batch
        .json(&json!({"commands": commands}))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    for result in results["results"].as_array().unwrap() {
        assert_eq!(
            result["problem"]["type"], "/problems/document-not-found",
            "{results}"
        );
    }
    // Nothing of it came about.
    assert_eq!(
        gateway.json(&format!("/api/v1/documents/{id}")).await["status"],
        "processed"
    );
}

/// API2, broken authentication: a credential counts where the documentation says, and nothing wears it down.
#[tokio::test(flavor = "multi_thread")]
async fn api2_a_credential_counts_in_its_header_alone_and_cannot_be_guessed() {
    let world = World::new().await;
    let gateway = world.start();
    let stranger = Client::new();
    let url = |path: &str| format!("{}{path}", gateway.base);
    for query in [
        format!("api_key={KEY}"),
        format!("key={KEY}"),
        format!("x-api-key={KEY}"),
        format!("X-API-Key={KEY}"),
        format!("token={KEY}"),
        format!("access_token={KEY}"),
        format!("ticket={KEY}"),
    ] {
        for path in [
            "/api/v1/documents/",
            "/api/v1/events/stream",
            "/ws",
            "/metrics",
        ] {
            let answer = stranger
                .get(url(&format!("{path}?{query}")))
                .send()
                .await
                .unwrap();
            expect_problem(answer, 401, "unauthorized").await;
        }
    }
    let form = stranger
        .post(url("/api/v1/commands"))
        .json(&json!({"api_key": KEY, "commands": []}));
    expect_problem(form.send().await.unwrap(), 401, "unauthorized").await;

    // Guesses near the truth are answered as those far from it, and the key stays good.
    let issued = key(
        &gateway,
        json!({"name": "k", "owner": "tests", "roles": ["reader"]}),
    )
    .await;
    let mut answers = BTreeSet::new();
    for n in 0..issued.len() {
        let mut guess = issued.clone().into_bytes();
        guess[n] = if guess[n] == b'0' { b'1' } else { b'0' };
        let guess = String::from_utf8(guess).unwrap();
        let answer = as_holder(&gateway, Method::GET, "/api/v1/documents/", &guess)
            .send()
            .await
            .unwrap();
        let mut problem = expect_problem(answer, 401, "unauthorized").await;
        assert!(!problem.to_string().contains(&guess), "{problem}");
        problem.as_object_mut().unwrap().remove("instance");
        answers.insert(problem.to_string());
    }
    for guess in [
        "",
        "x",
        &KEY[1..],
        &KEY[..KEY.len() - 1],
        "null",
        "undefined",
        "kmrl_",
    ] {
        let answer = as_holder(&gateway, Method::GET, "/api/v1/documents/", guess)
            .send()
            .await
            .unwrap();
        let mut problem = expect_problem(answer, 401, "unauthorized").await;
        problem.as_object_mut().unwrap().remove("instance");
        answers.insert(problem.to_string());
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    let answer = as_holder(&gateway, Method::GET, "/api/v1/documents/", &issued)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);

    // A ticket opens one live connection, and nothing else.
    let ticket = gateway
        .post("/api/v1/websocket/ticket")
        .send()
        .await
        .unwrap();
    let ticket: Value = ticket.json().await.unwrap();
    let ticket = ticket["ticket"].as_str().unwrap();
    let elsewhere = stranger.get(url(&format!("/api/v1/documents/?ticket={ticket}")));
    expect_problem(elsewhere.send().await.unwrap(), 401, "unauthorized").await;
    let stream = format!("/api/v1/events/stream?ticket={ticket}");
    let opened = stranger.get(url(&stream)).send().await.unwrap();
    assert_eq!(opened.status(), 200);
    expect_problem(
        stranger.get(url(&stream)).send().await.unwrap(),
        401,
        "unauthorized",
    )
    .await;
    let twice = format!("/api/v1/events/stream?ticket={ticket}&ticket={ticket}");
    expect_problem(
        stranger.get(url(&twice)).send().await.unwrap(),
        401,
        "unauthorized",
    )
    .await;
}

/// Names of the properties of a schema, also of those that it is made of.
fn properties(document: &Value, schema: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    if let Some(of) = schema["$ref"].as_str() {
        let name = of.rsplit('/').next().unwrap();
        names.extend(properties(
            document,
            &document["components"]["schemas"][name],
        ));
    }
    names.extend(
        schema["properties"]
            .as_object()
            .into_iter()
            .flat_map(|map| map.keys().cloned()),
    );
    for part in schema["allOf"].as_array().into_iter().flatten() {
        names.extend(properties(document, part));
    }
    names
}

/// API3, broken object property level authorization: what is not asked for in the documentation is refused, and no
/// answer has more than it tells.
#[tokio::test(flavor = "multi_thread")]
async fn api3_no_property_is_set_or_shown_that_is_not_documented() {
    let world = World::new().await;
    let gateway = world.start();
    let id = gateway.upload("a.txt", "x").await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    gateway.finished(&id).await;
    let document = gateway.json("/openapi.json").await;
    let mut tried = 0;
    for (method, path, operation) in operations(&gateway).await {
        let body = &operation["requestBody"]["content"]["application/json"]["schema"];
        if body.is_null() || path == "/api/v1/commands" {
            continue;
        }
        let name = body.to_string();
        let name = name
            .split("schemas/")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap();
        let properties = document["components"]["schemas"][name]["properties"]
            .as_object()
            .unwrap();
        // As good as the documentation makes it, and something more.
        let good = properties
            .iter()
            .filter_map(|(name, property)| Some((name.clone(), property.get("example")?.clone())));
        for (more, value) in [
            ("status", json!("processed")),
            ("uploaded_by", json!("key:admin")),
            ("actor", json!("key:admin")),
            ("roles", json!(["administrator"])),
            ("id", json!(NOBODYS)),
            ("version", json!(1)),
            ("__proto__", json!({"admin": true})),
        ] {
            if properties.contains_key(more) {
                continue;
            }
            let mut body: serde_json::Map<String, Value> = good.clone().collect();
            body.insert("verdict".into(), json!("accept"));
            if !properties.contains_key("verdict") {
                body.remove("verdict");
            }
            body.insert(more.into(), value);
            let path = path
                .replace("{id}", &id)
                .replace("{key_id}", NOBODYS)
                .replace("{matter}", "case-1");
            let request = gateway
                .client
                .request(method.clone(), format!("{}{path}", gateway.base));
            let request = request.header("if-match", "*").json(&body);
            let answer = request.send().await.unwrap();
            expect_problem(answer, 400, "json-malformed").await;
            tried += 1;
        }
    }
    assert!(tried > 60, "{tried}");
    for field in ["status", "uploaded_by", "department", "id", "sha256"] {
        let form = reqwest::multipart::Form::new()
            .text(field, "processed")
            .text("source", "manual");
        let answer = gateway
            .post("/api/v1/documents/upload")
            .multipart(form)
            .send()
            .await
            .unwrap();
        expect_problem(answer, 400, "field-unknown").await;
    }
    // Fields of answers are those of the documentation.
    for (path, schema) in [
        (format!("/api/v1/documents/{id}"), "Document"),
        (format!("/api/v1/documents/{id}/status"), "DocumentStatus"),
    ] {
        let shown = gateway.json(&path).await;
        let documented = properties(&document, &document["components"]["schemas"][schema]);
        for name in shown.as_object().unwrap().keys() {
            assert!(documented.contains(name), "{path} shows {name}");
        }
        let text = shown.to_string();
        for inner in ["salt", "digest", "pepper", "spool"] {
            assert!(!text.contains(inner), "{path}: {text}");
        }
    }
    let issued = key(
        &gateway,
        json!({"name": "k", "owner": "tests", "roles": ["reader"]}),
    )
    .await;
    let listed = eventually("the key is listed", async || {
        let keys = gateway.json("/api/v1/keys").await;
        keys.to_string().contains("\"k\"").then(|| keys.to_string())
    })
    .await;
    for inner in ["digest", "pepper", "secret", &issued[40..]] {
        assert!(!listed.contains(inner), "{inner}: {listed}");
    }
}

/// API5, broken function level authorization: who may not issue keys does not get one by another way.
#[tokio::test(flavor = "multi_thread")]
async fn api5_no_role_gives_itself_more() {
    let world = World::new().await;
    let gateway = world.start();
    for role in ["reader", "officer", "auditor"] {
        let holder = key(
            &gateway,
            json!({"name": role, "owner": "tests", "roles": [role]}),
        )
        .await;
        let own = json!({"name": "mine", "owner": "me", "roles": ["administrator"]});
        for path in [
            "/api/v1/keys",
            "/api/v1/keys?access=true",
            "/api/v1/keys?role=administrator",
        ] {
            let request = as_holder(&gateway, Method::POST, path, &holder).json(&own);
            expect_problem(request.send().await.unwrap(), 403, "forbidden").await;
        }
        for path in [
            "/metrics",
            "/health/detailed",
            "/api/v1/dead-letters",
            "/api/v1/keys",
        ] {
            let answer = as_holder(&gateway, Method::GET, path, &holder)
                .send()
                .await
                .unwrap();
            expect_problem(answer, 403, "forbidden").await;
        }
    }
    // Who may manage keys gives no more than they have.
    let terms = json!({"name": "desk", "owner": "tests", "roles": ["administrator"], "departments": ["finance"]});
    let desk = key(&gateway, terms).await;
    for more in [
        json!({"name": "all", "owner": "me", "roles": ["officer"]}),
        json!({"name": "other", "owner": "me", "roles": ["officer"], "departments": ["finance", "legal"]}),
    ] {
        let request = as_holder(&gateway, Method::POST, "/api/v1/keys", &desk).json(&more);
        expect_problem(request.send().await.unwrap(), 403, "forbidden").await;
    }
}

/// API6, unrestricted access to sensitive business flows: what needs two persons takes two, once, also at the same time.
#[tokio::test(flavor = "multi_thread")]
async fn api6_two_persons_are_two_and_each_step_is_done_once() {
    let world = World::with(&[("KMRL_APPROVER_KEY", APPROVER)]).await;
    let gateway = world.start_roles("api,relay,projector");
    let id = gateway.upload("a.txt", "x").await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let step = async |key: &str, step: &str, idempotency: &str, reason: &str| {
        let path = format!("/api/v1/documents/{id}/{step}");
        let request = as_holder(&gateway, Method::POST, &path, key).header("if-match", "*");
        let request = request.header("idempotency-key", idempotency);
        request
            .json(&json!({ "reason": reason }))
            .send()
            .await
            .unwrap()
    };
    assert_eq!(step(KEY, "erasure", "one", "asked for").await.status(), 202);
    // Once more is the same; with another body it is another.
    let again = step(KEY, "erasure", "one", "asked for").await;
    assert_eq!(again.headers()["idempotent-replayed"], "true");
    expect_problem(
        step(KEY, "erasure", "one", "another").await,
        422,
        "idempotency-key-reused",
    )
    .await;
    // One's own key with another idempotency key, or by another header, is the same person.
    for n in 0..3 {
        let answer = step(KEY, "erasure/approve", &format!("own-{n}"), "").await;
        expect_problem(answer, 403, "second-person-required").await;
    }
    let url = format!("{}/api/v1/documents/{id}/erasure/approve", gateway.base);
    let bearer = Client::new()
        .post(url)
        .bearer_auth(KEY)
        .header("if-match", "*");
    expect_problem(bearer.send().await.unwrap(), 403, "second-person-required").await;
    // Ten approvals at once are one.
    let names: Vec<String> = (0..10).map(|n| format!("approval-{n}")).collect();
    let all = names
        .iter()
        .map(|name| step(APPROVER, "erasure/approve", name, ""));
    let answers = futures::future::join_all(all).await;
    let done = answers
        .iter()
        .filter(|answer| answer.status() == StatusCode::ACCEPTED);
    let done = done.count();
    let events = gateway
        .json(&format!("/api/v1/events?document_id={id}&type=Erased"))
        .await;
    assert_eq!(events["events"].as_array().unwrap().len(), 1, "{events}");
    assert!(done >= 1, "{answers:?}");
}

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
