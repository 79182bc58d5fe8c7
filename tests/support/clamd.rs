//! A real clamd on a signature database of three lines, on a socket of its own.

use super::{TempDir, eventually};
use kmrl_gateway::engines::spawn_tied;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// The test file that every scanner knows, in two pieces: whole it would be found in this file.
pub fn eicar() -> Vec<u8> {
    let (first, second) = (
        r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-",
        "STANDARD-ANTIVIRUS-TEST-FILE!$H+H*",
    );
    format!("{first}{second}").into_bytes()
}

/// A running clamd.
pub struct Clamd {
    child: Child,
    dir: TempDir,
}

impl Clamd {
    /// Starts it and waits until it listens.
    pub async fn start() -> Self {
        let dir = TempDir::new("clamd");
        let place = dir.path().display().to_string();
        let database = dir.path().join("db");
        std::fs::create_dir_all(&database).unwrap();
        let hex: String = eicar().iter().map(|byte| format!("{byte:02x}")).collect();
        let signatures = format!(
            "Eicar-Test-Signature:0:0:{hex}\nKmrl-Test-A:0:*:6b6d726c2d746573742d6f6e65\n\
             Kmrl-Test-B:0:*:6b6d726c2d746573742d74776f\n"
        );
        std::fs::write(database.join("test.ndb"), signatures).unwrap();
        let settings = format!(
            "LocalSocket {place}/socket\nDatabaseDirectory {place}/db\nTemporaryDirectory {place}\n\
             Foreground yes\nStreamMaxLength 300M\nMaxFileSize 300M\nMaxScanSize 300M\n"
        );
        let file = dir.path().join("clamd.conf");
        std::fs::write(&file, settings).unwrap();
        let child = launch(&file);
        let clamd = Self { child, dir };
        clamd.listens().await;
        clamd
    }

    async fn listens(&self) {
        eventually("clamd listens", || async {
            self.socket().exists().then_some(())
        })
        .await;
    }

    /// Starts it again at the same address.
    pub async fn restart(&mut self) {
        self.stop();
        // What a killed one leaves behind.
        let _ = std::fs::remove_file(self.socket());
        self.child = launch(&self.dir.path().join("clamd.conf"));
        self.listens().await;
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("socket")
    }

    /// As the setting names it.
    pub fn address(&self) -> String {
        format!("unix:{}", self.socket().display())
    }

    /// Ends it at once; its address stays.
    pub fn stop(&mut self) {
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }
}

impl Drop for Clamd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn launch(settings: &std::path::Path) -> Child {
    let mut command = Command::new(program());
    command
        .arg("--config-file")
        .arg(settings)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    spawn_tied(command, libc::SIGKILL).unwrap()
}

/// Where `scripts/engines.sh test` put it.
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path)
        .chain(["/usr/sbin", "/opt/homebrew/sbin", "/usr/local/sbin"].map(PathBuf::from));
    folders
        .map(|folder| folder.join("clamd"))
        .find(|program| program.is_file())
        .expect("no clamd: run scripts/engines.sh test")
}
