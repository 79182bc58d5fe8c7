//! TLS from outside: the certificate that is served and replaced, what else gets no answer, and the
//! program's own commands over it.

use crate::harness::{Gateway, KEY, World, signal};
use crate::support::certificates::{Authority, Signed};
use crate::support::{TempDir, eventually};
use futures::StreamExt;
use reqwest::Client;
use std::fs::File;
use std::path::PathBuf;
use std::process::Output;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ProtocolVersion, SupportedProtocolVersion};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{Connector, connect_async_tls_with_config};

const BOTH: &[&SupportedProtocolVersion] = &[&TLS12, &TLS13];
/// An end of a certificate, in the metrics.
const END_OF_2040: f64 = 2_240_524_800.0;

struct Scene {
    world: World,
    gateway: Gateway,
    authority: Authority,
    certificate: PathBuf,
    key: PathBuf,
    log: PathBuf,
    folder: TempDir,
}

impl Scene {
    async fn new(signed: impl Fn(&Authority) -> Signed) -> Self {
        let (folder, authority) = (TempDir::new("tls"), Authority::new());
        let signed = signed(&authority);
        let [certificate, key, log] =
            ["chain.pem", "key.pem", "log"].map(|n| folder.path().join(n));
        authority.write(&folder.path().join("ca.pem"));
        let world = World::with(&[
            (
                "KMRL_HTTP_TLS_CERTIFICATE_FILE",
                certificate.to_str().unwrap(),
            ),
            ("KMRL_HTTP_TLS_KEY_FILE", key.to_str().unwrap()),
            ("KMRL_HTTP_TLS_LOOK_EVERY", "1"),
        ])
        .await;
        std::fs::write(&certificate, &signed.pem).unwrap();
        std::fs::write(&key, &signed.key).unwrap();
        let mut command = world.command("api,relay,projector,worker");
        command.stderr(File::create(&log).unwrap());
        Self {
            gateway: Gateway::spawn(command),
            world,
            authority,
            certificate,
            key,
            log,
            folder,
        }
    }

    fn address(&self) -> &str {
        self.gateway.base.strip_prefix("https://").unwrap()
    }

    /// The address by the name that the certificate has.
    fn named(&self, scheme: &str) -> String {
        let port = self.address().rsplit(':').next().unwrap();
        format!("{scheme}://localhost:{port}")
    }

    async fn shake(&self, versions: &[&'static SupportedProtocolVersion]) -> TlsStream<TcpStream> {
        let socket = TcpStream::connect(self.address()).await.unwrap();
        let connector = TlsConnector::from(self.authority.client(versions));
        let name = "localhost".try_into().unwrap();
        connector.connect(name, socket).await.unwrap()
    }

    fn client(&self) -> Client {
        let config = (*self.authority.client(BOTH)).clone();
        let builder = Client::builder().use_preconfigured_tls(config);
        builder.build().unwrap()
    }

    async fn end_in_metrics(&self) -> f64 {
        let request = self
            .client()
            .get(format!("{}/metrics", self.named("https")));
        let answer = request.header("x-api-key", KEY).send().await.unwrap();
        let text = answer.text().await.unwrap();
        let name = "kmrl_tls_certificate_expires_timestamp_seconds ";
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap().parse().unwrap()
    }

    /// Runs a subcommand with another address and authority in its environment.
    fn tool(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
        let mut command = self.world.tool_command(arguments);
        // The data folder tells enough.
        for name in ["KMRL_HTTP_TLS_CERTIFICATE_FILE", "KMRL_HTTP_TLS_KEY_FILE"] {
            command.env_remove(name);
        }
        command.envs(environment.iter().copied());
        command.output().unwrap()
    }
}

fn leaf(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    let certificates = stream.get_ref().1.peer_certificates().unwrap();
    certificates[0].to_vec()
}

/// Asks on an open connection, and leaves it open.
async fn asks(stream: &mut TlsStream<TcpStream>) -> String {
    let request = b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    while !answer.ends_with('}') {
        let mut bytes = [0; 4096];
        let count = stream.read(&mut bytes).await.unwrap();
        assert!(count > 0, "closed after {answer}");
        answer.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
    }
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chain_is_served_over_good_tls_alone() {
    let scene = Scene::new(|authority| authority.sign(2040)).await;
    for (version, expected) in [
        (&TLS13, ProtocolVersion::TLSv1_3),
        (&TLS12, ProtocolVersion::TLSv1_2),
    ] {
        let mut stream = scene.shake(&[version]).await;
        let (_, connection) = stream.get_ref();
        assert_eq!(connection.protocol_version(), Some(expected));
        assert_eq!(connection.alpn_protocol(), Some(&b"http/1.1"[..]));
        let chain = connection.peer_certificates().unwrap();
        assert_eq!(chain.len(), 2);
        assert_eq!(&chain[1], scene.authority.der());
        let answer = asks(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(
            answer.contains("strict-transport-security: max-age="),
            "{answer}"
        );
    }
    eventually("the end is in the metrics", || async {
        (scene.end_in_metrics().await == END_OF_2040).then_some(())
    })
    .await;

    // HTTP, and the hello of TLS 1.1 (RFC 4346, section 7.4.1.2).
    let mut hello = vec![0x16, 3, 1, 0, 45, 1, 0, 0, 41, 3, 2];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0xc0, 0x13, 1, 0]);
    for (what, sent) in [
        ("HTTP", &b"GET /health/live HTTP/1.1\r\nhost: a\r\n\r\n"[..]),
        ("TLS 1.1", &hello),
    ] {
        let mut socket = TcpStream::connect(scene.address()).await.unwrap();
        socket.write_all(sent).await.unwrap();
        let mut answer = Vec::new();
        // It may be cut off, or told in an alert, which is 7 bytes long.
        let _cut = socket.read_to_end(&mut answer).await;
        assert!(answer.len() <= 7, "{what}: {answer:?}");
        assert!(
            answer.first().is_none_or(|kind| *kind == 0x15),
            "{what}: {answer:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_certificate_is_served_and_a_broken_one_is_not() {
    let scene = Scene::new(|authority| authority.sign(2039)).await;
    let mut open = scene.shake(BOTH).await;
    let first = leaf(&open);
    asks(&mut open).await;

    let renewed = scene.authority.sign(2040);
    assert_ne!(first, renewed.der.to_vec());
    // One after the other, as renewing programs do: in between they do not fit.
    std::fs::write(&scene.certificate, &renewed.pem).unwrap();
    std::fs::write(&scene.key, &renewed.key).unwrap();
    eventually("the new one is served", || async {
        (leaf(&scene.shake(BOTH).await) == renewed.der.to_vec()).then_some(())
    })
    .await;
    assert_eq!(scene.end_in_metrics().await, END_OF_2040);
    assert!(asks(&mut open).await.starts_with("HTTP/1.1 200"));

    std::fs::write(&scene.certificate, "no certificate").unwrap();
    signal(scene.gateway.pid(), "HUP");
    eventually("the broken one is told", || async {
        let log = std::fs::read_to_string(&scene.log).unwrap();
        let told = log.contains("the new certificate cannot be used");
        (told && log.contains("holds no certificate in PEM")).then_some(())
    })
    .await;
    assert_eq!(leaf(&scene.shake(BOTH).await), renewed.der.to_vec());
    assert!(asks(&mut open).await.starts_with("HTTP/1.1 200"));
    // Whoever looks after the container must not take it for unwell.
    let environment = [("KMRL_LISTEN", scene.address())];
    let health = scene.tool(&["health"], &environment);
    assert!(health.status.success(), "{health:?}");
    let log = std::fs::read_to_string(&scene.log).unwrap();
    let key = renewed.key.lines().nth(1).unwrap();
    assert!(!log.contains(key), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn live_connections_and_commands_come_over_tls() {
    let scene = Scene::new(|authority| authority.sign(2040)).await;
    let url = format!("{}/ws", scene.named("wss"));
    let mut request = url.into_client_request().unwrap();
    let headers = request.headers_mut();
    headers.insert("x-api-key", KEY.parse().unwrap());
    let connector = Some(Connector::Rustls(scene.authority.client(&[&TLS13])));
    let opened = connect_async_tls_with_config(request, None, true, connector).await;
    let mut socket = opened.unwrap().0;
    let first = socket.next().await.unwrap().unwrap();
    assert!(first.into_text().unwrap().contains("system_status"));

    let file = scene.folder.path().join("note.txt");
    std::fs::write(&file, "a note").unwrap();
    let file = file.to_str().unwrap();
    let authority = scene.folder.path().join("ca.pem");
    let elsewhere = [
        ("KMRL_SERVER", &*scene.named("https")),
        ("KMRL_CA_FILE", authority.to_str().unwrap()),
    ];
    let upload = ["upload", "--wait", file];
    for (what, environment) in [("own", &[][..]), ("elsewhere", &elsewhere)] {
        let output = scene.tool(&upload, environment);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("processed"), "{what}: {output:?}");
        let output = scene.tool(&["health"], environment);
        assert!(output.status.success(), "{what}: {output:?}");
        let output = scene.tool(&["search", "note"], environment);
        assert!(output.status.success(), "{what}: {output:?}");
    }
    // Known to nobody, or by another name.
    let (_, port) = scene.address().rsplit_once(':').unwrap();
    let by_number = format!("https://127.0.0.1:{port}");
    let other_name = [("KMRL_SERVER", &*by_number), elsewhere[1]];
    for environment in [&elsewhere[..1], &other_name] {
        let output = scene.tool(&["search", "note"], environment);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && said.contains("certificate"),
            "{said}"
        );
    }
    watches(&scene, &elsewhere).await;
}

/// `watch` hears over TLS of what comes in.
async fn watches(scene: &Scene, environment: &[(&str, &str)]) {
    let told = scene.folder.path().join("watched");
    let mut command = scene
        .world
        .tool_command(&["watch", "--json", "--after", "0"]);
    command
        .envs(environment.iter().copied())
        .stdout(File::create(&told).unwrap());
    let mut watch = kmrl_gateway::engines::spawn_tied(command, libc::SIGKILL).unwrap();
    eventually("it is heard of", || async {
        let text = std::fs::read_to_string(&told).unwrap();
        text.contains("\"processed\"").then_some(())
    })
    .await;
    watch.kill().unwrap();
    watch.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_that_cannot_be_used_stops_the_start() {
    let folder = TempDir::new("tls");
    let authority = Authority::new();
    let (one, other) = (authority.sign(2040), authority.sign(2040));
    let path = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (certificate, key) = (path("one.pem", &one.pem), path("other.key", &other.key));
    let missing = folder.path().join("missing").display().to_string();
    let world = World::new().await;
    for (certificate, key, told) in [
        (
            &*certificate,
            "",
            "http.tls_key_file (KMRL_HTTP_TLS_KEY_FILE): is needed",
        ),
        (
            "",
            &*key,
            "http.tls_certificate_file (KMRL_HTTP_TLS_CERTIFICATE_FILE): is needed",
        ),
        (&certificate, &key, "cannot be used with the key in"),
        (&certificate, &missing, "missing"),
        (&key, &key, "holds no certificate in PEM"),
    ] {
        for arguments in [&["serve"][..], &["config", "check"]] {
            let mut command = world.tool_command(arguments);
            command
                .env("KMRL_LISTEN", "127.0.0.1:0")
                .env("KMRL_HTTP_TLS_CERTIFICATE_FILE", certificate)
                .env("KMRL_HTTP_TLS_KEY_FILE", key);
            let output = command.output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{said}");
            assert!(said.contains(told), "{arguments:?}: {said}");
        }
    }
}
