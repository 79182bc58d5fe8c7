//! Whatever bytes come in, `extract` answers. Mutations are seeded, so that a failure comes
//! back: the message names the document, the seed and the round.

use std::panic::{AssertUnwindSafe, catch_unwind};

use kmrl_extraction::fixtures::{assemble, pdf, pdf_of_contents};
use kmrl_extraction::{ExtractError, Extraction, Input, Limits, Quantity, extract};
use lopdf::Document;

const ROUNDS: u64 = 600;

/// The same for documents as programs print them, which take longer to read.
const ROUNDS_OF_PRINTS: u64 = 100;

/// SplitMix64 (Steele, Lea and Flood, 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

fn mutate(original: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for _ in 0..=random.below(8) {
        let at = random.below(bytes.len());
        match random.below(8) {
            0 => bytes.truncate(at),
            // A part moved or doubled keeps its syntax and breaks its meaning.
            1 => {
                let end = (at + random.below(64)).min(bytes.len());
                let part = bytes[at..end].to_vec();
                let to = random.below(bytes.len());
                bytes.splice(to..to, part);
            }
            // Digits hold lengths, offsets and references.
            2 | 3 => {
                if let Some(digit) = bytes[at..].iter_mut().find(|byte| byte.is_ascii_digit()) {
                    *digit = b'0' + random.below(10) as u8;
                }
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
        }
    }
    bytes
}

fn outlasts(name: &str, file_name: &str, original: &[u8], seed: u64) {
    outlasts_rounds(ROUNDS, name, file_name, original, seed);
}

fn outlasts_rounds(rounds: u64, name: &str, file_name: &str, original: &[u8], seed: u64) {
    let limits = Limits {
        max_pages: 100,
        max_characters: 100_000,
        max_decompressed_bytes: 8 << 20,
    };
    let mut random = Random(seed);
    for round in 0..rounds {
        let bytes = mutate(original, &mut random);
        let input = Input {
            bytes: &bytes,
            file_name,
            content_type: None,
        };
        let outcome = catch_unwind(AssertUnwindSafe(|| extract(&input, &limits, &mut |_| true)));
        assert!(
            outcome.is_ok(),
            "{name}, seed {seed}, round {round}: panicked"
        );
        if let Ok(Ok(extraction)) = outcome {
            assert!(
                (0.0..=1.0).contains(&extraction.confidence),
                "{name}, seed {seed}, round {round}: confidence {}",
                extraction.confidence
            );
            let clean = |c: char| !c.is_ascii_control() || matches!(c, '\n' | '\t');
            assert!(
                extraction
                    .pages
                    .iter()
                    .all(|page| page.text.chars().all(clean)),
                "{name}, seed {seed}, round {round}: control characters"
            );
        }
    }
}

#[test]
fn mutated_pdfs() {
    let drawn = "q 1 0 0 1 9 9 cm BT /F1 12 Tf 2 Tr 72 700 Td [(Rolling) -400 (stock)] TJ ET Q";
    outlasts("plain", "a.pdf", &pdf(&["Job card\nBrake test", "Two"]), 1);
    outlasts("replaced", "a.pdf", &pdf(&["സുരക്ഷാ\nനിർദ്ദേശം"]), 2);
    outlasts("drawn", "a.pdf", &pdf_of_contents(&[drawn.to_owned()]), 3);
    outlasts("textless", "a.pdf", &pdf(&["", ""]), 4);
}

#[test]
fn mutated_pdfs_with_object_streams() {
    let mut document = Document::load_mem(&pdf(&["Packed", "സുരക്ഷ"])).unwrap();
    document.compress();
    let mut bytes = Vec::new();
    document.save_modern(&mut bytes).unwrap();
    outlasts("packed", "a.pdf", &bytes, 5);
}

#[test]
fn mutated_prints() {
    let fixtures: [(&str, &[u8]); 3] = [
        (
            "malayalam",
            include_bytes!("../fixtures/circular-malayalam.libreoffice.pdf"),
        ),
        (
            "mixed",
            include_bytes!("../fixtures/report-mixed.chromium.pdf"),
        ),
        (
            "english",
            include_bytes!("../fixtures/notice-english.libreoffice.pdf"),
        ),
    ];
    for ((name, bytes), seed) in fixtures.into_iter().zip(9..) {
        outlasts_rounds(ROUNDS_OF_PRINTS, name, "a.pdf", bytes, seed);
    }
}

#[test]
fn mutated_texts() {
    let text = "സുരക്ഷാ circular\r\n\u{000C}Page two\n";
    let utf16: Vec<u8> = [0xFF, 0xFE]
        .into_iter()
        .chain(text.encode_utf16().flat_map(u16::to_le_bytes))
        .collect();
    outlasts("utf-8", "a.txt", text.as_bytes(), 6);
    outlasts("utf-16", "a.csv", &utf16, 7);
    outlasts("unnamed", "a", text.as_bytes(), 8);
}

#[test]
fn nesting_does_not_exhaust_the_stack() {
    let deep = format!("/P {}{} BDC EMC", "[".repeat(200_000), "]".repeat(200_000));
    let forms = "BT /F1 9 Tf (x) Tj ET ".to_owned() + &"q ".repeat(200_000);
    for bytes in [pdf_of_contents(&[deep]), pdf_of_contents(&[forms])] {
        let input = Input {
            bytes: &bytes,
            file_name: "deep.pdf",
            content_type: None,
        };
        // Any answer will do.
        let _ = extract(&input, &Limits::default(), &mut |_| true);
    }
}

fn outcome(bytes: &[u8]) -> Result<Extraction, ExtractError> {
    let input = Input {
        bytes,
        file_name: "a.pdf",
        content_type: None,
    };
    extract(&input, &Limits::default(), &mut |_| true)
}

/// A page that shows two characters by a composite font with the given widths. What `before`
/// says comes before the objects.
fn with_widths(before: &str, widths: &str) -> Vec<u8> {
    let show = "BT /F1 9 Tf 9 9 Td <00410042> Tj ET";
    let bytes = assemble(&[
        "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
        "<</Type/Pages/Kids[3 0 R]/Count 1>>".to_owned(),
        "<</Type/Page/Parent 2 0 R/Contents 4 0 R/MediaBox[0 0 600 800]\
         /Resources<</Font<</F1 5 0 R>>>>>>"
            .to_owned(),
        format!("<</Length {}>>stream\n{show}\nendstream", show.len()),
        "<</Type/Font/Subtype/Type0/BaseFont/A/Encoding/Identity-H/DescendantFonts[6 0 R]\
         /ToUnicode 8 0 R>>"
            .to_owned(),
        format!(
            "<</Type/Font/Subtype/CIDFontType2/BaseFont/A{widths}\
             /CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>\
             /FontDescriptor<</Type/FontDescriptor/FontName/A/Flags 4>>>>"
        ),
        "[65 4000000000 500]".to_owned(),
        "<</Length 57>>stream\n1 beginbfrange\n<0041><0042><0041>\nendbfrange\n              \nendstream"
            .to_owned(),
    ]);
    bytes
        .replacen("1 0 obj", &format!("{before}1 0 obj"), 1)
        .into_bytes()
}

#[test]
fn widths_without_end_are_refused() {
    let good = "/W[65[500]66 66 500]/W2[65 66 -900 250 800]";
    assert_eq!(outcome(&with_widths("", good)).unwrap().pages[0].text, "AB");
    // Packed objects beyond count are looked at by another reader.
    let packs = "%/ObjStm/N 30000 \n";
    assert_eq!(
        outcome(&with_widths(packs, good)).unwrap().pages[0].text,
        "AB"
    );
    let hostile = [
        "/W[65 4294967295 500]",
        "/W[1[500 500]65 4000000000.0 500]",
        "/W 7 0 R",
        "/W2[65 4294967295 -900 250 800]",
        &format!("/W[{}]", "0 65535 500 ".repeat(100)),
    ];
    for widths in hostile {
        for before in ["", packs] {
            let outcome = outcome(&with_widths(before, widths));
            assert_eq!(
                outcome.unwrap_err().code(),
                "damaged",
                "{before} {widths:.40}"
            );
        }
    }
}

#[test]
fn forms_that_draw_forms_come_to_an_end() {
    const LEVELS: usize = 12;
    let form = |content: &str, inner: usize| {
        format!(
            "<</Type/XObject/Subtype/Form/BBox[0 0 600 800]/Resources<</Font<</F1 4 0 R>>\
             /XObject<</X {inner} 0 R>>>>/Length {}>>stream\n{content}\nendstream",
            content.len()
        )
    };
    let mut objects = vec![
        "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
        "<</Type/Pages/Kids[3 0 R]/Count 1>>".to_owned(),
        "<</Type/Page/Parent 2 0 R/Contents 5 0 R/MediaBox[0 0 600 800]\
         /Resources<</XObject<</X 6 0 R>>>>>>"
            .to_owned(),
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>".to_owned(),
        "<</Length 5>>stream\n/X Do\nendstream".to_owned(),
    ];
    // Ten times each, and so a million million times in the end.
    objects.extend((0..LEVELS).map(|level| form(&"/X Do ".repeat(10), level + 7)));
    objects.push(form("BT /F1 9 Tf 9 9 Td (ha) Tj ET", 0));
    let steps = ExtractError::TooLarge {
        limit: 5_000_000,
        of: Quantity::Steps,
    };
    assert_eq!(outcome(assemble(&objects).as_bytes()), Err(steps));
}

/// A page of one form drawn many times; `entries` and the content are the form's.
fn form_drawn(times: usize, entries: &str, content: &str) -> Result<Extraction, ExtractError> {
    let page = "BT /F1 9 Tf 9 9 Td (page) Tj ET ".to_owned() + &"/X Do ".repeat(times);
    let objects = [
        "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
        "<</Type/Pages/Kids[3 0 R]/Count 1>>".to_owned(),
        "<</Type/Page/Parent 2 0 R/Contents 5 0 R/MediaBox[0 0 600 800]\
         /Resources<</Font<</F1 4 0 R>>/XObject<</X 6 0 R>>>>>>"
            .to_owned(),
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>".to_owned(),
        format!("<</Length {}>>stream\n{page}\nendstream", page.len()),
        format!(
            "<</Type/XObject/Subtype/Form{entries}/Length {}>>stream\n{content}\nendstream",
            content.len()
        ),
    ];
    outcome(assemble(&objects).as_bytes())
}

#[test]
fn forms_that_cannot_be_drawn_come_to_an_end_too() {
    let steps = ExtractError::TooLarge {
        limit: 5_000_000,
        of: Quantity::Steps,
    };
    // What cannot be unpacked, and what has no place on the page.
    let broken = "/BBox[0 0 600 800]/Filter[/ASCIIHexDecode/DCTDecode]";
    assert_eq!(form_drawn(1_000, broken, "00>"), Err(steps));
    let nowhere = form_drawn(1_000, "", "BT /F1 9 Tf (nowhere) Tj ET").unwrap();
    assert_eq!(nowhere.pages[0].text, "page");
}
