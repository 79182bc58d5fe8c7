//! What a search costs among many documents in English and Malayalam: each shape of query through
//! the product's own code (words, ranking, facets, excerpts), beside a plain `ILIKE` over the same
//! texts in the same run.
//!
//! Some documents go through the projections from generated events; SQL copies them until there are
//! `KMRL_BENCH_DOCUMENTS` (default 100000). An unoptimised build spends a good part of each search on
//! finding the words of its excerpts: compare within one run, and not with another build's.
//! Run: `cargo bench --bench search`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench ends at its first error and prints its table"
)]

use async_trait::async_trait;
use cqrs_es::DomainEvent as _;
use kmrl_domain::event::{Extracted, Uploaded};
use kmrl_domain::judged::Judgement;
use kmrl_domain::private::{PrivateDigest, UploadedPrivate};
use kmrl_domain::values::{Attempt, Blob, Priority, TextArtefact, TextRef};
use kmrl_domain::{DocumentEvent, RecordedEvent};
use kmrl_projections::query::{ReadModel, SearchFilter, SearchPage, SearchQuery};
use kmrl_projections::{BoxError, EventSource, Projector, TextError, TextSource};
use serde_json::json;
use sqlx::PgPool;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use time::macros::datetime;
use uuid::Uuid;

#[path = "../tests/support/mod.rs"]
mod support;

/// Documents that go through the projections.
const GENERATED: u64 = 4_000;
const WORDS: u64 = 150;
const START: OffsetDateTime = datetime!(2026-01-01 00:00 UTC);
const RUNS: usize = 30;

#[tokio::main]
async fn main() {
    let documents = std::env::var("KMRL_BENCH_DOCUMENTS").ok();
    let documents = documents
        .and_then(|n| n.parse().ok())
        .unwrap_or(100_000_u64);
    let database = support::database().await;
    let pool = database.pool.clone();
    let source = Arc::new(Generated);
    let projector = Projector::new(pool.clone(), source.clone(), source);
    projector.prepare().await.unwrap();
    let start = Instant::now();
    projector.catch_up().await.unwrap();
    let all = start.elapsed();
    let start = Instant::now();
    projector.rebuild("search", &mut |_, _| {}).await.unwrap();
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{GENERATED} documents of {WORDS} words: {:.1} s through all projections, {seconds:.1} s \
         ({:.0} documents/s) through `search` alone",
        all.as_secs_f64(),
        GENERATED as f64 / seconds
    );
    let start = Instant::now();
    copy(&pool, documents / GENERATED).await;
    println!(
        "copied to {documents} in {:.0} s",
        start.elapsed().as_secs_f64()
    );
    sizes(&pool).await;
    measure_all(&pool, &ReadModel::new(pool.clone())).await;
}

/// A sequence of numbers that looks random and is always the same.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A rank below `n`, the first by far the most frequent, as words of a language are.
    fn rank(&mut self, n: u64) -> u64 {
        ((n as f64).powf(self.roll()) as u64).saturating_sub(1)
    }
}

/// The English word of a rank.
fn english(rank: u64) -> String {
    const SYLLABLES: [&str; 20] = [
        "ka", "ro", "mi", "te", "lu", "so", "na", "ve", "di", "po", "ga", "ri", "mo", "ce", "ta",
        "bu", "le", "fo", "hi", "wa",
    ];
    let mut word = String::new();
    let mut left = rank + 400;
    while left > 0 {
        word.push_str(SYLLABLES[(left % 20) as usize]);
        left /= 20;
    }
    word.push('k');
    word
}

/// The Malayalam noun of a rank, in one of its forms.
fn malayalam(rank: u64, form: usize) -> String {
    const SYLLABLES: [&str; 16] = [
        "ക",
        "രാ",
        "മി",
        "തേ",
        "ലു",
        "സോ",
        "ന",
        "വേ",
        "ദി",
        "പാ",
        "ഗ",
        "രി",
        "മോ",
        "ചെ",
        "ട്ട",
        "ബു",
    ];
    const ENDINGS: [&str; 7] = ["ം", "ത്തിൽ", "ത്തിന്റെ", "ങ്ങൾ", "ങ്ങളുടെ", "ത്തെ", "ങ്ങളിലെ"];
    let mut word = String::new();
    let mut left = rank + 256;
    while left > 0 {
        word.push_str(SYLLABLES[(left % 16) as usize]);
        left /= 16;
    }
    word.push('ട');
    word.push_str(ENDINGS[form % ENDINGS.len()]);
    word
}

const ENGLISH: u64 = 30_000;
const MALAYALAM: u64 = 20_000;

fn text(number: u64) -> Vec<String> {
    let mut dice = Dice(number.wrapping_mul(7_919) + 1);
    let share = match number % 10 {
        0..6 => 0.0,
        6..9 => 1.0,
        _ => 0.5,
    };
    let words: Vec<String> = (0..WORDS)
        .map(|_| match dice.roll() < share {
            true => malayalam(dice.rank(MALAYALAM), (dice.roll() * 7.0) as usize),
            false => english(dice.rank(ENGLISH)),
        })
        .collect();
    words.chunks(60).map(|page| page.join(" ")).collect()
}

/// A log of uploads and extracted texts, made when it is read.
struct Generated;

fn event(position: i64) -> RecordedEvent {
    let number = (position as u64 - 1) / 2;
    let at = START + time::Duration::minutes(number as i64);
    let (event, private) = if position % 2 == 1 {
        let private = UploadedPrivate {
            file_name: format!("card {number}.pdf"),
            metadata: json!({"wonum": format!("WO-{number}")})
                .as_object()
                .cloned()
                .unwrap(),
            uploaded_by: "depot".into(),
        };
        let uploaded = Uploaded {
            blob: Blob {
                key: format!("sha256/{number}"),
                sha256: format!("{number:064x}"),
                size: 1_000,
            },
            content_type: "application/pdf".into(),
            source: ["maximo", "gmail", "scan", "sharepoint"][(number % 4) as usize].into(),
            priority: Priority::Normal,
            duplicate_of: None,
            parent: None,
            private: PrivateDigest("sha256:00".into()),
            uploaded_at: at,
        };
        (
            DocumentEvent::Uploaded(uploaded),
            Some(serde_json::to_value(private).unwrap()),
        )
    } else {
        let extracted = Extracted {
            attempt: Attempt { run: 1, attempt: 1 },
            text: TextRef {
                key: number.to_string(),
                sha256: "00".into(),
                characters: 1_000,
                pages: 3,
            },
            language: ["en", "ml", "mixed"][(number % 3) as usize].into(),
            confidence: 0.9,
            department: (!number.is_multiple_of(5)).then(|| format!("department {}", number % 5)),
            judgement: Judgement::default(),
            correction_kept: false,
            findings: None,
            extracted_at: at,
        };
        (DocumentEvent::Extracted(extracted), None)
    };
    RecordedEvent {
        position,
        aggregate_type: "document".into(),
        aggregate_id: Uuid::from_u128(u128::from(number) + 1).to_string(),
        sequence: 2 - position % 2,
        event_type: event.name().into(),
        event_version: event.event_version(),
        payload: serde_json::to_value(&event).unwrap(),
        metadata: HashMap::new(),
        recorded_at: at,
        private,
    }
}

#[async_trait]
impl EventSource for Generated {
    async fn read(&self, after: i64, limit: i64) -> Result<Vec<RecordedEvent>, BoxError> {
        let end = (after + limit).min(GENERATED as i64 * 2);
        Ok((after + 1..=end).map(event).collect())
    }

    async fn head(&self) -> Result<i64, BoxError> {
        Ok(GENERATED as i64 * 2)
    }
}

#[async_trait]
impl TextSource for Generated {
    async fn text(&self, key: &str) -> Result<TextArtefact, TextError> {
        Ok(TextArtefact {
            pages: text(key.parse().unwrap()),
            title: None,
            producer: None,
        })
    }
}

/// Each row so many times, under other ids and at other times.
async fn copy(pool: &PgPool, times: u64) {
    let minutes = GENERATED;
    let sql = format!(
        "SET synchronous_commit = off; SET maintenance_work_mem = '256MB';
         CREATE TABLE copies AS SELECT d.id AS old, gen_random_uuid() AS id, \
            d.uploaded_at + n * interval '{minutes} minutes' AS at \
            FROM read.documents d, generate_series(1, {times} - 1) n;
         INSERT INTO rm_documents_1.documents SELECT (jsonb_populate_record(d, \
            jsonb_build_object('id', c.id, 'uploaded_at', c.at))).* \
            FROM rm_documents_1.documents d JOIN copies c ON c.old = d.id;
         INSERT INTO rm_texts_1.texts SELECT (jsonb_populate_record(t, \
            jsonb_build_object('document_id', c.id))).* \
            FROM rm_texts_1.texts t JOIN copies c ON c.old = t.document_id;
         INSERT INTO rm_search_2.search SELECT (jsonb_populate_record(s, \
            jsonb_build_object('document_id', c.id, 'uploaded_at', c.at))).* \
            FROM rm_search_2.search s JOIN copies c ON c.old = s.document_id;
         DROP TABLE copies"
    );
    sqlx::raw_sql(&sql).execute(pool).await.unwrap();
    for table in [
        "rm_documents_1.documents",
        "rm_texts_1.texts",
        "rm_search_2.search",
        "rm_search_2.search_words",
    ] {
        sqlx::raw_sql(&format!("VACUUM ANALYZE {table}"))
            .execute(pool)
            .await
            .unwrap();
    }
}

async fn sizes(pool: &PgPool) {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "SELECT 'texts, all', pg_total_relation_size('rm_texts_1.texts') \
         UNION ALL SELECT 'search, rows', pg_table_size('rm_search_2.search') \
         UNION ALL SELECT 'search_words, all', pg_total_relation_size('rm_search_2.search_words') \
         UNION ALL SELECT indexrelid::regclass::text, pg_relation_size(indexrelid) \
         FROM pg_index WHERE indrelid = 'rm_search_2.search'::regclass",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    for (name, bytes) in rows {
        println!("  {name:<48} {:>7} MiB", bytes >> 20);
    }
}

/// A kind of query, made for each run from a number.
type Shape = (&'static str, fn(u64) -> String);

/// Each with other words, from frequent to rare.
const SHAPES: [Shape; 10] = [
    ("one frequent word", |n| english(20 + n)),
    ("one rarer word", |n| english(2_000 + 97 * n)),
    ("two words", |n| {
        format!("{} {}", english(10 + n), english(300 + n))
    }),
    ("two words, one excluded", |n| {
        format!(
            "{} {} -{}",
            english(30 + n),
            english(200 + n),
            english(15 + n)
        )
    }),
    ("either of two words", |n| {
        format!("{} OR {}", english(900 + n), english(700 + n))
    }),
    ("phrase", |n| {
        let page = text(n * 10).remove(0);
        let words: Vec<&str> = page.split(' ').skip(10).take(3).collect();
        format!("\"{}\"", words.join(" "))
    }),
    ("Malayalam, another form", |n| {
        malayalam(150 + n, n as usize)
    }),
    ("Malayalam, part of compounds", |n| {
        malayalam(400 + n, 0).chars().skip(1).collect::<String>()
    }),
    ("misspelled (trigrams)", |n| {
        english(500 + 31 * n).replacen('k', "kx", 1)
    }),
    ("beginning of a word", |n| {
        format!("{}*", &english(3_000 + 41 * n)[..5])
    }),
];

async fn measure_all(pool: &PgPool, read: &ReadModel) {
    round_trip(pool).await;
    println!(
        "{:<40} {:>9} {:>9} {:>9} {:>11}",
        "20 hits, total, 4 facets, excerpts", "median ms", "p95 ms", "hits", "ILIKE ms"
    );
    for (name, shape) in SHAPES {
        let like = like(pool, &shape(3).replace(['"', '*'], "")).await;
        measure(
            read,
            name,
            &SearchFilter::default(),
            false,
            shape,
            Some(like),
        )
        .await;
    }
    let filter = SearchFilter {
        source: Some("scan".into()),
        language: Some("en".into()),
        from: Some(START + time::Duration::days(10)),
        ..SearchFilter::default()
    };
    measure(
        read,
        "one frequent word, filtered",
        &filter,
        false,
        SHAPES[0].1,
        None,
    )
    .await;
    measure(
        read,
        "one frequent word, newest first",
        &SearchFilter::default(),
        true,
        SHAPES[0].1,
        None,
    )
    .await;
    measure(
        read,
        "in every document",
        &SearchFilter::default(),
        false,
        |_| "depot".into(),
        None,
    )
    .await;
}

/// What the machine takes to say nothing: a search asks the database some ten times.
async fn round_trip(pool: &PgPool) {
    let mut took = Vec::new();
    for _ in 0..RUNS {
        let start = Instant::now();
        sqlx::raw_sql("SELECT 1").execute(pool).await.unwrap();
        took.push(start.elapsed());
    }
    took.sort();
    let ms = took[RUNS / 2].as_secs_f64() * 1_000.0;
    println!("one round trip to the database: {ms:.1} ms");
}

async fn measure(
    read: &ReadModel,
    name: &str,
    filter: &SearchFilter,
    newest: bool,
    shape: fn(u64) -> String,
    like: Option<Duration>,
) {
    let page = SearchPage {
        newest,
        after: None,
        limit: 20,
    };
    let (mut took, mut totals) = (Vec::new(), Vec::new());
    for n in 0..RUNS as u64 {
        let query = SearchQuery::parse(&shape(n)).unwrap();
        let start = Instant::now();
        let found = read.search(&query, filter, page).await.unwrap();
        took.push(start.elapsed());
        totals.push(found.total);
    }
    took.sort();
    totals.sort_unstable();
    let ms = |at: usize| took[at].as_secs_f64() * 1_000.0;
    let like = like.map_or(String::new(), |d| {
        format!("{:.0}", d.as_secs_f64() * 1_000.0)
    });
    println!(
        "{name:<40} {:>9.1} {:>9.1} {:>9} {like:>11}",
        ms(RUNS / 2),
        ms(RUNS * 95 / 100),
        totals[RUNS / 2]
    );
}

/// The same by `ILIKE`, each word by itself: no forms, no order of relevance.
async fn like(pool: &PgPool, words: &str) -> Duration {
    let patterns: Vec<String> = words
        .split(' ')
        .filter(|word| *word != "OR" && !word.starts_with('-'))
        .map(|word| format!("%{word}%"))
        .collect();
    let start = Instant::now();
    let _count: i64 =
        sqlx::query_scalar("SELECT count(*) FROM read.texts WHERE text ILIKE ALL ($1)")
            .bind(patterns)
            .fetch_one(pool)
            .await
            .unwrap();
    start.elapsed()
}
