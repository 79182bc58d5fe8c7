//! Office files, messages, archives and drawings that mean harm: bombs, lies and damage.

#![cfg(test)]

mod mutation;

use std::io::Read;

use kmrl_extraction::fixtures::office::*;
use kmrl_extraction::{ExtractError, Input, Limits, extract};
use mutation::{Random, answers, mutate, outlasts};

const ROUNDS: u64 = 150;

fn refusal_with(bytes: &[u8], name: &str, limits: &Limits) -> ExtractError {
    let input = Input {
        bytes,
        file_name: name,
        content_type: None,
    };
    extract(&input, limits, &mut |_| true).unwrap_err()
}

fn refusal(bytes: &[u8], name: &str) -> &'static str {
    refusal_with(bytes, name, &Limits::default()).code()
}

#[test]
fn bombs_are_refused_by_what_they_unpack_to() {
    let limits = Limits {
        max_decompressed_bytes: 1 << 20,
        ..Limits::default()
    };
    let zeros = vec![b' '; 4 << 20];
    let text = String::from_utf8(zeros.clone()).unwrap();
    let hidden = [("xl/media/image1.png", text.clone())];
    let spread: Vec<(String, Vec<u8>)> = (0..8)
        .map(|n| (format!("{n}.txt"), vec![b'x'; 256 << 10]))
        .collect();
    let spread: Vec<(&str, &[u8])> = spread
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
        .collect();
    let parts = |main: &str| {
        package(&[
            ("[Content_Types].xml", String::new()),
            (main, "<x/>".to_owned()),
            hidden[0].clone(),
        ])
    };
    for (bytes, name) in [
        (docx(&text, &[], &[]), "a.docx"),
        (zip(&[("a.txt", &zeros)]), "a.zip"),
        (zip(&spread), "b.zip"),
        (parts("xl/workbook.xml"), "a.xlsx"),
        (open_document("text", &text, &[]), "a.odt"),
    ] {
        let error = refusal_with(&bytes, name, &limits);
        assert_eq!(error.code(), "too_large", "{name}: {error}");
    }
}

#[test]
fn sizes_in_headers_are_not_believed() {
    let honest = zip(&[("a.txt", &[b'x'; 100_000])]);
    let mut lying = honest.clone();
    for (at, signature, size) in [(0, b"PK\x03\x04", 22), (0, b"PK\x01\x02", 24)] {
        let found = honest.windows(4).skip(at).position(|w| w == signature);
        let from = found.unwrap() + size;
        lying[from..from + 4].copy_from_slice(&10_u32.to_le_bytes());
    }
    let limits = Limits {
        max_decompressed_bytes: 50_000,
        ..Limits::default()
    };
    let input = Input {
        bytes: &lying,
        file_name: "a.zip",
        content_type: None,
    };
    // Whoever unpacks all of it is over the limit; whoever stops at ten bytes finds it damaged.
    match extract(&input, &limits, &mut |_| true) {
        Err(error) => assert_eq!(error.code(), "too_large"),
        Ok(extraction) => assert!(extraction.pages[0].text.contains("damaged")),
    }
}

#[test]
fn entries_levels_and_cells_have_an_end() {
    let names: Vec<String> = (0..10_001).map(|n| n.to_string()).collect();
    let many: Vec<(&str, &[u8])> = names.iter().map(|n| (n.as_str(), &b""[..])).collect();
    assert_eq!(refusal(&zip(&many), "a.zip"), "too_large");

    let deep = "<w:tbl><w:tr><w:tc>".repeat(2_000);
    assert_eq!(refusal(&docx(&deep, &[], &[]), "a.docx"), "too_large");
    let deep = "<text:section>".repeat(3_000);
    assert_eq!(
        refusal(&open_document("text", &deep, &[]), "a.odt"),
        "too_large"
    );

    let endless = "Content-Type: message/rfc822\r\n\r\n".repeat(2_000);
    assert_eq!(refusal(endless.as_bytes(), "a.eml"), "too_large");
    let endless = "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\n".repeat(2_000);
    assert_eq!(refusal(endless.as_bytes(), "a.eml"), "too_large");

    let rows = "<table:table-row table:number-rows-repeated='1000000000'><table:table-cell \
                table:number-columns-repeated='1000000000'><text:p>x</text:p></table:table-cell>\
                </table:table-row>";
    let sheet = format!("<table:table table:name='a'>{rows}</table:table>");
    answers("cells", "a.ods", &open_document("spreadsheet", &sheet, &[]));
    let far = "<row r='1048576'><c r='XFD1048576'><v>1</v></c></row><row r='1'><c r='A1'><v>2</v></c></row>";
    answers("far", "a.xlsx", &xlsx(&[("a", far)], &[]));
    let entities = "<!DOCTYPE a [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;\">]>";
    answers(
        "entities",
        "a.docx",
        &docx(&format!("{entities}&b;"), &[], &[]),
    );
}

#[test]
fn parts_that_refer_to_themselves_are_read_once() {
    let bytes = docx(
        &paragraph("x"),
        &[
            ("h", "header", "document.xml"),
            ("f", "footer", "_rels/document.xml.rels"),
            ("n", "footnotes", "../../../../etc/passwd"),
        ],
        &[],
    );
    answers("docx", "a.docx", &bytes);
    let boxes = "<w:p><w:txbxContent>".repeat(400) + "x";
    answers("boxes", "a.docx", &docx(&boxes, &[], &[]));
}

#[test]
fn what_is_locked_says_so() {
    let locked = compound(&[("/EncryptionInfo", b"x"), ("/EncryptedPackage", b"x")]);
    for name in ["a.docx", "a.xlsx", "a.pptx", "a"] {
        assert_eq!(refusal(&locked, name), "encrypted", "{name}");
    }
    let manifest = "<manifest:file-entry><manifest:encryption-data/></manifest:file-entry>";
    let odt = open_document(
        "text",
        "",
        &[("META-INF/manifest.xml", manifest.to_owned())],
    );
    assert_eq!(refusal(&odt, "a.odt"), "encrypted");

    let mut bytes = zip(&[("secret.txt", b"secret")]);
    for (signature, flags) in [(b"PK\x03\x04", 6), (b"PK\x01\x02", 8)] {
        let at = bytes.windows(4).position(|w| w == signature).unwrap();
        bytes[at + flags] |= 1;
    }
    assert_eq!(refusal(&bytes, "a.zip"), "encrypted");
}

#[test]
fn stumps_are_damaged() {
    for (bytes, names) in [
        (
            &b"PK\x03\x04"[..],
            &["a.docx", "a.pptx", "a.xlsx", "a.odt", "a.ods", "a.zip"][..],
        ),
        (b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", &["a.xls", "a.msg"]),
        (
            b"",
            &[
                "a.docx", "a.xlsx", "a.xls", "a.odt", "a.eml", "a.msg", "a.zip", "a.dxf", "a.step",
                "a.iges",
            ],
        ),
    ] {
        for name in names {
            assert_eq!(refusal(bytes, name), "damaged", "{name}");
        }
    }
    assert_eq!(
        refusal(
            &zip(&[("[Content_Types].xml", b""), ("word/x.xml", b"")]),
            "a"
        ),
        "damaged"
    );
}

/// Mutates one part and packs it anew, as damage to the archive itself ends at its checksums.
fn outlasts_within(name: &str, original: &str, pack: impl Fn(&str) -> Vec<u8>, seed: u64) {
    let mut random = Random(seed);
    for round in 0..ROUNDS {
        let part = mutate(original.as_bytes(), &mut random);
        let what = format!("{name}, seed {seed}, round {round}");
        answers(&what, name, &pack(&String::from_utf8_lossy(&part)));
    }
}

/// The same, of a part that is no text.
fn outlasts_within_bytes(name: &str, original: &[u8], seed: u64, pack: impl Fn(&[u8]) -> Vec<u8>) {
    let mut random = Random(seed);
    for round in 0..ROUNDS {
        let part = mutate(original, &mut random);
        let what = format!("{name}, seed {seed}, round {round}");
        answers(&what, name, &pack(&part));
    }
}

#[test]
fn mutated_parts() {
    let body = format!(
        "{}<w:tbl><w:tr><w:tc>{}</w:tc></w:tr></w:tbl><w:p><w:txbxContent>{0}</w:txbxContent>\
         <w:footnoteReference w:id='1'/></w:p>",
        paragraph("സുരക്ഷാ"),
        paragraph("Cell")
    );
    outlasts_within("a.docx", &body, |xml| docx(xml, &[], &[]), 11);
    let slide = shape("title", "മെട്രോ\nTwo");
    outlasts_within("a.pptx", &slide, |xml| pptx(&[(xml, xml)]), 12);
    let rows = "<row r='1'><c r='A1' t='s'><v>0</v></c><c r='B1' s='1'><v>45943.5</v></c></row>";
    outlasts_within("a.xlsx", rows, |xml| xlsx(&[("ബോഗി", xml)], &["ഭാഗം"]), 13);
    let table = "<table:table table:name='a'><table:table-row table:number-rows-repeated='3'>\
                 <table:table-cell table:number-columns-repeated='9'><text:p>x<text:s text:c='4'/>\
                 </text:p></table:table-cell></table:table-row></table:table>";
    outlasts_within(
        "a.ods",
        table,
        |xml| open_document("spreadsheet", xml, &[]),
        14,
    );
    outlasts_within("a.odt", table, |xml| open_document("text", xml, &[]), 15);
}

#[test]
fn mutated_containers() {
    outlasts(
        "docx",
        "a.docx",
        &docx(&paragraph("x"), &[], &[]),
        21,
        ROUNDS,
    );
    outlasts(
        "zip",
        "a.zip",
        &zip(&[("a.txt", b"text"), ("b/c.txt", b"more")]),
        22,
        ROUNDS,
    );
    outlasts("xls", "a.xls", &xls("ബോഗി", &[&["ഭാഗം", "Qty"]]), 23, ROUNDS);
    let subject = utf16("Subject");
    let message = compound(&[
        ("/__properties_version1.0", &[0; 64]),
        ("/__substg1.0_0037001F", &subject),
        ("/__attach_version1.0_#00000000/__substg1.0_37010102", b"x"),
    ]);
    outlasts("msg", "a.msg", &message, 24, ROUNDS);
    let slides = include_bytes!("../fixtures/slides.ppt");
    outlasts("ppt", "a.ppt", slides, 25, ROUNDS);
}

#[test]
fn workbooks_with_records_that_are_too_short_are_damaged() {
    // Found by fuzzing: their reader looks into the record that says whether the workbook is
    // locked (0x2F) and panics when it is empty; the one of the code page (0x42) is the same.
    for record in [0x2F, 0x42] {
        let stream = [&[0; 96][..], &[record, 0, 0, 0], &[0; 28]].concat();
        let bytes = compound(&[("/Workbook", &stream)]);
        assert_eq!(refusal(&bytes, "a.xls"), "damaged", "{record:#x}");
    }
}

#[test]
fn mutated_streams_of_compound_files() {
    let mut file = cfb::open(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/slides.ppt")).unwrap();
    let mut stream = |path: &str| {
        let mut bytes = Vec::new();
        file.open_stream(path)
            .unwrap()
            .read_to_end(&mut bytes)
            .unwrap();
        bytes
    };
    let (user, slides) = (stream("/Current User"), stream("/PowerPoint Document"));
    outlasts_within_bytes("a.ppt", &slides, 26, |bytes| {
        compound(&[("/Current User", &user), ("/PowerPoint Document", bytes)])
    });
    let packed = b"\x2d\0\0\0\x2b\0\0\0LZFu\xf1\xc5\xc7\xa7\x03\0\x0a\0rcpg125B2\x0a\xf3 \
hel\x09\0 bw\x05\xb0ld}\x0a\x80\x0f\xa0";
    outlasts_within_bytes("a.msg", packed, 27, |bytes| {
        compound(&[
            ("/__properties_version1.0", &[0; 32]),
            ("/__substg1.0_10090102", bytes),
        ])
    });
}

#[test]
fn mutated_messages_and_texts() {
    let message = eml(&[
        ("a.txt", "text/plain", "4LSq4LSf4LSC"),
        ("b.eml", "message/rfc822", "U3ViamVjdDogeA0KDQp5"),
    ]);
    outlasts("eml", "a.eml", &message, 31, 2 * ROUNDS);
    let html = "<html><head><title>മ</title><script>a</script></head><body><table><tr><td>1<td>2</tr>\
                </table><pre> x </pre><ul><li>a</ul>&amp;&#x0D15;</body></html>";
    outlasts("html", "a.html", html.as_bytes(), 32, 2 * ROUNDS);
    let rtf = "{\\rtf1\\ansi\\ansicpg1252{\\fonttbl{\\f0\\fcharset204 A;}}\\f0\\uc1\\u3374?\\'cf\\par\
               \\trowd\\intbl a\\cell b\\cell\\row{\\*\\x y}\\page{\\footnote n}\\bin3 abc}";
    outlasts("rtf", "a.rtf", rtf.as_bytes(), 33, 2 * ROUNDS);
}

#[test]
fn mutated_drawings() {
    let dxf = "0\nSECTION\n2\nENTITIES\n0\nMTEXT\n3\n{\\fA;B}\\P\n1\n\\S1^2;\\U+0D15%%d\n70\n1\n0\nENDSEC\n0\nEOF\n";
    outlasts("dxf", "a.dxf", dxf.as_bytes(), 41, 2 * ROUNDS);
    let binary =
        b"AutoCAD Binary DXF\r\n\x1A\0\0\0SECTION\0\0\0TEXT\0\x01\0abc\0\x0A\0\0\0\0\0\0\0\0\0";
    outlasts("binary dxf", "a.dxf", binary, 42, 2 * ROUNDS);
    let step = "ISO-10303-21;HEADER;FILE_NAME('a''b','2026',('x','y'),(''),'','\\X2\\0D15\\X0\\','');\
                DATA;#1=PRODUCT('p','\\X\\E9\\S\\i','',(#2));ENDSEC;";
    outlasts("step", "a.step", step.as_bytes(), 43, 2 * ROUNDS);
    let iges = format!(
        "{:<72}S      1\n{:<72}G      1\n",
        "Remark", "1H,,1H;,4Habcd,5Hb.igs,3Hcad,;"
    );
    outlasts("iges", "a.igs", iges.as_bytes(), 44, 2 * ROUNDS);
}
