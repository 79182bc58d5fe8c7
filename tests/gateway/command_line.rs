//! The program's other subcommands, and `up` with its embedded engines.

use crate::harness::{Gateway, KEY, World, signal};
use crate::support::{TempDir, eventually};
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn program(data_dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kmrl-gateway"));
    command
        .env("KMRL_DATA_DIR", data_dir)
        .env("KMRL_LOG", "warn")
        .stdin(Stdio::null());
    command
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn up(data_dir: &Path) -> Gateway {
    let mut command = program(data_dir);
    command
        .arg("up")
        .env("KMRL_LISTEN", "127.0.0.1:0")
        .env("KMRL_API_KEY", KEY)
        .stdout(Stdio::piped());
    Gateway::spawn(command)
}

#[test]
fn whoever_reads_only_the_beginning_is_no_error() {
    let dir = TempDir::new("head");
    let mut command = program(dir.path());
    command.args(["config", "table"]).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(text(&output), "");
}

/// Processes that name the folder in their command line: the engines of that folder.
fn engines_of(data_dir: &Path) -> Vec<u32> {
    let needle = data_dir.to_string_lossy().into_owned();
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|e| e.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid: &u32| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(&needle)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn up_brings_its_own_engines_and_kill_9_leaves_none() {
    let dir = TempDir::new("up");
    let first = up(dir.path());
    let id = first.upload("a.txt", "kept").await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(!engines_of(dir.path()).is_empty());
    first.kill();
    eventually("no engine is left", || async {
        engines_of(dir.path()).is_empty().then_some(())
    })
    .await;

    // The next start has everything and finishes what was under way.
    let second = up(dir.path());
    assert_eq!(second.finished(&id).await["extracted_text"], "kept");
    beside_a_running_up(dir.path(), &second).await;
    assert!(second.stop().await);
    assert!(engines_of(dir.path()).is_empty());
}

async fn beside_a_running_up(data_dir: &Path, gateway: &Gateway) {
    let folder = TempDir::new("to-upload");
    std::fs::write(folder.path().join("one.txt"), "one").unwrap();
    std::fs::write(folder.path().join("two.txt"), "two").unwrap();
    let uploaded = program(data_dir)
        .env("KMRL_API_KEY", KEY)
        .args(["upload", "--source", "scan", "--wait"])
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(uploaded.status.success(), "{}", text(&uploaded));
    assert_eq!(
        gateway.json("/api/v1/documents/?source=scan").await["total"],
        2
    );
    let health = program(data_dir)
        .env("KMRL_API_KEY", KEY)
        .arg("health")
        .output()
        .unwrap();
    assert!(health.status.success(), "{}", text(&health));
    let rebuilt = program(data_dir).args(["rebuild", "all"]).output().unwrap();
    assert!(rebuilt.status.success(), "{}", text(&rebuilt));
    assert_eq!(gateway.json("/api/v1/documents/").await["total"], 3);
    let second = program(data_dir)
        .arg("up")
        .env("KMRL_LISTEN", "127.0.0.1:0")
        .output()
        .unwrap();
    assert!(
        !second.status.success(),
        "two gateways on one folder: {}",
        text(&second)
    );
}

#[test]
fn extract_prints_the_text_of_a_file() {
    let dir = TempDir::new("extract");
    let file = dir.path().join("a.pdf");
    std::fs::write(
        &file,
        kmrl_extraction::fixtures::pdf(&["Signal failure at Edappally"]),
    )
    .unwrap();
    let output = program(dir.path())
        .arg("extract")
        .arg(&file)
        .output()
        .unwrap();
    assert!(
        text(&output).contains("Signal failure at Edappally"),
        "{}",
        text(&output)
    );
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn extract_goes_through_folders_and_its_exit_code_says_how_it_went() {
    let dir = TempDir::new("extract-many");
    let folder = dir.path().join("in/deep");
    std::fs::create_dir_all(&folder).unwrap();
    let pdf = kmrl_extraction::fixtures::pdf(&["Page one", "Page two"]);
    std::fs::write(folder.join("a.pdf"), pdf).unwrap();
    std::fs::write(dir.path().join("in/b.txt"), "രണ്ട്").unwrap();
    let extract = |arguments: &[&str]| {
        let mut command = program(dir.path());
        command.arg("extract").args(arguments);
        command.current_dir(dir.path()).output().unwrap()
    };

    let all = extract(&["in"]);
    assert_eq!(all.status.code(), Some(0), "{}", text(&all));
    assert_eq!(
        String::from_utf8_lossy(&all.stdout),
        "==> in/b.txt <==\nരണ്ട്\n==> in/deep/a.pdf <==\nPage one\u{C}Page two\n"
    );

    std::fs::write(dir.path().join("in/broken.pdf"), "%PDF-1.7 and no more").unwrap();
    let refused = extract(&["--json", "in"]);
    assert_eq!(refused.status.code(), Some(3), "{}", text(&refused));
    let told: Vec<serde_json::Value> = String::from_utf8_lossy(&refused.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(told[0]["pages"][0]["text"], "രണ്ട്");
    assert_eq!(told[1]["path"], "in/broken.pdf");
    assert_eq!(told[1]["error"]["code"], "damaged");
    assert_eq!(told[2]["pages"][1]["words"][0]["text"], "Page");

    let missing = extract(&["in/b.txt", "nowhere.txt"]);
    assert_eq!(missing.status.code(), Some(4), "{}", text(&missing));
    assert!(text(&missing).contains("രണ്ട്"), "the rest goes on");
    assert_eq!(extract(&[]).status.code(), Some(2));
}

#[test]
fn settings_that_cannot_be_used_are_told_at_once() {
    let dir = TempDir::new("config");
    let output = program(dir.path())
        .args(["config", "check"])
        .env("KMRL_LISTEN", "nowhere")
        .env("KMRL_JOBS_WORKERS", "1000")
        .env("KMRL_API_KEY", "a-secret-0123456789")
        .env("KMRL_LIVE_RING", "77")
        .output()
        .unwrap();
    assert!(!output.status.success());
    let told = text(&output);
    assert!(
        told.contains("KMRL_LISTEN") && told.contains("KMRL_JOBS_WORKERS"),
        "{told}"
    );
    // What would be in force, and where it comes from.
    for shown in [
        "(hidden)  [environment]",
        "77  [environment]",
        "0.7  [default]",
    ] {
        assert!(told.contains(shown), "{told}");
    }
    assert!(!told.contains("a-secret"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn watch_prints_what_happens() {
    let world = World::new().await;
    let gateway = world.start();
    let id = gateway.upload("a.txt", "x").await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    gateway.finished(&id).await;
    let mut watch = program(world.data.path());
    watch
        .env("KMRL_API_KEY", KEY)
        .args(["watch", "--json", "--after", "0"])
        .stdout(Stdio::piped());
    let mut child = kmrl_gateway::engines::spawn_tied(watch, libc::SIGKILL).unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let found = tokio::task::spawn_blocking(move || {
        lines
            .map_while(Result::ok)
            .any(|line| line.contains("processed"))
    });
    let found = tokio::time::timeout(crate::support::PATIENCE, found).await;
    signal(child.id(), "INT");
    child.wait().unwrap();
    assert!(found.expect("watch printed nothing").unwrap());
}
