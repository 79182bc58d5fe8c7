//! `index.html`: the pack for people. Everything in it is escaped; it runs and loads nothing.

use super::{AccessLine, Content, Manifest, ORIGINAL, StreamLine};
use serde_json::Value;
use std::fmt::Write;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Most records of access shown; all of them are in `audit.jsonl`.
const MOST_SHOWN: usize = 1_000;

/// What is told of a document.
#[derive(Default)]
pub(super) struct Page {
    name: Option<String>,
    facts: Vec<(&'static str, String)>,
    rows: Vec<Row>,
    shown: usize,
    left_out: usize,
}

/// A line of the timeline.
struct Row {
    position: i64,
    at: String,
    what: String,
    who: String,
    more: String,
}

impl Page {
    /// Tells of the document's events.
    pub(super) fn events(&mut self, events: &[StreamLine]) {
        for event in events {
            let entry = &event.entry;
            let payload: Value = serde_json::from_str(&entry.payload).unwrap_or_default();
            let metadata: Value = serde_json::from_str(&entry.metadata).unwrap_or_default();
            if entry.event_type == "Uploaded" {
                self.uploaded(&payload, event);
            }
            self.rows.push(Row {
                position: entry.position,
                at: rfc3339(i128::from(entry.recorded_at) * 1_000),
                what: entry.event_type.clone(),
                who: text(&metadata["actor"]),
                more: more(&payload),
            });
        }
    }

    fn uploaded(&mut self, payload: &Value, event: &StreamLine) {
        let private = event.private.as_ref();
        let private = private.and_then(|p| serde_json::from_str::<Value>(&p.content).ok());
        self.name = private.as_ref().map(|p| text(&p["file_name"]));
        let mut fact = |name, value: &Value| self.facts.push((name, text(value)));
        fact("Kind", &payload["content_type"]);
        fact("Size in bytes", &payload["blob"]["size"]);
        fact("SHA-256", &payload["blob"]["sha256"]);
        fact("Source", &payload["source"]);
        if let Some(private) = private {
            fact("Uploaded by", &private["uploaded_by"]);
            fact("Metadata", &private["metadata"]);
        }
    }

    /// Tells of records of access.
    pub(super) fn access(&mut self, line: &AccessLine) {
        for record in &line.records {
            if self.shown == MOST_SHOWN {
                self.left_out += 1;
                continue;
            }
            self.shown += 1;
            let address = record.address.as_deref().unwrap_or_default();
            let reason = record.reason.as_deref().unwrap_or_default();
            self.rows.push(Row {
                position: line.entry.position,
                at: record.at.format(&Rfc3339).unwrap_or_default(),
                what: format!("{} ({})", record.action, record.outcome),
                who: record.actor.clone(),
                more: [address, reason].join(" "),
            });
        }
    }
}

/// What events say beside who and when, in a few words.
fn more(payload: &Value) -> String {
    let parts = [
        &payload["reason"]["detail"],
        &payload["reason"],
        &payload["language"],
        &payload["department"],
        &payload["worker"],
    ];
    let words = parts.into_iter().filter_map(Value::as_str);
    words.collect::<Vec<_>>().join(" ")
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn rfc3339(nanoseconds: i128) -> String {
    let at = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).ok();
    at.and_then(|at| at.format(&Rfc3339).ok())
        .unwrap_or_default()
}

/// The whole page.
pub(super) fn html(page: &Page, manifest: &Manifest, vkey: &str) -> String {
    let name = page.name.as_deref().unwrap_or("a document without a name");
    let mut html = String::from(HEAD);
    // Writing to a String cannot fail.
    let _ = write!(
        html,
        "<title>Evidence: {0}</title></head><body><h1>{0}</h1>",
        escaped(name)
    );
    let _ = write!(html, "<p>{}</p><table>", contents(manifest));
    let made_at = manifest.made_at.format(&Rfc3339).unwrap_or_default();
    let facts = [
        ("Document", manifest.document_id.to_string()),
        ("Log", manifest.log.clone()),
        ("As of position", manifest.position.to_string()),
        ("Made at", made_at),
        ("Made by", manifest.made_by.clone()),
        ("Reason", manifest.reason.clone().unwrap_or_default()),
    ];
    for (name, value) in facts.iter().chain(&page.facts).filter(|f| !f.1.is_empty()) {
        let _ = write!(html, "<tr><th>{name}</th><td>{}</td></tr>", escaped(value));
    }
    html.push_str("</table><h2>Timeline</h2><table><tr><th>Position</th><th>Time</th><th>What</th><th>Who</th><th></th></tr>");
    let mut rows: Vec<&Row> = page.rows.iter().collect();
    rows.sort_by_key(|row| row.position);
    for row in rows {
        let [at, what, who, more] = [&row.at, &row.what, &row.who, &row.more].map(|t| escaped(t));
        let _ = write!(
            html,
            "<tr><td>{}</td><td>{at}</td><td>{what}</td><td>{who}</td><td>{more}</td></tr>",
            row.position
        );
    }
    html.push_str("</table>");
    if page.left_out > 0 {
        let _ = write!(
            html,
            "<p>{} more records of access are in audit.jsonl.</p>",
            page.left_out
        );
    }
    let _ = writeln!(
        html,
        "<h2>How to verify</h2><p>This page proves nothing by itself. Check the whole file, without \
         any server, with the log's public key from a source you trust:</p>\
         <pre>kmrl-gateway audit verify PACK.zip --key '{}'</pre></body></html>",
        escaped(vkey)
    );
    html
}

fn contents(manifest: &Manifest) -> &'static str {
    let has_text = manifest.files.iter().any(|f| f.name == super::TEXT);
    let has_original = manifest.files.iter().any(|f| f.name.starts_with(ORIGINAL));
    match manifest.content {
        Content::Withdrawn => {
            "This document was withdrawn: the pack has its history, not its content."
        }
        Content::Quarantined => {
            "This document was in quarantine: the pack has its history, not its content."
        }
        Content::Erased => {
            "This document was erased: the pack has its history; its content is no more."
        }
        Content::Included if has_original && has_text => {
            "The document's bytes are in the folder original, its text in text.txt."
        }
        Content::Included => {
            "The document's bytes are in the folder original. No text was extracted yet."
        }
    }
}

const HEAD: &str = "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">\
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
<style>body{font:16px/1.5 sans-serif;max-width:70em;margin:2em auto;padding:0 1em}\
table{border-collapse:collapse}th,td{text-align:left;vertical-align:top;padding:.2em .8em .2em 0;\
border-bottom:1px solid #ccc;overflow-wrap:anywhere}pre{white-space:pre-wrap;overflow-wrap:anywhere}</style>";

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // Controls, and what turns the direction of writing, could make a line look like another.
            c if c.is_control()
                || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
            {
                safe.push('\u{fffd}');
            }
            c => safe.push(c),
        }
    }
    safe
}
