//! An S3 server for tests: SeaweedFS, all of it in one process, on loopback ports of its own and
//! with its own keys, so that any number of test runs go on at once. Ends with the test program.
//!
//! Needs the `weed` program: `KMRL_TEST_WEED_BIN`, the engines folder (`make engines`) or PATH.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use kmrl_gateway::engines::{free_port, spawn_tied};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Every listener of `weed mini` that cannot be switched off: leaving one at its default would
/// make two runs collide.
const PORT_FLAGS: [&str; 10] = [
    "-s3.port",
    "-s3.port.grpc",
    "-master.port",
    "-master.port.grpc",
    "-volume.port",
    "-volume.port.grpc",
    "-filer.port",
    "-filer.port.grpc",
    "-admin.port",
    "-admin.port.grpc",
];
const TRIES: usize = 5;
const START_LIMIT: Duration = Duration::from_secs(30);
const SIGKILL: i32 = 9;

/// A running S3 server with an empty store.
pub struct S3Server {
    /// Base address, `http://127.0.0.1:PORT`.
    pub endpoint: String,
    /// Key id of its one, administrating user.
    pub access_key: String,
    /// Secret of that user.
    pub secret_key: String,
    ports: [u16; PORT_FLAGS.len()],
    data: TempDir,
    process: Option<Child>,
}

impl S3Server {
    /// Starts a server and waits until it answers.
    pub async fn start() -> S3Server {
        for _ in 0..TRIES {
            let ports = distinct_ports();
            let mut server = S3Server {
                endpoint: format!("http://127.0.0.1:{}", ports[0]),
                access_key: "kmrl-test".into(),
                secret_key: format!("secret-of-{}", std::process::id()),
                ports,
                data: TempDir::new().unwrap(),
                process: None,
            };
            if server.launch().await {
                return server;
            }
        }
        panic!("the S3 server did not start in {TRIES} tries");
    }

    /// Ends the server as a crash would. Requests are refused until [`S3Server::restart`].
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Starts the server again on the same port and data.
    pub async fn restart(&mut self) {
        self.kill();
        assert!(
            self.launch().await,
            "the S3 server did not start again: {}",
            self.log()
        );
    }

    /// Spawns the server; whether it answered before it ended or the limit was reached.
    async fn launch(&mut self) -> bool {
        self.process = Some(spawn_tied(self.command(), SIGKILL).unwrap());
        let mut poll = tokio::time::interval(Duration::from_millis(20));
        let answered = async {
            while self.process.as_mut().unwrap().try_wait().unwrap().is_none() {
                if answers(self.ports[0]).await {
                    return true;
                }
                poll.tick().await;
            }
            false
        };
        let answered = tokio::time::timeout(START_LIMIT, answered)
            .await
            .unwrap_or(false);
        if !answered {
            self.kill();
        }
        answered
    }

    /// One process, nothing but what S3 needs: 0.9 s from spawn to the first answer, against 3.3 s
    /// of `weed server -s3`.
    fn command(&self) -> Command {
        let folder = self.data.path();
        let log = std::fs::File::create(folder.join("weed.log")).unwrap();
        let mut command = Command::new(weed());
        command
            .env_clear()
            .env("HOME", folder)
            .env("PATH", "/usr/bin:/bin");
        command.env("AWS_ACCESS_KEY_ID", &self.access_key);
        command.env("AWS_SECRET_ACCESS_KEY", &self.secret_key);
        command
            .arg("mini")
            .arg(format!("-dir={}", folder.display()));
        command.args([
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            "-master.telemetry=false",
        ]);
        command.args(["-webdav=false", "-admin.ui=false", "-s3.iam=false"]);
        command.args(["-s3.port.iceberg=0", "-s3.port.lance=0"]);
        for (flag, port) in PORT_FLAGS.iter().zip(self.ports) {
            command.arg(format!("{flag}={port}"));
        }
        for (flag, socket) in [("-s3.localSocket", "s3"), ("-filer.localSocket", "filer")] {
            command.arg(format!("{flag}={}/{socket}.sock", folder.display()));
        }
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        command
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.data.path().join("weed.log")).unwrap_or_default()
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        // Before the data folder goes.
        self.kill();
        // It puts these into the same folder whatever it is told, and does not always remove them.
        for (flag, port) in PORT_FLAGS.iter().zip(self.ports) {
            if let Some(part) = flag
                .strip_prefix('-')
                .and_then(|f| f.strip_suffix(".port.grpc"))
            {
                let _ = std::fs::remove_file(format!("/tmp/seaweedfs-{part}-grpc-{port}.sock"));
            }
        }
    }
}

fn distinct_ports() -> [u16; PORT_FLAGS.len()] {
    let mut ports = std::collections::BTreeSet::new();
    while ports.len() < PORT_FLAGS.len() {
        ports.insert(free_port().unwrap());
    }
    ports.into_iter().collect::<Vec<_>>().try_into().unwrap()
}

fn weed() -> PathBuf {
    if let Some(program) = std::env::var_os("KMRL_TEST_WEED_BIN") {
        return program.into();
    }
    let engines = std::env::var_os("KMRL_ENGINES_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join(".engines"),
        PathBuf::from,
    );
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::iter::once(engines)
        .chain(std::env::split_paths(&path))
        .map(|folder| folder.join("weed"))
        .find(|program| program.is_file())
        .expect("no weed program: run `make engines` or set KMRL_TEST_WEED_BIN")
}

/// Whether an S3 server answers on the port: any answer will do, here that it wants a signature.
async fn answers(port: u16) -> bool {
    let request = async {
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            .await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    request
        .await
        .is_ok_and(|answer| answer.contains("<Code>AccessDenied</Code>"))
}
