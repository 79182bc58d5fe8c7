//! A scrape of `/metrics`, read as Prometheus reads it, and promtool.

use super::gateway::Gateway;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Samples by name and labels, as they are written.
pub struct Scraped {
    pub text: String,
    samples: BTreeMap<String, f64>,
}

impl Scraped {
    pub async fn of(gateway: &Gateway) -> Self {
        let answer = gateway.get("/metrics").send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
        let kind = answer.headers()["content-type"].to_str().unwrap();
        assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
        let text = answer.text().await.unwrap();
        let samples = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| {
                let (name, value) = line.rsplit_once(' ').unwrap();
                (name.to_owned(), value.parse().unwrap())
            })
            .collect();
        Self { text, samples }
    }

    /// The value of a sample, such as `name{label="value"}`.
    pub fn get(&self, sample: &str) -> Option<f64> {
        self.samples.get(sample).copied()
    }

    /// How many samples have names that begin with one of these.
    pub fn count(&self, beginnings: &[&str]) -> usize {
        let fits = |name: &&String| beginnings.iter().any(|b| name.starts_with(b));
        self.samples.keys().filter(fits).count()
    }

    /// Names of families.
    pub fn families(&self) -> BTreeSet<String> {
        let types = self.text.lines().filter_map(|l| l.strip_prefix("# TYPE "));
        types
            .map(|line| line.split(' ').next().unwrap().to_owned())
            .collect()
    }
}

/// Runs promtool, with something to read; what it said.
pub fn promtool(arguments: &[&str], input: &str) -> String {
    let mut child = Command::new(program())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    pipe.write_all(input.as_bytes()).unwrap();
    drop(pipe);
    let output = child.wait_with_output().unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "promtool {arguments:?}: {said}");
    said
}

/// Where `scripts/engines.sh test` put it.
fn program() -> PathBuf {
    let engines = std::env::var_os("KMRL_ENGINES_DIR").map_or_else(
        || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(".engines"),
        PathBuf::from,
    );
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::iter::once(engines)
        .chain(std::env::split_paths(&path))
        .map(|folder| folder.join("promtool"))
        .find(|program| program.is_file())
        .expect("no promtool: run scripts/engines.sh test")
}
