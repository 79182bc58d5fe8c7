//! No secret of the settings is ever shown: the real program with a marker for each, made to fail in
//! every way that touches one, at the most talkative level of the log.

use crate::harness::World;
use crate::support::s3::S3Server;
use crate::support::{TempDir, eventually};
use axum::body::Bytes;
use axum::extract::State;
use kmrl_gateway::config::SETTINGS;
use kmrl_gateway::engines::spawn_tied;
use reqwest::Client;
use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

/// A secret of the settings, by its name in the environment.
#[derive(Clone)]
struct Marker {
    env: &'static str,
    secret: String,
}

/// All secrets, each another, with the real ones where a real engine asks for them.
struct Scene {
    world: World,
    s3: S3Server,
    markers: Vec<Marker>,
    files: TempDir,
    database: url::Url,
    nats: url::Url,
}

fn taken(address: &str) -> (url::Url, String) {
    let mut url: url::Url = address.parse().unwrap();
    let password = url.password().unwrap().to_owned();
    url.set_password(None).unwrap();
    (url, password)
}

impl Scene {
    async fn new() -> Self {
        let world = World::new().await;
        let s3 = S3Server::start().await;
        let (database, database_password) = taken(&world.database.url);
        let (nats, nats_password) = taken(world.nats.nats_url());
        let secrets = SETTINGS.iter().filter(|setting| setting.secret);
        let mut markers = Vec::new();
        for (n, setting) in secrets.enumerate() {
            let secret = match setting.env {
                "DATABASE_PASSWORD" => database_password.clone(),
                "NATS_PASSWORD" => nats_password.clone(),
                "AWS_SECRET_ACCESS_KEY" => s3.secret_key.clone(),
                // Not secret by themselves here, or not used by the engine.
                "DATABASE_URL" | "NATS_URL" | "AWS_ACCESS_KEY_ID" | "AWS_SESSION_TOKEN" => continue,
                _ => format!("marker{n}-{:032x}", 0x5eed_0000_u64 + n as u64),
            };
            let env = setting.env;
            markers.push(Marker { env, secret });
        }
        let files = TempDir::new("secrets");
        for marker in &markers {
            write(&files.path().join(marker.env), &marker.secret);
        }
        Self {
            world,
            s3,
            markers,
            files,
            database,
            nats,
        }
    }

    /// The program with every secret in a file.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kmrl-gateway"));
        command
            .args(arguments)
            .env("KMRL_LISTEN", "127.0.0.1:0")
            .env("KMRL_DATA_DIR", self.world.data.path())
            .env("DATABASE_URL", self.database.as_str())
            .env("NATS_URL", self.nats.as_str())
            .env("S3_BUCKET", "kmrl-documents")
            .env("S3_ENDPOINT", &self.s3.endpoint)
            .env("AWS_ACCESS_KEY_ID", &self.s3.access_key)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("KMRL_LOG", "trace")
            .stdin(Stdio::null());
        for marker in &self.markers {
            let file = self.files.path().join(marker.env);
            command.env(format!("{}_FILE", marker.env), file);
        }
        command
    }

    fn secret(&self, env: &str) -> &str {
        let found = self.markers.iter().find(|marker| marker.env == env);
        &found.unwrap().secret
    }

    /// Asserts that a text shows none of the secrets, nor one of `others`.
    fn shows_none(&self, what: &str, text: &str, others: &[&str]) {
        assert!(!text.is_empty(), "{what} says nothing");
        let secrets = self.markers.iter().map(|m| (m.env, m.secret.as_str()));
        for (env, secret) in secrets.chain(others.iter().map(|other| ("another", *other))) {
            let line = text.lines().find(|line| line.contains(secret));
            assert!(line.is_none(), "{what} shows {env}: {line:?}");
        }
    }
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// A process whose whole output is kept.
struct Watched {
    child: Child,
    output: TempDir,
}

impl Watched {
    fn start(mut command: Command) -> Self {
        let output = TempDir::new("output");
        let file = |name| File::create(output.path().join(name)).unwrap();
        command.stdout(file("stdout")).stderr(file("stderr"));
        let child = spawn_tied(command, libc::SIGKILL).unwrap();
        Self { child, output }
    }

    fn said(&self) -> String {
        let read = |name| std::fs::read(self.output.path().join(name)).unwrap();
        let both = [read("stdout"), read("stderr")].concat();
        String::from_utf8_lossy(&both).into_owned()
    }

    /// What follows some words, once they were said; or all that was said when it has ended.
    async fn says(&mut self, words: &str) -> String {
        let (child, output) = (Mutex::new(&mut self.child), &self.output);
        eventually(&format!("it says {words}"), || async {
            let ended = child.lock().unwrap().try_wait().unwrap().is_some();
            let read = |name| std::fs::read(output.path().join(name)).unwrap();
            let both = [read("stdout"), read("stderr")].concat();
            let said = String::from_utf8_lossy(&both).into_owned();
            let found = said.split_once(words).map(|(_, rest)| rest.to_owned());
            assert!(found.is_some() || !ended, "it ended: {said}");
            found
        })
        .await
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Takes whatever is sent, for ever.
async fn collector() -> (Arc<Mutex<Vec<u8>>>, String) {
    let all = Arc::new(Mutex::new(Vec::new()));
    let take = async |State(all): State<Arc<Mutex<Vec<u8>>>>, body: Bytes| {
        all.lock().unwrap().extend_from_slice(&body);
    };
    let router = axum::Router::new().fallback(take).with_state(all.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (all, format!("http://{address}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_with_all_secrets_in_files_works_and_shows_none_of_them() {
    let scene = Scene::new().await;
    let (traces, endpoint) = collector().await;
    let mut command = scene.command(&["serve"]);
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint);
    let mut gateway = Watched::start(command);
    let rest = gateway.says("\n  address        ").await;
    let base = rest.split_whitespace().next().unwrap().to_owned();

    let (client, mut answers) = (Client::new(), String::new());
    let forged = format!("{}x", scene.secret("KMRL_API_KEY"));
    let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.AAAA";
    for key in [
        scene.secret("KMRL_API_KEY"),
        scene.secret("KMRL_APPROVER_KEY"),
        scene.secret("KMRL_JWT_SECRET"),
        &forged,
        token,
    ] {
        for path in [
            "/api/v1/documents/",
            "/api/v1/documents/00000000-0000-0000-0000-000000000001",
            "/api/v1/keys",
            "/api/v1/audit",
            "/api/v1/events",
            "/metrics",
            "/health/detailed",
            "/health/ready",
            "/nowhere",
            "/openapi.json",
        ] {
            let request = client.get(format!("{base}{path}")).bearer_auth(key);
            let answer = request.send().await.unwrap();
            answers.push_str(&format!("{:?}\n", answer.headers()));
            answers.push_str(&answer.text().await.unwrap());
        }
    }
    assert!(answers.contains("kmrl_http_requests_total"), "{answers}");
    scene.shows_none("an answer", &answers, &[]);
    eventually("there are traces", || async {
        (!traces.lock().unwrap().is_empty()).then_some(())
    })
    .await;
    let sent = String::from_utf8_lossy(&traces.lock().unwrap()).into_owned();
    scene.shows_none("a trace", &sent, &[]);
    scene.shows_none("the log", &gateway.said(), &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_secrets_fail_without_being_shown() {
    let scene = Scene::new().await;
    let wrong = "wrong-secret-0123456789abcdef-0123456789";
    let path = scene.files.path().join("wrong");
    write(&path, wrong);
    for (env, words) in [
        ("DATABASE_PASSWORD", "not there yet"),
        ("NATS_PASSWORD", "not there yet"),
        ("AWS_SECRET_ACCESS_KEY", "connecting to the S3 bucket"),
    ] {
        let mut command = scene.command(&["serve"]);
        command.env(format!("{env}_FILE"), &path);
        let mut failing = Watched::start(command);
        failing.says(words).await;
        scene.shows_none(env, &failing.said(), &[wrong]);
    }
    // In addresses as they were before there were passwords of their own.
    for (env, address) in [("DATABASE_URL", &scene.database), ("NATS_URL", &scene.nats)] {
        let mut address = address.clone();
        address.set_password(Some(wrong)).unwrap();
        let mut command = scene.command(&["serve"]);
        for name in ["DATABASE_PASSWORD_FILE", "NATS_PASSWORD_FILE"] {
            command.env_remove(name);
        }
        command
            .env("DATABASE_URL", &scene.world.database.url)
            .env("NATS_URL", scene.world.nats.nats_url())
            .env(env, address.as_str());
        let mut failing = Watched::start(command);
        failing.says("not there yet").await;
        scene.shows_none(env, &failing.said(), &[wrong]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_and_settings_that_cannot_be_used_show_none() {
    let scene = Scene::new().await;
    let settings = scene.files.path().join("broken.toml");
    let broken = format!("api_key = \"{}\n", scene.secret("KMRL_API_KEY"));
    write(&settings, &broken);
    let config = settings.to_str().unwrap();
    let short = scene.files.path().join("short");
    write(&short, "shortmarker");
    let database = scene.world.database.url.as_str();
    for (arguments, name, value, code) in [
        (&["config", "show"][..], "", "", 0),
        (&["config", "check"], "", "", 0),
        (&["config", "check", "--config", config], "", "", 1),
        (&["config", "check"], "DATABASE_URL", database, 1),
        (
            &["config", "check"],
            "KMRL_API_KEY",
            "another-key-0123456789",
            1,
        ),
        (
            &["config", "check"],
            "KMRL_API_KEY_FILE",
            short.to_str().unwrap(),
            1,
        ),
        (&["keys", "list"], "", "", 1),
        (&["search", "word"], "", "", 1),
        (&["check"], "", "", 0),
    ] {
        let mut command = scene.command(arguments);
        if !name.is_empty() {
            command.env(name, value);
        }
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        // What is compared with a log of which no read model was made yet, differs.
        let fits = output.status.code() == Some(code) || arguments == ["check"];
        assert!(fits, "{arguments:?} {name}: {said}");
        let others = ["another-key-0123456789", "shortmarker"];
        scene.shows_none(&arguments.join(" "), &said, &others);
    }
}
