//! Scans and pictures: recognised in both languages through the real program, over HTTP and from
//! the shell. The scan is made by `tests/scan/generate.py`.

use crate::harness::{Gateway, World};
use serde_json::Value;

const SCAN: &[u8] = include_bytes!("../scan/job-card.jpg");
/// The same page put down askew: its lines rise by 6 degrees.
const ASKEW: &[u8] = include_bytes!("../scan/job-card-askew.jpg");
const PRINTED: &str = include_str!("../scan/job-card.txt");

/// The scan as a page of a PDF, after pages that state their text.
fn pdf_with_scan(stated: &str) -> Vec<u8> {
    let hex: String = SCAN.iter().map(|byte| format!("{byte:02X}")).collect();
    let text = format!("BT /F1 12 Tf 72 770 Td ({stated}) Tj ET");
    let scan = "q 500 0 0 450 48 300 cm /Scan Do Q";
    let stream = |text: &str| format!("<</Length {}>>stream\n{text}\nendstream", text.len());
    kmrl_extraction::fixtures::assemble(&[
        "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
        "<</Type/Pages/Kids[3 0 R 5 0 R]/Count 2/MediaBox[0 0 595 842]\
         /Resources<</Font<</F1 7 0 R>>/XObject<</Scan 8 0 R>>>>>>"
            .to_owned(),
        "<</Type/Page/Parent 2 0 R/Contents 4 0 R>>".to_owned(),
        stream(&text),
        "<</Type/Page/Parent 2 0 R/Contents 6 0 R>>".to_owned(),
        stream(scan),
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>".to_owned(),
        format!(
            "<</Type/XObject/Subtype/Image/Width 1000/Height 900/ColorSpace/DeviceGray\
             /BitsPerComponent 8/Filter[/ASCIIHexDecode/DCTDecode]/Length {}>>stream\n{hex}>\nendstream",
            hex.len() + 1
        ),
    ])
    .into_bytes()
}

/// The share of characters that were recognised right: 1 less the edits from one to the other.
fn accuracy(read: &str) -> f64 {
    let characters = |text: &str| -> Vec<char> {
        let words: Vec<_> = text.split_whitespace().collect();
        words.join(" ").chars().collect()
    };
    let (printed, read) = (characters(PRINTED), characters(read));
    let mut row: Vec<usize> = (0..=read.len()).collect();
    for (index, wanted) in printed.iter().enumerate() {
        let mut corner = row[0];
        row[0] = index + 1;
        for (at, found) in read.iter().enumerate() {
            let change = corner + usize::from(wanted != found);
            corner = row[at + 1];
            row[at + 1] = change.min(corner + 1).min(row[at] + 1);
        }
    }
    1.0 - row[read.len()] as f64 / printed.len() as f64
}

async fn processed(gateway: &Gateway, name: &str, bytes: Vec<u8>) -> Value {
    let id = gateway.upload(name, bytes).await["id"].clone();
    gateway.finished(id.as_str().unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_becomes_text_in_both_languages() {
    let world = World::new().await;
    let gateway = world.start();
    let document = processed(&gateway, "job-card.jpg", SCAN.to_vec()).await;
    assert_eq!(document["status"], "processed", "{document}");
    assert_eq!(document["language"], "mixed");
    let text = document["extracted_text"].as_str().unwrap();
    assert!(accuracy(text) > 0.95, "{}: {text}", accuracy(text));
    let confidence = document["confidence_score"].as_f64().unwrap();
    assert!((0.6..1.0).contains(&confidence), "{confidence}");

    // Of a PDF, one page states its text and the other is read, though the
    // scan stands on white paper.
    let document = processed(&gateway, "mixed.pdf", pdf_with_scan("Enclosed a job card")).await;
    assert_eq!(document["status"], "processed", "{document}");
    let text = document["extracted_text"].as_str().unwrap();
    let (stated, scan) = text.split_once('\u{c}').unwrap();
    assert!(stated.contains("Enclosed a job card"), "{text}");
    assert!(accuracy(scan) > 0.9, "{}: {text}", accuracy(scan));
    assert_eq!(document["recognised_pages"], 1, "{document}");

    let health = gateway.json("/health/detailed").await;
    assert_eq!(health["jail"]["reader"]["memory"], true, "{health}");
    assert!(health["jail"]["recognition_lacks"].is_null(), "{health}");
    let ready = gateway.json("/health/ready").await;
    assert!(["full", "partial"].contains(&ready["jail"].as_str().unwrap()));
    let check = world.tool(&["check"]);
    let told = String::from_utf8_lossy(&check.stdout);
    assert!(
        told.contains("jail of the reader: refused memory"),
        "{told}"
    );
    assert!(told.contains("jail of programs: refused memory"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_that_lies_askew_is_read_and_its_words_are_where_they_were() {
    let world = World::new().await;
    let gateway = world.start();
    let document = processed(&gateway, "askew.jpg", ASKEW.to_vec()).await;
    assert_eq!(document["status"], "processed", "{document}");
    let text = document["extracted_text"].as_str().unwrap();
    assert!(accuracy(text) > 0.95, "{}: {text}", accuracy(text));

    let id = document["id"].as_str().unwrap();
    let page = gateway
        .json(&format!("/api/v1/documents/{id}/pages/1"))
        .await;
    let words = page["words"].as_array().unwrap();
    let place = |text: &str| {
        let found = words.iter().find(|word| word["text"] == text);
        let word = found.unwrap_or_else(|| panic!("no {text}: {page}"));
        let number = |field: &str| word[field].as_f64().unwrap();
        (number("x"), number("y"))
    };
    // In pixels of the picture, which knows no inches: the first line begins at the left, where it
    // lies deeper than at its end.
    let (begins, ends) = (place("Kochi"), place("JC-2041"));
    assert!(ends.0 - begins.0 > 300.0, "{begins:?} {ends:?}");
    let risen = (begins.1 - ends.1) / (ends.0 - begins.0);
    assert!((0.08..0.13).contains(&risen), "{risen}");
    assert!((100.0..260.0).contains(&begins.0), "{begins:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_tesseract_a_scan_fails_with_what_to_install() {
    let world = World::with(&[("KMRL_OCR_PROGRAM", "/nowhere/tesseract")]).await;
    let gateway = world.start();
    let document = processed(&gateway, "job-card.jpg", SCAN.to_vec()).await;
    assert_eq!(document["status"], "failed", "{document}");
    let failure = document.to_string();
    assert!(failure.contains("ocr_unavailable"), "{failure}");
    assert!(
        failure.contains("apt-get install tesseract-ocr tesseract-ocr-mal"),
        "{failure}"
    );

    // What a PDF states is not lost for that, and trusted less.
    let document = processed(&gateway, "mixed.pdf", pdf_with_scan("Enclosed a job card")).await;
    assert_eq!(document["status"], "processed", "{document}");
    assert!(
        document["extracted_text"]
            .as_str()
            .unwrap()
            .contains("Enclosed")
    );
    assert!(
        document["confidence_score"].as_f64().unwrap() <= 0.5,
        "{document}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn recognition_ends_at_its_deadline() {
    // Less than any page takes.
    let world = World::with(&[
        ("KMRL_OCR_PAGE_LIMIT", "1"),
        ("KMRL_OCR_DPI", "600"),
        ("KMRL_JOBS_MAX_ATTEMPTS", "1"),
    ])
    .await;
    let gateway = world.start();
    let scan = page_full_of_strokes();
    let document = processed(&gateway, "long.bmp", scan).await;
    assert_eq!(document["status"], "failed", "{document}");
    assert!(document.to_string().contains("time_limit"), "{document}");
}

/// A bitmap of 3000 by 3000 pixels in which everything could be a letter.
fn page_full_of_strokes() -> Vec<u8> {
    const SIDE: u32 = 3000;
    let mut file = b"BM".to_vec();
    let palette: Vec<u8> = (0..=255_u8)
        .flat_map(|shade| [shade, shade, shade, 0])
        .collect();
    let offset = 54 + 1024_u32;
    for number in [offset + SIDE * SIDE, 0, offset, 40, SIDE, SIDE] {
        file.extend(number.to_le_bytes());
    }
    file.extend([1, 0, 8, 0]);
    for number in [0, SIDE * SIDE, 11_811, 11_811, 256, 0_u32] {
        file.extend(number.to_le_bytes());
    }
    file.extend(palette);
    for y in 0..SIDE {
        for x in 0..SIDE {
            let is_line = y % 60 < 40 && x % 200 < 170;
            let is_stroke = (x * x / 37 + y * 7 + x * y / 91) % 13 < 4;
            file.push(if is_line && is_stroke { 0 } else { 255 });
        }
    }
    file
}
