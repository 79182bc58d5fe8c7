//! Alert rules, dashboard and runbooks against promtool, each other and a real scrape.

use crate::harness::World;
use crate::support::eventually;
use crate::support::scrape::{Scraped, promtool};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

fn file(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/monitoring");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

fn path(name: &str) -> String {
    format!("{}/docs/monitoring/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Names of our metrics in a text.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c: char| !is_word(c))
        .filter(|word| word.starts_with("kmrl_") || word.starts_with("process_"))
        .map(|word| {
            let parts = ["_bucket", "_sum", "_count"];
            let family = parts.iter().find_map(|part| word.strip_suffix(part));
            family.unwrap_or(word).to_owned()
        })
        .collect()
}

fn expressions(panel: &Value) -> Vec<String> {
    let targets = panel["targets"].as_array().into_iter().flatten();
    targets
        .map(|target| target["expr"].as_str().unwrap().to_owned())
        .collect()
}

fn alerts() -> Vec<String> {
    let rules = file("alerts.yml");
    let names = rules
        .lines()
        .filter_map(|l| l.trim().strip_prefix("- alert: "));
    names.map(str::to_owned).collect()
}

#[test]
fn promtool_takes_rules_and_configuration_and_the_rules_do_as_they_should() {
    promtool(&["check", "rules", &path("alerts.yml")], "");
    let config = path("prometheus.yml");
    promtool(&["check", "config", "--syntax-only", &config], "");
    promtool(&["test", "rules", &path("alerts_test.yml")], "");
}

#[test]
fn every_alert_is_tried_and_has_a_runbook() {
    let (tests, runbooks) = (file("alerts_test.yml"), file("runbooks.md"));
    let alerts = alerts();
    assert!(alerts.len() > 15, "{alerts:?}");
    for alert in &alerts {
        let fires = format!("alertname: {alert}\n        exp_alerts:");
        assert!(tests.contains(&fires), "{alert} is never made to fire");
        assert!(
            runbooks.contains(&format!("\n## {alert}\n")),
            "{alert} has no runbook"
        );
        let link = format!("runbook_url: runbooks.md#{}\n", alert.to_lowercase());
        assert!(file("alerts.yml").contains(&link), "{link}");
    }
    let headings = runbooks.lines().filter_map(|l| l.strip_prefix("## "));
    for heading in headings {
        assert!(alerts.iter().any(|a| a == heading), "no alert {heading}");
    }
}

/// Each expression of the dashboard as a rule, so that promtool reads it.
#[test]
fn every_expression_of_the_dashboard_is_one() {
    let dashboard: Value = serde_json::from_str(&file("grafana/dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut rules = "groups:\n  - name: dashboard\n    rules:\n".to_owned();
    for (n, expression) in panels.iter().flat_map(expressions).enumerate() {
        let expression = expression.replace("$__rate_interval", "1m");
        let expression = serde_json::to_string(&expression).unwrap();
        rules.push_str(&format!(
            "      - record: panel_{n}\n        expr: {expression}\n"
        ));
    }
    let dir = crate::support::TempDir::new("dashboard");
    let written = dir.path().join("rules.yml");
    std::fs::write(&written, rules).unwrap();
    promtool(&["check", "rules", written.to_str().unwrap()], "");
}

#[tokio::test(flavor = "multi_thread")]
async fn dashboard_and_rules_speak_of_what_a_scrape_has_and_of_all_of_it() {
    let world = World::with(&[("KMRL_LOG_CHECKPOINT_EVERY", "1")]).await;
    let gateway = world.start();
    let id = gateway.upload("a.txt", "words").await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    gateway.finished(&id).await;
    let families = eventually("a checkpoint is signed", || async {
        let families = Scraped::of(&gateway).await.families();
        families
            .contains("kmrl_checkpoint_age_seconds")
            .then_some(families)
    })
    .await;
    let dashboard = file("grafana/dashboard.json");
    let spoken: BTreeSet<String> = [
        file("alerts.yml"),
        file("alerts_test.yml"),
        dashboard.clone(),
    ]
    .iter()
    .flat_map(|text| metrics_in(text))
    .collect();
    let unknown: Vec<_> = spoken.difference(&families).collect();
    assert!(unknown.is_empty(), "no scrape has {unknown:?}");
    // The other way: nothing is counted that nobody can see.
    let ours = families.iter().filter(|name| name.starts_with("kmrl_"));
    let shown = metrics_in(&dashboard);
    let unseen: Vec<_> = ours.filter(|name| !shown.contains(*name)).collect();
    assert!(unseen.is_empty(), "no panel shows {unseen:?}");
}
