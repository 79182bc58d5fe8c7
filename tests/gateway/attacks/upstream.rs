//! API10, unsafe consumption of APIs: whatever the gateway asks others answers nonsense, without end or not at all. What
//! comes of it is bounded and a problem with a name, and nothing is let in for it.

use crate::harness::{World, expect_problem};
use crate::support::eventually;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What a hostile server sends to whoever connects.
#[derive(Clone)]
enum Says {
    Once(String),
    /// This, and then this for as long as it is read.
    Endlessly(String, String),
    /// Closes at once.
    Nothing,
}

/// A hostile server, and how often it was connected to.
struct Hostile {
    address: String,
    asked: Arc<AtomicUsize>,
}

impl Hostile {
    async fn that(says: Says) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(answer(stream, says.clone()));
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

async fn answer(stream: TcpStream, says: Says) {
    let (mut reader, mut writer) = stream.into_split();
    let mut buffer = vec![0; 64 * 1024];
    if !matches!(says, Says::Nothing) {
        // An answer before the question is none.
        let _ = reader.read(&mut buffer).await;
    }
    // What is asked is read, so that nobody waits for room.
    let listening =
        tokio::spawn(async move { while matches!(reader.read(&mut buffer).await, Ok(1..)) {} });
    match says {
        Says::Nothing => listening.abort(),
        Says::Once(text) => {
            let _ = writer.write_all(text.as_bytes()).await;
            let _ = writer.shutdown().await;
            let _ = listening.await;
        }
        Says::Endlessly(first, then) => {
            let mut sent = writer.write_all(first.as_bytes()).await;
            while sent.is_ok() {
                sent = writer.write_all(then.as_bytes()).await;
            }
        }
    }
}

fn http(body: &str) -> Says {
    let length = body.len();
    Says::Once(format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    ))
}

/// Well-formed, and signed by nobody.
fn token(header: serde_json::Value) -> String {
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({"sub": "1", "aud": "kmrl-gateway", "exp": 4_000_000_000_u64, "roles": ["administrator"]});
    format!(
        "{}.{}.{}",
        part(header),
        part(claims),
        URL_SAFE_NO_PAD.encode([0; 64])
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_answers_nonsense_lets_nobody_in() {
    let elsewhere = Hostile::that(http("{\"keys\":[]}")).await;
    let endless = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    for (what, says, status) in [
        ("no JSON", http("<html>"), 503),
        ("another form", http("[1]"), 503),
        ("no keys", http("{\"keys\":[]}"), 401),
        (
            "keys of no kind",
            http(r#"{"keys":[{"kty":"RSA","kid":"k","n":"","e":""},{"kty":"x"}]}"#),
            401,
        ),
        ("deep JSON", http(&"[".repeat(900_000)), 503),
        (
            "a redirect",
            Says::Once(format!(
                "HTTP/1.1 302 Found\r\nLocation: http://{}/\r\nContent-Length: 0\r\n\r\n",
                elsewhere.address
            )),
            503,
        ),
        (
            "a body without end",
            Says::Endlessly(endless.into(), chunk.clone()),
            503,
        ),
        (
            "a head without end",
            Says::Endlessly("HTTP/1.1 200 OK\r\n".into(), "X-A: a\r\n".repeat(1_000)),
            503,
        ),
        (
            "a length that is none",
            Says::Once("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n{}".into()),
            503,
        ),
        ("no HTTP", Says::Once("SSH-2.0-OpenSSH\r\n".into()), 503),
        ("nothing", Says::Nothing, 503),
    ] {
        let hostile = Hostile::that(says).await;
        let url = format!("http://{}/keys", hostile.address);
        let settings = [
            ("KMRL_JWT_ISSUER", "https://issuer.invalid"),
            ("KMRL_JWT_AUDIENCE", "kmrl-gateway"),
            ("KMRL_JWT_JWKS_URL", &*url),
        ];
        let world = World::with(&settings).await;
        let gateway = world.start();
        let asked = reqwest::Client::new().get(format!("{}/api/v1/status", gateway.base));
        let token = token(json!({"alg": "RS256", "kid": "k"}));
        let answer = asked.bearer_auth(token).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{what}");
        assert!(hostile.asked() > 0, "{what}");
        // Everybody else is served as before.
        gateway.json("/api/v1/status").await;
    }
    assert_eq!(elsewhere.asked(), 0, "a redirect was followed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scanner_that_answers_nonsense_lets_nothing_in() {
    let says = |text: &str| Says::Once(text.to_owned());
    for (what, says) in [
        ("no clamd", says("HTTP/1.1 200 OK\r\n\r\nstream: OK")),
        ("nearly OK", says("stream: OKAY\0")),
        (
            "two answers",
            says("stream: OK\0stream: Eicar FOUND oops\0"),
        ),
        ("an error", says("INSTREAM: Can't allocate memory ERROR\0")),
        (
            "words without end",
            Says::Endlessly("stream: ".into(), "OK ".repeat(1_000)),
        ),
        ("nothing", Says::Nothing),
    ] {
        let hostile = Hostile::that(says).await;
        let address = format!("tcp:{}", hostile.address);
        let settings = [
            ("KMRL_CLAMD_ADDRESS", &*address),
            ("KMRL_CLAMD_WITHIN", "5"),
        ];
        let world = World::with(&settings).await;
        let gateway = world.start();
        let answer = gateway
            .upload_request("a.txt", "text")
            .send()
            .await
            .unwrap();
        assert!(hostile.asked() > 0, "{what}");
        expect_problem(answer, 503, "inspector-unavailable").await;
        assert_eq!(
            gateway.json("/api/v1/documents/").await["total"],
            0,
            "{what}"
        );
    }
}

/// SSRF (API7) by tokens: where their keys are is no matter of theirs.
#[tokio::test(flavor = "multi_thread")]
async fn no_address_in_a_token_is_asked() {
    let hostile = Hostile::that(http("{\"keys\":[]}")).await;
    let url = format!("http://{}/keys", hostile.address);
    let world = World::with(&[("KMRL_JWT_SECRET", &"s".repeat(32))]).await;
    let gateway = world.start();
    for header in [
        json!({"alg": "RS256", "kid": "k", "jku": url}),
        json!({"alg": "HS256", "jku": url, "x5u": url}),
        json!({"alg": "ES256", "x5u": url}),
        json!({"alg": "RS256", "kid": url}),
        json!({"alg": "none", "jku": url}),
    ] {
        let asked = reqwest::Client::new().get(format!("{}/api/v1/status", gateway.base));
        let answer = asked
            .bearer_auth(token(header.clone()))
            .send()
            .await
            .unwrap();
        expect_problem(answer, 401, "unauthorized").await;
    }
    assert_eq!(hostile.asked(), 0);
}

/// SSRF (API7) by content: what a document names is text, whatever reads it.
#[tokio::test(flavor = "multi_thread")]
async fn no_address_in_a_document_is_asked() {
    let hostile = Hostile::that(http("{}")).await;
    let url = format!("http://{}", hostile.address);
    let world = World::new().await;
    let gateway = world.start();
    let html = format!(
        "<!DOCTYPE html><html><head><base href=\"{url}/\"><link rel=stylesheet href=\"{url}/a.css\">\
         <meta http-equiv=refresh content=\"0;url={url}\"><script src=\"{url}/a.js\"></script></head>\
         <body background=\"{url}/b.png\">A notice<img src=\"{url}/a.png\"><iframe src=\"{url}\"></iframe></body></html>"
    );
    let xml = format!(
        "<?xml version=\"1.0\"?><!DOCTYPE a SYSTEM \"{url}/a.dtd\" [<!ENTITY x SYSTEM \"{url}/x\">]><a>A notice &x;</a>"
    );
    let eml = format!(
        "From: a@example.org\r\nSubject: A notice\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/html\r\n\r\n<img src=\"{url}/a.png\">A notice\r\n\
         --b\r\nContent-Type: message/external-body; access-type=URL; URL=\"{url}/body\"\r\n\r\n\r\n--b--\r\n"
    );
    let pages = format!("{url}/a");
    let pdf = kmrl_extraction::fixtures::pdf(&["A notice", &pages]);
    let markdown = format!("# A notice\n![a]({url}/a.png)\n");
    let files: [(&str, Vec<u8>); 5] = [
        ("a.html", html.into()),
        ("a.xml", xml.into()),
        ("a.eml", eml.into()),
        ("a.pdf", pdf),
        ("a.md", markdown.into()),
    ];
    for (name, bytes) in files {
        let metadata =
            json!({"url": url, "callback": url, "webhook": url, "$ref": url}).to_string();
        let part = reqwest::multipart::Part::bytes(bytes).file_name(name);
        let form = reqwest::multipart::Form::new().text("source", "manual");
        let form = form.text("metadata", metadata).part("file", part);
        let request = gateway.post("/api/v1/documents/upload").multipart(form);
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let document: serde_json::Value = answer.json().await.unwrap();
        assert_eq!(status, 202, "{name}: {document}");
        let id = document["id"].as_str().unwrap().to_owned();
        let document = gateway.finished(&id).await;
        assert!(
            document["status"] == "processed" || name == "a.xml",
            "{name}: {document}"
        );
    }
    let found = eventually("they can be searched", async || {
        let found = gateway.json("/api/v1/search?q=notice").await;
        (found["total"].as_i64()? >= 4).then_some(found)
    })
    .await;
    assert_eq!(hostile.asked(), 0, "{found}");
}
