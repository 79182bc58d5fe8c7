//! What is counted while documents go their way, as Prometheus reads it.

use crate::harness::{Gateway, World, expect_problem};
use crate::support::eventually;
use crate::support::scrape::{Scraped, promtool};
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

fn stage(name: &str, what: &str) -> String {
    format!("kmrl_stage_duration_seconds_{what}{{stage=\"{name}\"}}")
}

/// Waits until samples have their values, and gives the scrape.
async fn counted(gateway: &Gateway, wanted: &[(&str, f64)]) -> Scraped {
    let mut last = Vec::new();
    let found = tokio::time::timeout(crate::support::PATIENCE, async {
        loop {
            let scraped = Scraped::of(gateway).await;
            let differs = |(sample, value): &&(&str, f64)| scraped.get(sample) != Some(*value);
            last = wanted
                .iter()
                .filter(differs)
                .map(|(sample, value)| format!("{sample}: {:?}, not {value}", scraped.get(sample)))
                .collect();
            if last.is_empty() {
                return scraped;
            }
            kmrl_gateway::pause::pause(std::time::Duration::from_millis(50)).await;
        }
    })
    .await;
    found.unwrap_or_else(|_| panic!("{last:#?}"))
}

async fn upload_from(gateway: &Gateway, source: &str, text: &str) -> reqwest::Response {
    let part = Part::bytes(text.as_bytes().to_vec()).file_name("a.txt");
    let form = Form::new()
        .text("source", source.to_owned())
        .part("file", part);
    let request = gateway.post("/api/v1/documents/upload").multipart(form);
    request.send().await.unwrap()
}

/// When an event of a document was recorded.
async fn recorded(gateway: &Gateway, id: &str, kind: &str) -> OffsetDateTime {
    let path = format!("/api/v1/events?document_id={id}&type={kind}");
    let page = gateway.json(&path).await;
    let at = page["events"][0]["recorded_at"].as_str().unwrap();
    OffsetDateTime::parse(at, &Rfc3339).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_on_its_way_is_counted_at_every_stage() {
    let world = World::with(&[("KMRL_LOG_CHECKPOINT_EVERY", "1")]).await;
    let gateway = world.start();
    let _socket = gateway.socket("/ws").await;
    let accepted: Value = upload_from(&gateway, "maximo", "a job card")
        .await
        .json()
        .await
        .unwrap();
    let id = accepted["id"].as_str().unwrap();
    gateway.finished(id).await;
    let pigeon = upload_from(&gateway, "pigeon", "coo").await;
    expect_problem(pigeon, 400, "source-unknown").await;
    let scraped = counted(
        &gateway,
        &[
            ("kmrl_uploads_total{outcome=\"accepted\",source=\"maximo\"}", 1.0),
            ("kmrl_uploads_total{outcome=\"accepted\",source=\"scan\"}", 0.0),
            ("kmrl_uploads_total{outcome=\"refused\",source=\"other\"}", 1.0),
            ("kmrl_upload_bytes_total{source=\"maximo\"}", 10.0),
            (&stage("accepted", "count"), 1.0),
            (&stage("queued", "count"), 1.0),
            (&stage("started", "count"), 1.0),
            (&stage("extracted", "count"), 1.0),
            (&stage("visible", "count"), 1.0),
            ("kmrl_jobs_ended_total{end=\"done\"}", 1.0),
            ("kmrl_jobs_ended_total{end=\"failed\"}", 0.0),
            ("kmrl_jail_outcomes_total{outcome=\"ok\",task=\"read\"}", 1.0),
            ("kmrl_jail_outcomes_total{outcome=\"ok\",task=\"inspect\"}", 1.0),
            // Uploaded, ProcessingStarted, Extracted.
            ("kmrl_projection_delay_seconds_count{projection=\"documents\"}", 3.0),
            ("kmrl_documents{status=\"processed\"}", 1.0),
            ("kmrl_queue_jobs{priority=\"normal\",state=\"waiting\"}", 0.0),
            ("kmrl_relay_lag_events", 0.0),
            ("kmrl_projection_lag_events{projection=\"documents\"}", 0.0),
            ("kmrl_parked_events{projection=\"documents\"}", 0.0),
            ("kmrl_checkpoint_lag_events", 0.0),
            ("kmrl_live_connections{path=\"all\"}", 1.0),
            ("kmrl_component_up{component=\"postgresql\"}", 1.0),
            ("kmrl_limits_hit_total{limit=\"rate\"}", 0.0),
            ("kmrl_build_info{version=\"0.1.0\"}", 1.0),
            ("kmrl_config_last_reload_successful", 1.0),
            ("kmrl_http_requests_total{method=\"POST\",route=\"/api/v1/documents/upload\",status=\"202\"}", 1.0),
            ("kmrl_http_request_duration_seconds_count{method=\"POST\",route=\"/api/v1/documents/upload\"}", 2.0),
        ],
    )
    .await;
    assert!(scraped.get("process_resident_memory_bytes").unwrap() > 1e6);
    assert!(scraped.get("process_open_fds").unwrap() > 3.0);
    // The times are those of the log.
    let (started, extracted) = (
        recorded(&gateway, id, "ProcessingStarted").await,
        recorded(&gateway, id, "Extracted").await,
    );
    let took = (extracted - started).as_seconds_f64();
    let sum = scraped.get(&stage("extracted", "sum")).unwrap();
    assert!((sum - took).abs() < 1e-5, "{sum} {took}");
    let said = promtool(&["check", "metrics"], &scraped.text);
    assert_eq!(said.trim(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_clients_send_series_do_not_grow() {
    let world = World::new().await;
    let gateway = world.start_roles("api,relay,projector");
    let odd = async |n: usize| {
        let brew = Method::from_bytes(format!("BREW{n}").as_bytes()).unwrap();
        let url = format!("{}/api/v1/documents/", gateway.base);
        gateway.client.request(brew, url).send().await.unwrap();
        gateway.get(&format!("/no/{n}")).send().await.unwrap();
        let id = uuid::Uuid::from_u128(n as u128);
        let path = format!("/api/v1/documents/{id}");
        gateway.get(&path).send().await.unwrap();
        upload_from(&gateway, &format!("source-{n}"), "x").await;
    };
    odd(0).await;
    // The scrape counts itself from the second on.
    let _first = Scraped::of(&gateway).await;
    // What follows the log appears when it first does something.
    let clients = ["kmrl_http_", "kmrl_upload"];
    let before = Scraped::of(&gateway).await.count(&clients);
    assert!(before > 50, "{before}");
    for n in 1..40 {
        odd(n).await;
    }
    assert_eq!(Scraped::of(&gateway).await.count(&clients), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_counts_its_own_and_together_they_count_once() {
    let world = World::new().await;
    let projector = world.start_roles("projector");
    let (api, relay, worker) = (
        world.start_roles("api"),
        world.start_roles("relay"),
        world.start_roles("worker"),
    );
    let id = api.upload("a.txt", "words").await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    api.finished(&id).await;
    let all = [&api, &relay, &worker, &projector];
    let counts = eventually("all stages are counted", || async {
        let mut counts = Vec::new();
        for name in ["accepted", "queued", "started", "extracted", "visible"] {
            for gateway in all {
                let sample = stage(name, "count");
                counts.push(Scraped::of(gateway).await.get(&sample).unwrap());
            }
        }
        (counts.iter().sum::<f64>() >= 5.0).then_some(counts)
    })
    .await;
    let expected = [
        [1.0, 0.0, 0.0, 0.0],
        [0.0, 1.0, 0.0, 0.0],
        [0.0, 0.0, 1.0, 0.0],
        [0.0, 0.0, 1.0, 0.0],
        [0.0, 0.0, 0.0, 1.0],
    ];
    assert_eq!(counts, expected.concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_is_given_up_is_counted_with_how_its_reader_ended() {
    let world = World::with(&[("KMRL_OCR_PROGRAM", "/nowhere")]).await;
    let gateway = world.start();
    let scan = include_bytes!("../scan/job-card.jpg").to_vec();
    let id = gateway.upload("scan.jpg", scan).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let document = gateway.finished(&id).await;
    assert_eq!(document["status"], "failed", "{document}");
    counted(
        &gateway,
        &[
            ("kmrl_jobs_ended_total{end=\"failed\"}", 1.0),
            (
                "kmrl_jail_outcomes_total{outcome=\"ocr_unavailable\",task=\"read\"}",
                1.0,
            ),
            ("kmrl_documents{status=\"failed\"}", 1.0),
        ],
    )
    .await;
}
