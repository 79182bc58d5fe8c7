//! Settings read again on SIGHUP: what takes effect, what waits, and what a wrong file changes.

use crate::harness::{Gateway, World, expect_problem, signal};
use crate::support::scrape::Scraped;
use crate::support::{TempDir, eventually};
use reqwest::StatusCode;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use std::path::PathBuf;

struct Scene {
    gateway: Gateway,
    file: PathBuf,
    _world: World,
}

impl Scene {
    async fn new(settings: &str) -> Self {
        let world = World::new().await;
        let file = world.data.path().join("gateway.toml");
        std::fs::write(&file, settings).unwrap();
        let mut command = world.command("api,relay,projector,worker");
        command.env("KMRL_CONFIG", &file);
        Self {
            gateway: Gateway::spawn(command),
            file,
            _world: world,
        }
    }

    /// Puts other settings into the file, and waits until they were read.
    async fn reload(&self, settings: &str, outcome: &str) -> Scraped {
        let sample = format!("kmrl_config_reloads_total{{outcome=\"{outcome}\"}}");
        let before = Scraped::of(&self.gateway).await.get(&sample).unwrap();
        std::fs::write(&self.file, settings).unwrap();
        signal(self.gateway.pid(), "HUP");
        eventually("the settings were read", || async {
            let scraped = Scraped::of(&self.gateway).await;
            (scraped.get(&sample) > Some(before)).then_some(scraped)
        })
        .await
    }

    async fn upload(&self, name: &str, source: &str) -> reqwest::Response {
        let part = Part::bytes(b"invoice payment".to_vec()).file_name(name.to_owned());
        let form = Form::new()
            .text("source", source.to_owned())
            .part("file", part);
        let request = self.gateway.post("/api/v1/documents/upload");
        request.multipart(form).send().await.unwrap()
    }
}

const OK: &str = "kmrl_config_last_reload_successful";

#[tokio::test(flavor = "multi_thread")]
async fn sources_and_types_and_sizes_take_effect_and_a_wrong_file_changes_nothing() {
    let scene = Scene::new("[upload]\nsources = [\"scan\"]\n").await;
    expect_problem(scene.upload("a.txt", "depot").await, 400, "source-unknown").await;

    let depot = "[upload]\nsources = [\"scan\", \"depot\"]\n[door]\ntypes = [\"txt\"]\n";
    scene.reload(depot, "applied").await;
    let taken = scene.upload("a.txt", "depot").await;
    assert_eq!(taken.status(), StatusCode::ACCEPTED);
    let csv = scene.upload("a.csv", "depot").await;
    expect_problem(csv, 415, "file-type-not-allowed").await;

    // Not TOML, a value that cannot be, a setting that there is not: each keeps what was.
    for wrong in [
        "[upload\n",
        "[upload]\nsources = [\"NO\"]\n",
        "[uplaod]\nsources = [\"x\"]\n",
    ] {
        let scraped = scene.reload(wrong, "failed").await;
        assert_eq!(scraped.get(OK), Some(0.0));
        let taken = scene.upload("a.txt", "depot").await;
        assert_eq!(taken.status(), StatusCode::ACCEPTED);
    }

    let small = "[upload]\nsources = [\"scan\", \"depot\"]\nmax_file_bytes = 3\n";
    let scraped = scene.reload(small, "applied").await;
    assert_eq!(scraped.get(OK), Some(1.0));
    let large = scene.upload("a.txt", "depot").await;
    expect_problem(large, 413, "file-too-large").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_of_departments_are_read_again_and_what_needs_a_start_is_told() {
    let dir = TempDir::new("rules");
    let rules = dir.path().join("rules.toml");
    let belongs_to = |department: &str| {
        let places = "[places]\nfile_name = 2.0\ntitle = 2.0\ntext = 1.0\n";
        let head = format!("least_score = 1.0\nleast_lead = 0.5\nmost_count = 3\n{places}");
        let text = format!("{head}[departments.{department}]\n\"invoice\" = 9\n");
        std::fs::write(&rules, text).unwrap();
    };
    belongs_to("finance");
    let settings = format!("[departments]\nrules_file = \"{}\"\n", rules.display());
    let scene = Scene::new(&settings).await;
    let department = async |name: &str| {
        let answer = scene.upload(name, "scan").await;
        let accepted: Value = answer.json().await.unwrap();
        let id = accepted["id"].as_str().unwrap();
        let document = scene.gateway.finished(id).await;
        (
            document["department"].clone(),
            document["needs_review"].clone(),
        )
    };
    assert_eq!(department("a.txt").await, (json!("finance"), json!(false)));
    belongs_to("safety");
    let stricter = format!("{settings}[jobs]\nworkers = 1\n");
    let scraped = scene.reload(&stricter, "needs_restart").await;
    assert_eq!(scraped.get(OK), Some(1.0));
    // What can take effect does, beside what waits.
    assert_eq!(department("b.txt").await.0, json!("safety"));
    // Back to what the process began with.
    scene.reload(&settings, "applied").await;
    std::fs::write(&rules, "no rules").unwrap();
    scene.reload(&settings, "failed").await;
    assert_eq!(department("c.txt").await.0, json!("safety"));
}

#[tokio::test(flavor = "multi_thread")]
async fn rates_take_effect_and_what_was_spent_stays_spent() {
    let scene = Scene::new("[limits]\nqueries = 1000\n").await;
    let status = async || {
        let request = scene.gateway.get("/api/v1/documents/statistics");
        request.send().await.unwrap().status()
    };
    assert_eq!(status().await, StatusCode::OK);
    let exception = "[[limits.exceptions]]\nactor = \"key:admin\"\nqueries = 1\n";
    scene.reload(exception, "applied").await;
    // The first may still be in the budget, the second cannot.
    status().await;
    assert_eq!(status().await, StatusCode::TOO_MANY_REQUESTS);
    scene.reload("[limits]\nqueries = 0\n", "applied").await;
    assert_eq!(status().await, StatusCode::OK);
}
