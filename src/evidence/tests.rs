//! Packs made and checked in memory: good ones pass, and whatever is changed is found.

use super::container::Writer;
use super::pack::{About, Pack, safe};
use super::*;
use crate::proof::checkpoint::Checkpoint;
use crate::proof::note::SigningKey;
use crate::proof::{hex, tree};
use kmrl_domain::private::{self, PrivatePart};
use kmrl_domain::values::TextArtefact;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::io::{Cursor, Write};
use time::macros::datetime;
use uuid::Uuid;

const ID: Uuid = Uuid::from_u128(7);
const BYTES: &[u8] = b"the bytes";

fn key(seed: u8) -> SigningKey {
    SigningKey::generate("log/a", [seed; 32]).unwrap()
}

fn entry(position: i64, kind: &str, id: &str, sequence: i64, name: &str, payload: String) -> Entry {
    Entry {
        position,
        aggregate_type: kind.into(),
        aggregate_id: id.into(),
        sequence,
        event_type: name.into(),
        event_version: "1.0".into(),
        recorded_at: 1_700_000_000_000_000,
        payload,
        metadata: "{\"actor\":\"key:admin\"}".into(),
    }
}

/// A log with a document, and what a pack of it holds.
struct Parts {
    events: Vec<StreamLine>,
    access: Vec<AccessLine>,
    proofs: Proofs,
    checkpoint: String,
    original: Vec<u8>,
    artefact: Vec<u8>,
    text: bool,
    about: About,
    key: SigningKey,
}

fn record(id: Uuid) -> AccessRecord {
    let at = datetime!(2026-01-02 03:04:05 UTC);
    let outcome = kmrl_domain::access::Outcome::Shown;
    let mut record = AccessRecord::new("view", outcome, "key:<b>", at);
    record.document_id = Some(id);
    record
}

impl Parts {
    /// Events at positions 2 and 5, access at 6, other entries around them, signed at 9.
    fn new() -> Self {
        let private =
            json!({"file_name": "a/<script>.txt", "metadata": {}, "uploaded_by": "admin"});
        let private = PrivatePart::seal([9; 32], &private).unwrap();
        let artefact = TextArtefact {
            pages: vec!["one".into(), "two".into()],
            ..TextArtefact::default()
        };
        let artefact = serde_json::to_vec(&artefact).unwrap();
        let sha256 = |bytes: &[u8]| private::hex(&Sha256::digest(bytes));
        let uploaded = json!({
            "type": "Uploaded", "private": private.digest(),
            "blob": {"key": "k", "sha256": sha256(BYTES), "size": BYTES.len()},
        });
        let extracted = json!({"type": "Extracted", "text": {"sha256": sha256(&artefact)}});
        let records = AccessRecorded {
            records: vec![record(Uuid::from_u128(8)), record(ID)],
        };
        let id = ID.to_string();
        let first = entry(2, "document", &id, 1, "Uploaded", uploaded.to_string());
        let second = entry(5, "document", &id, 2, "Extracted", extracted.to_string());
        let payload = serde_json::to_string(&records).unwrap();
        let read = entry(6, "access", "p", 1, "AccessRecorded", payload);
        let mut parts = Self {
            events: vec![
                StreamLine {
                    entry: first,
                    private: Some(SealedPart {
                        salt: hex(&private.salt),
                        content: private.content,
                    }),
                },
                StreamLine {
                    entry: second,
                    private: None,
                },
            ],
            access: vec![AccessLine::of(read, ID).unwrap()],
            proofs: Proofs {
                size: 0,
                proofs: Vec::new(),
            },
            checkpoint: String::new(),
            original: BYTES.to_vec(),
            artefact,
            text: true,
            about: About {
                document_id: ID,
                position: 8,
                content: Content::Included,
                made_at: datetime!(2026-01-02 03:04:05 UTC),
                made_by: "key:admin".into(),
                reason: Some("asked & <answered>".into()),
            },
            key: key(1),
        };
        parts.prove("log/a", 1);
        parts
    }

    /// Signs a log with these entries, and proves each of them in it.
    fn prove(&mut self, origin: &str, seed: u8) {
        let mut leaves: Vec<_> = (0..9_u8).map(|n| tree::leaf_hash(&[n])).collect();
        let events = self.events.iter().map(|e| &e.entry);
        let entries: Vec<_> = events.chain(self.access.iter().map(|a| &a.entry)).collect();
        for entry in &entries {
            leaves[usize::try_from(entry.position - 1).unwrap()] = entry.leaf();
        }
        let proof = |entry: &&Entry| EntryProof {
            position: entry.position,
            proof: tree::inclusion_proof(&leaves, u64::try_from(entry.position - 1).unwrap())
                .unwrap()
                .iter()
                .map(hex)
                .collect(),
        };
        self.proofs = Proofs {
            size: 9,
            proofs: entries.iter().map(proof).collect(),
        };
        let checkpoint = Checkpoint {
            origin: origin.into(),
            size: 9,
            root: tree::root(&leaves),
            time: datetime!(2026-01-02 03:04:05 UTC),
        };
        self.checkpoint = checkpoint.sign(&SigningKey::generate(origin, [seed; 32]).unwrap());
    }

    /// Writes and seals the pack as it stands, right or wrong.
    fn pack(&self) -> Vec<u8> {
        let mut pack = Pack::new(Cursor::new(Vec::new()));
        if self.about.content == Content::Included {
            let original = &self.original;
            let name = "a/<script>.txt";
            pack.original(name, |to| Ok(to.write_all(original)?))
                .unwrap();
        }
        if self.text {
            pack.text(&self.artefact).unwrap();
        }
        pack.events(&self.events).unwrap();
        pack.access(self.access.iter().cloned().map(Ok)).unwrap();
        let finished = pack.finish(
            self.about.clone(),
            &self.proofs,
            &self.checkpoint,
            &self.key,
        );
        finished.unwrap().into_inner()
    }

    /// What is found in the pack, as text.
    fn found(&self) -> String {
        found(&self.pack())
    }
}

fn found(pack: &[u8]) -> String {
    match verify(Cursor::new(pack), Some(&key(1).verifying())) {
        Ok(report) => report.findings.iter().map(|f| format!("{f}\n")).collect(),
        Err(error) => error.to_string(),
    }
}

#[track_caller]
fn expect(found: &str, what: &str) {
    assert!(found.contains(what), "expected `{what}`, found:\n{found}");
}

#[test]
fn a_pack_passes_and_is_the_same_each_time() {
    let pack = Parts::new().pack();
    assert_eq!(pack, Parts::new().pack());
    let report = verify(Cursor::new(&pack), Some(&key(1).verifying())).unwrap();
    assert_eq!(report.findings, []);
    assert_eq!((report.events, report.records, report.proven), (2, 1, 3));
    assert_eq!((report.private_parts, report.files), (1, 10));
    assert_eq!(report.document_id, Some(ID));
    let without = verify(Cursor::new(&pack), None).unwrap();
    assert!(without.findings.is_empty() && !without.key_was_given);
}

#[test]
fn any_zip_reader_opens_it_and_the_page_is_harmless() {
    let mut zip = zip::ZipArchive::new(Cursor::new(Parts::new().pack())).unwrap();
    let mut text = |name: &str| std::io::read_to_string(zip.by_name(name).unwrap()).unwrap();
    assert_eq!(text("text.txt"), "one\u{c}two");
    assert_eq!(text("original/a__script_.txt"), "the bytes");
    let page = text("index.html");
    assert!(page.contains("a/&lt;script&gt;.txt") && page.contains("asked &amp; &lt;answered&gt;"));
    for bad in ["<script", "src=", "href", "http:", "https:", "<b>"] {
        assert!(!page.contains(bad), "{bad}");
    }
    assert!(page.contains("audit verify"));
}

#[test]
fn one_changed_byte_anywhere_is_found() {
    let mut pack = Parts::new().pack();
    for at in 0..pack.len() {
        pack[at] ^= 1;
        assert_ne!(found(&pack), "", "the byte at {at}");
        pack[at] ^= 1;
    }
    assert_eq!(found(&pack), "");
}

#[test]
fn what_is_cut_off_or_added_is_found() {
    let pack = Parts::new().pack();
    for length in (0..pack.len()).step_by(7).chain([pack.len() - 1]) {
        assert_ne!(found(&pack[..length]), "", "{length} bytes");
    }
    for (before, after) in [("x", ""), ("", "x"), ("", "\n"), ("PK\u{3}\u{4}", "")] {
        let changed = [before.as_bytes(), &pack, after.as_bytes()].concat();
        assert_ne!(found(&changed), "", "{before:?} and {after:?}");
    }
    expect(&found(b"not a zip at all"), "it has no end");
}

#[test]
fn another_key_or_log_is_found() {
    let mut parts = Parts::new();
    parts.prove("log/b", 1);
    expect(&parts.found(), "checkpoint of the log log/b");
    let mut parts = Parts::new();
    parts.prove("log/a", 2);
    expect(&parts.found(), "checkpoint.txt");
    let mut parts = Parts::new();
    parts.key = key(2);
    let found = parts.found();
    expect(&found, "key.txt: it is not the key that was given");
    expect(&found, "the pack: the note is not signed with the key");
}

#[test]
fn a_sealed_lie_is_found() {
    let mut parts = Parts::new();
    parts.original = b"other bytes".to_vec();
    expect(
        &parts.found(),
        "its bytes are not those that the event Uploaded names",
    );
    let mut parts = Parts::new();
    parts.artefact = br#"{"pages":["other"]}"#.to_vec();
    expect(
        &parts.found(),
        "it is not what the last event that sets a text names",
    );
    let mut parts = Parts::new();
    parts.text = false;
    expect(&parts.found(), "the text is missing");
    let mut parts = Parts::new();
    parts.about.content = Content::Withdrawn;
    expect(&parts.found(), "the document's bytes are missing");
    let mut parts = Parts::new();
    parts.about.document_id = Uuid::from_u128(8);
    expect(&parts.found(), "it is of another document");
}

#[test]
fn changed_moved_and_missing_entries_are_found() {
    let mut parts = Parts::new();
    parts.events[1].entry.metadata.push(' ');
    expect(&parts.found(), "events.jsonl: position 5: it is not proven");
    let mut parts = Parts::new();
    parts.events.swap(0, 1);
    expect(&parts.found(), "position 5: an event before it is missing");
    let mut parts = Parts::new();
    parts.events.remove(0);
    parts.prove("log/a", 1);
    expect(&parts.found(), "position 5: an event before it is missing");
    let mut parts = Parts::new();
    parts.proofs.proofs.swap(0, 1);
    let [a, b, _] = &mut parts.proofs.proofs[..] else {
        panic!()
    };
    std::mem::swap(&mut a.position, &mut b.position);
    expect(&parts.found(), "position 2: it is not proven");
    let mut parts = Parts::new();
    parts.access.clear();
    expect(&parts.found(), "it proves position 6, which no entry has");
    let mut parts = Parts::new();
    parts.proofs.proofs.pop();
    expect(&parts.found(), "audit.jsonl: position 6: it has no proof");
    let mut parts = Parts::new();
    parts.proofs.proofs[0].proof[0] = "g".repeat(64);
    expect(&parts.found(), "that of position 2 is broken");
}

#[test]
fn false_private_parts_and_readable_records_are_found() {
    let mut parts = Parts::new();
    parts.events[0].private.as_mut().unwrap().content.push(' ');
    expect(
        &parts.found(),
        "its private part is another than it commits to",
    );
    let mut parts = Parts::new();
    parts.events[0].private = None;
    expect(&parts.found(), "no event says that it was erased");
    let mut parts = Parts::new();
    parts.access[0].records[0].actor = "key:other".into();
    expect(
        &parts.found(),
        "the readable records are not those of the entry",
    );
    let mut parts = Parts::new();
    parts.access[0].records.clear();
    expect(
        &parts.found(),
        "the readable records are not those of the entry",
    );
}

#[test]
fn a_withdrawn_or_erased_document_has_a_pack_without_content() {
    for (name, content) in [
        ("Withdrawn", Content::Withdrawn),
        ("Erased", Content::Erased),
        ("Quarantined", Content::Quarantined),
    ] {
        let mut parts = Parts::new();
        let entry = entry(7, "document", &ID.to_string(), 3, name, "{}".into());
        parts.events.push(StreamLine {
            entry,
            private: None,
        });
        parts.prove("log/a", 1);
        expect(&parts.found(), "no event allows for the document's bytes");
        parts.about.content = content;
        parts.text = false;
        if content == Content::Erased {
            parts.events[0].private = None;
        }
        assert_eq!(parts.found(), "");
    }
}

#[test]
fn hostile_zips_are_refused() {
    let sealed = |names: &[&str]| {
        let mut zip = Writer::new(Cursor::new(Vec::new()));
        for name in names {
            zip.add(name, |to| Ok(to.write_all(b"x")?)).unwrap();
        }
        zip.finish(&key(1)).unwrap().into_inner()
    };
    let many: Vec<String> = (0..17).map(|n| format!("original/{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    expect(
        &found(&sealed(&many)),
        "its directory is not where it should be",
    );
    expect(
        &found(&sealed(&["key.txt", "key.txt"])),
        "a name is there twice",
    );
    expect(
        &found(&sealed(&["original/../../x"])),
        "such a file has no place",
    );
    expect(
        &found(&sealed(&["/etc/passwd"])),
        "such a file has no place",
    );
    let long = "n".repeat(301);
    expect(&found(&sealed(&[&long])), "too long");
    // A file that claims to unpack to more than it has.
    let mut bomb = sealed(&["index.html"]);
    let size = bomb.windows(4).position(|w| w == b"PK\x01\x02").unwrap() + 24;
    bomb[size..size + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    expect(&found(&bomb), "its directory has another form");
    // Compressed, by another writer.
    let mut other = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    other.start_file("index.html", options).unwrap();
    other.write_all(&[0; 1_000]).unwrap();
    let other = other.finish().unwrap().into_inner();
    assert_ne!(found(&other), "");
}

#[test]
fn names_are_single_safe_files() {
    for (name, expected) in [
        ("a.pdf", "a.pdf"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("..", "document"),
        ("", "document"),
        ("a\\b:c\n.pdf", "a_b_c_.pdf"),
    ] {
        assert_eq!(safe(name), expected);
    }
    for name in [
        format!("{}.. {}", "x".repeat(289), "y".repeat(9)),
        "സ".repeat(200),
    ] {
        let once = safe(&name);
        assert!(once.len() <= 291 && safe(&once) == once, "{once}");
    }
}
