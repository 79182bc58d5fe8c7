//! A nats-server of the test's own, which can be stopped, wiped and started again.

use crate::support::{TempDir, engine_options};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub struct NatsServer {
    child: Option<Child>,
    dir: TempDir,
    address: String,
}

impl NatsServer {
    pub fn start() -> Self {
        let mut server = Self {
            child: None,
            dir: TempDir::new("nats"),
            address: "127.0.0.1:-1".into(),
        };
        server.spawn();
        server.address = server.read_address();
        server
    }

    pub fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// Kills the server, as a crash does.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Deletes everything that JetStream kept. The server must be down.
    pub fn wipe(&self) {
        std::fs::remove_dir_all(self.store()).unwrap();
    }

    /// Starts the server again at the same address.
    pub fn restart(&mut self) {
        self.kill();
        self.spawn();
    }

    fn store(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    fn ports(&self) -> PathBuf {
        self.dir.path().join("ports")
    }

    fn spawn(&mut self) {
        let (host, port) = self.address.split_once(':').unwrap();
        std::fs::create_dir_all(self.ports()).unwrap();
        let child = Command::new(binary(self.dir.path()))
            .args(["-js", "-a", host, "-p", port, "-sd"])
            .arg(self.store())
            .arg("--ports_file_dir")
            .arg(self.ports())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    /// The server writes the port it took into a file.
    fn read_address(&self) -> String {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            for entry in std::fs::read_dir(self.ports()).unwrap() {
                let text = match std::fs::read_to_string(entry.unwrap().path()) {
                    Ok(text) => text,
                    Err(error) if error.kind() == ErrorKind::NotFound => continue,
                    Err(error) => panic!("{error}"),
                };
                let ports: Option<serde_json::Value> = serde_json::from_str(&text).ok();
                if let Some(url) = ports.as_ref().and_then(|p| p["nats"][0].as_str()) {
                    return url.trim_start_matches("nats://").to_owned();
                }
            }
            assert!(Instant::now() < deadline, "nats-server did not start");
            std::thread::yield_now();
        }
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn binary(dir: &Path) -> PathBuf {
    let options = engine_options(dir);
    options
        .nats_bin
        .or_else(|| options.engines_dir.as_deref().and_then(find))
        .unwrap_or_else(|| "nats-server".into())
}

fn find(dir: &Path) -> Option<PathBuf> {
    for entry in std::fs::read_dir(dir).ok()?.flatten() {
        let path = entry.path();
        if path.is_dir() {
            if let Some(found) = find(&path) {
                return Some(found);
            }
        } else if path.ends_with("nats-server") {
            return Some(path);
        }
    }
    None
}
