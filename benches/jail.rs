//! What the jail costs a document: children started for it or made ahead, with limits alone or
//! with landlock and seccomp too, beside reading within this process.
//!
//! Real time for a document of one page, one after the other, all variants in turn within each
//! round so that they see the same machine. Run with `cargo bench --bench jail`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark ends at its first error and prints its table"
)]

use kmrl_extraction::{Input, Limits, extract, fixtures};
use kmrl_gateway::adapters::extraction_child::{ChildSettings, ExtractionChild};
use kmrl_gateway::ports::{ExtractRequest, Extractor};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

const ROUNDS: usize = 30;
const DOCUMENTS: usize = 10;
/// Between documents, as they come to a worker that is not full: children are made meanwhile.
const PAUSE: Duration = Duration::from_millis(15);

fn children(ready: usize, only_limits: bool) -> ExtractionChild {
    let settings = ChildSettings {
        ready,
        only_limits,
        ..ChildSettings::new(2 << 30, Duration::from_mins(5))
    };
    ExtractionChild::with_program(env!("CARGO_BIN_EXE_kmrl-gateway").into(), settings)
}

#[tokio::main]
async fn main() {
    let pdf = fixtures::pdf(&["Job card WO-1: replace brake pads\nChecked by night shift"]);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &pdf).unwrap();
    let request = ExtractRequest {
        path: file.path().to_owned(),
        file_name: "a.pdf".to_owned(),
        content_type: String::new(),
        soft: Duration::from_mins(4),
        hard: Duration::from_mins(5),
    };
    let variants = [
        ("started for it, limits", children(0, true)),
        ("started for it, whole jail", children(0, false)),
        ("made ahead, limits", children(2, true)),
        ("made ahead, whole jail", children(2, false)),
    ];
    let mut times = vec![Vec::new(); variants.len() + 1];
    let mut pause = tokio::time::interval(PAUSE);
    for _ in 0..ROUNDS {
        for _ in 0..DOCUMENTS {
            pause.tick().await;
            let begun = Instant::now();
            let input = Input {
                bytes: &pdf,
                file_name: "a.pdf",
                content_type: None,
            };
            extract(&input, &Limits::default(), &mut |_| true).unwrap();
            times[0].push(begun.elapsed());
        }
        for ((_, children), times) in variants.iter().zip(&mut times[1..]) {
            for _ in 0..DOCUMENTS {
                pause.reset();
                pause.tick().await;
                let (progress, _kept) = mpsc::channel(1);
                let begun = Instant::now();
                children.extract(request.clone(), progress).await.unwrap();
                times.push(begun.elapsed());
            }
        }
    }
    println!(
        "{:<28} {:>10} {:>10} {:>7}",
        "one page of PDF", "median µs", "p95 µs", "ratio"
    );
    let names =
        std::iter::once("within this process").chain(variants.iter().map(|(name, _)| *name));
    let mut first = None;
    for (name, mut times) in names.zip(times) {
        times.sort_unstable();
        let at = |part: usize| times[times.len() * part / 100].as_micros();
        let base = *first.get_or_insert(at(50));
        let ratio = at(50) as f64 / base as f64;
        println!("{name:<28} {:>10} {:>10} {ratio:>7.2}", at(50), at(95));
    }
}
