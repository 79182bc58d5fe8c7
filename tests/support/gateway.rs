//! Starts the real program as processes of its own, and speaks to it as a client would.

use super::messages;
use crate::support::{self, PATIENCE, TempDir, TestDatabase, engine_options, eventually};
use futures::{SinkExt, StreamExt};
use kmrl_gateway::engines::{Nats, spawn_tied};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::multipart::{Form, Part};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};

pub const KEY: &str = "test-key-0123456789abcdef";

/// Engines and folders that processes of the gateway share.
pub struct World {
    pub database: TestDatabase,
    pub nats: Nats,
    pub data: TempDir,
    pub settings: Vec<(String, String)>,
    _nats_dir: TempDir,
}

impl World {
    pub async fn new() -> Self {
        Self::with(&[]).await
    }

    pub async fn with(settings: &[(&str, &str)]) -> Self {
        let mut world = Self::on(support::database().await).await;
        world.settings = settings
            .iter()
            .map(|(k, v)| ((*k).into(), (*v).into()))
            .collect();
        world
    }

    /// On a database that is there already.
    pub async fn on(database: TestDatabase) -> Self {
        let nats_dir = TempDir::new("nats");
        Self {
            database,
            nats: Nats::start(&engine_options(nats_dir.path())).await.unwrap(),
            data: TempDir::new("data"),
            settings: Vec::new(),
            _nats_dir: nats_dir,
        }
    }

    /// All roles in one process.
    pub fn start(&self) -> Gateway {
        self.start_roles("api,relay,projector,worker")
    }

    pub fn start_roles(&self, roles: &str) -> Gateway {
        Gateway::spawn(self.command(roles))
    }

    /// Runs a subcommand on this database and data folder to its end.
    pub fn tool(&self, arguments: &[&str]) -> std::process::Output {
        self.tool_command(arguments).output().unwrap()
    }

    /// How a subcommand is run.
    pub fn tool_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kmrl-gateway"));
        command
            .args(arguments)
            .env("KMRL_API_KEY", KEY)
            .env("KMRL_DATA_DIR", self.data.path())
            .env("DATABASE_URL", &self.database.url)
            .env("NATS_URL", self.nats.nats_url())
            .envs(self.settings.iter().cloned())
            .stdin(Stdio::null());
        command
    }

    /// Does something in the database that no program of ours would do.
    pub async fn as_superuser(&self, sql: &str) {
        sqlx::raw_sql(sql)
            .execute(&self.database.pool)
            .await
            .unwrap();
        // A setting of the session must not stay with a connection of the pool.
        let reset = "RESET session_replication_role";
        sqlx::raw_sql(reset)
            .execute(&self.database.pool)
            .await
            .unwrap();
    }

    /// How a process with these roles is started.
    pub fn command(&self, roles: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kmrl-gateway"));
        command
            .args(["serve", "--role", roles])
            .env("KMRL_LISTEN", "127.0.0.1:0")
            .env("KMRL_API_KEY", KEY)
            .env("KMRL_DATA_DIR", self.data.path())
            .env("DATABASE_URL", &self.database.url)
            .env("NATS_URL", self.nats.nats_url())
            .env("KMRL_JOBS_RETRY_FIRST", "1")
            .env("KMRL_JOBS_ACK_WAIT", "3")
            .env("KMRL_JOBS_SWEEP_EVERY", "1")
            .env(
                "KMRL_LOG",
                std::env::var("KMRL_TEST_LOG").unwrap_or("warn".into()),
            )
            .envs(self.settings.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        command
    }
}

/// One process of the gateway.
pub struct Gateway {
    child: Child,
    pub base: String,
    pub client: Client,
}

impl Gateway {
    pub fn spawn(command: Command) -> Self {
        Self::try_spawn(command).expect("the gateway did not start; its log is above")
    }

    /// Starts it; how it ended, when it ended before it served.
    pub fn try_spawn(command: Command) -> Result<Self, ExitStatus> {
        let mut child = spawn_tied(command, libc::SIGKILL).unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let base = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let rest = line.trim().strip_prefix("address")?;
            Some(rest.trim().to_owned())
        });
        let Some(base) = base else {
            return Err(child.wait().unwrap());
        };
        // Keep the pipe drained so that the program never blocks on it.
        std::thread::spawn(move || lines.for_each(drop));
        let mut headers = HeaderMap::new();
        headers.insert("x-api-key", HeaderValue::from_static(KEY));
        let client = Client::builder()
            .default_headers(headers)
            .timeout(PATIENCE)
            .build()
            .unwrap();
        Ok(Self {
            child,
            base,
            client,
        })
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL, at once.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and waits for the end in order.
    pub async fn stop(mut self) -> bool {
        signal(self.pid(), "TERM");
        let child = &mut self.child;
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let mut ticks = tokio::time::interval(std::time::Duration::from_millis(20));
        loop {
            ticks.tick().await;
            if let Some(status) = child.try_wait().unwrap() {
                return status.success();
            }
            assert!(tokio::time::Instant::now() < deadline, "did not stop");
        }
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.base))
    }

    pub fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.base))
    }

    pub async fn json(&self, path: &str) -> Value {
        let answer = self.get(path).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert_eq!(status, StatusCode::OK, "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    pub fn upload_request(&self, name: &str, bytes: impl Into<Vec<u8>>) -> RequestBuilder {
        let part = Part::bytes(bytes.into()).file_name(name.to_owned());
        let form = Form::new().text("source", "manual").part("file", part);
        self.post("/api/v1/documents/upload").multipart(form)
    }

    /// Uploads and gives the accepted document.
    pub async fn upload(&self, name: &str, bytes: impl Into<Vec<u8>>) -> Value {
        let answer = self.upload_request(name, bytes).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert_eq!(status, StatusCode::ACCEPTED, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Waits until the document is processed or failed, and gives it.
    pub async fn finished(&self, id: &str) -> Value {
        eventually(&format!("document {id} ends"), || async {
            let answer = self
                .get(&format!("/api/v1/documents/{id}"))
                .send()
                .await
                .ok()?;
            if answer.status() != StatusCode::OK {
                return None;
            }
            let document: Value = answer.json().await.ok()?;
            let ended = document["status"] == "processed" || document["status"] == "failed";
            ended.then_some(document)
        })
        .await
    }

    /// Waits until a signed checkpoint covers the position, and gives its size.
    pub async fn covering_checkpoint(&self, position: i64) -> i64 {
        eventually("a checkpoint covers it", || async {
            let request = self.get("/api/v1/log/checkpoint");
            let answer = request
                .header("accept", "application/json")
                .send()
                .await
                .ok()?;
            let checkpoint: Value = answer.json().await.ok()?;
            checkpoint["size"].as_i64().filter(|size| *size >= position)
        })
        .await
    }

    pub async fn socket(&self, path: &str) -> Socket {
        let opened = self.socket_with(path, &[("x-api-key", KEY)]).await;
        opened.unwrap_or_else(|status| panic!("{path}: {status}"))
    }

    /// The status instead, when it is not opened.
    pub async fn socket_with(&self, path: &str, headers: &[(&str, &str)]) -> Result<Socket, u16> {
        let url = format!("{}{path}", self.base.replace("http://", "ws://"));
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            let name: HeaderName = name.parse().unwrap();
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        match tokio_tungstenite::connect_async(request).await {
            Ok((stream, _)) => Ok(Socket(stream)),
            Err(tungstenite::Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(error) => panic!("{path}: {error}"),
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal by name.
pub fn signal(pid: u32, name: &str) {
    let status = Command::new("kill")
        .args([format!("-{name}"), pid.to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}

/// A WebSocket client.
pub struct Socket(
    tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>,
);

impl Socket {
    pub async fn send(&mut self, message: Value) {
        self.0
            .send(Message::Text(message.to_string().into()))
            .await
            .unwrap();
    }

    /// The next JSON message, which has the form that the AsyncAPI document promises.
    pub async fn next(&mut self) -> Value {
        tokio::time::timeout(PATIENCE, async {
            loop {
                match self.0.next().await.expect("the socket ended").unwrap() {
                    Message::Text(text) => {
                        let message = serde_json::from_str(&text).unwrap();
                        messages::check(&message);
                        return message;
                    }
                    Message::Close(frame) => panic!("closed: {frame:?}"),
                    _ => {}
                }
            }
        })
        .await
        .expect("no message came")
    }

    /// Waits until the other side closes, and gives its code.
    pub async fn closed(&mut self) -> u16 {
        tokio::time::timeout(PATIENCE, async {
            loop {
                let message = self.0.next().await.expect("the socket ended").unwrap();
                if let Message::Close(frame) = message {
                    return frame.unwrap().code.into();
                }
            }
        })
        .await
        .expect("it was not closed")
    }

    /// The next message that fits.
    pub async fn find(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        loop {
            let message = self.next().await;
            if fits(&message) {
                return message;
            }
        }
    }

    /// Messages until one fits, with it.
    pub async fn until(&mut self, fits: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut all = Vec::new();
        loop {
            let message = self.next().await;
            let last = fits(&message);
            all.push(message);
            if last {
                return all;
            }
        }
    }
}

/// Asserts that an answer is a problem of a type.
pub async fn expect_problem(answer: Response, status: u16, slug: &str) -> Value {
    let got = answer.status().as_u16();
    let kind = answer.headers().get("content-type").cloned();
    let text = answer.text().await.unwrap();
    assert_eq!(got, status, "{slug}: {text}");
    assert_eq!(kind.unwrap(), "application/problem+json", "{text}");
    let problem: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        problem["type"],
        json!(format!("/problems/{slug}")),
        "{text}"
    );
    assert_eq!(problem["status"], json!(status));
    problem
}
