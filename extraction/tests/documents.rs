//! What comes out of documents of each kind, through the public door only.

use std::error::Error;

use kmrl_extraction::fixtures::{assemble, pdf, pdf_of_contents, utf16_hex};
use kmrl_extraction::{
    ExtractError, Extraction, Format, Input, Limits, Origin, PageProgress, Quantity, extract,
};
use lopdf::{Document, EncryptionState, EncryptionVersion, Object, Permissions, StringFormat};

fn read_with(bytes: &[u8], file_name: &str, limits: &Limits) -> Result<Extraction, ExtractError> {
    let input = Input {
        bytes,
        file_name,
        content_type: None,
    };
    extract(&input, limits, &mut |_| true)
}

fn read(bytes: &[u8]) -> Result<Extraction, ExtractError> {
    read_with(bytes, "document.pdf", &Limits::default())
}

/// The text of every page, joined by form feeds.
fn text(bytes: &[u8]) -> Result<String, ExtractError> {
    let pages = read(bytes)?.pages.into_iter().map(|page| page.text);
    Ok(pages.collect::<Vec<_>>().join("\u{000C}"))
}

#[test]
fn two_pages_of_helvetica() {
    let extraction = read(&pdf(&["Job card (7)\nBrake test", "Page two"])).unwrap();
    assert_eq!(extraction.format, Format::Pdf);
    assert_eq!(extraction.language.code(), "en");
    assert_eq!(extraction.confidence, 1.0);
    assert_eq!(extraction.pages[0].text, "Job card (7)\nBrake test");
    assert_eq!(
        (
            extraction.pages[1].number,
            extraction.pages[1].text.as_str()
        ),
        (2, "Page two")
    );
}

#[test]
fn malayalam_is_read_through_its_replacement_text() {
    let extraction = read(&pdf(&["സുരക്ഷാ നിർദ്ദേശം\nരണ്ടാം വരി"])).unwrap();
    assert_eq!(extraction.pages[0].text, "സുരക്ഷാ നിർദ്ദേശം\nരണ്ടാം വരി");
    assert_eq!(extraction.language.code(), "ml");
    assert_eq!(extraction.confidence, 1.0);
}

#[test]
fn the_outer_replacement_stands_for_the_inner() {
    let content = format!(
        "BT /F1 12 Tf /Span <</ActualText {}>> BDC (a) Tj /Span <</ActualText (no)>> BDC (b) Tj \
         EMC (c) Tj EMC (!) Tj ET",
        utf16_hex("കൊ")
    );
    assert_eq!(text(&pdf_of_contents(&[content])).unwrap(), "കൊ!");
}

#[test]
fn text_drawn_twice_is_said_once() {
    let filled_and_stroked = "BT /F1 12 Tf 2 Tr 72 700 Td (Notice) Tj ET";
    let shadowed =
        "BT /F1 12 Tf 1 0 0 1 72 700 Tm (Notice) Tj 1 0 0 1 72.5 699.5 Tm (Notice) Tj ET";
    let meant = "BT /F1 12 Tf 1 0 0 1 72 700 Tm (l) Tj 1 0 0 1 74.7 700 Tm (l) Tj ET";
    for (content, expected) in [
        (filled_and_stroked, "Notice"),
        (shadowed, "Notice"),
        (meant, "ll"),
    ] {
        assert_eq!(
            text(&pdf_of_contents(&[content.to_owned()])).unwrap(),
            expected
        );
    }
}

#[test]
fn a_space_where_a_joiner_was_drawn_is_not_a_repeat() {
    // Producers draw a joiner with the glyph of the space, and without an advance.
    let content = "BT /F1 12 Tf 1 0 0 1 72 700 Tm (a) Tj /Span <</ActualText <FEFF200C>>> BDC \
                   1 0 0 1 78.7 700 Tm ( ) Tj EMC 1 0 0 1 78.7 700 Tm ( ) Tj (b) Tj ET";
    assert_eq!(
        text(&pdf_of_contents(&[content.to_owned()])).unwrap(),
        "a\u{200C} b"
    );
}

#[test]
fn gaps_are_words() {
    let content = "BT /F1 12 Tf 72 700 Td [(Rolling) -400 (stock) 20 (s)] TJ ET";
    assert_eq!(
        text(&pdf_of_contents(&[content.to_owned()])).unwrap(),
        "Rolling stocks"
    );
}

#[test]
fn an_unmapped_glyph_is_shown_and_costs_confidence() {
    let font = "<</Type/Font/Subtype/Type3/FontBBox[0 0 750 750]/FontMatrix[.001 0 0 .001 0 0]\
                /CharProcs<</odd 5 0 R>>/Encoding<</Differences[97/odd/b]>>/FirstChar 97\
                /LastChar 98/Widths[700 700]/Resources<<>>>>";
    let stream =
        |content: &str| format!("<</Length {}>>stream\n{content}\nendstream", content.len());
    let file = assemble(&[
        "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
        "<</Type/Pages/Kids[3 0 R]/Count 1>>".to_owned(),
        "<</Type/Page/Parent 2 0 R/Contents 6 0 R/MediaBox[0 0 99 99]\
         /Resources<</Font<</F1 4 0 R>>>>>>"
            .to_owned(),
        font.to_owned(),
        stream("700 0 0 0 750 750 d1 0 0 700 700 re f"),
        stream("BT /F1 12 Tf 9 9 Td (ab) Tj ET"),
    ]);
    let extraction = read(file.as_bytes()).unwrap();
    assert_eq!(extraction.pages[0].text, "\u{FFFD}b");
    assert_eq!(extraction.confidence, 0.5);
}

#[test]
fn pages_without_text_cost_confidence_unless_blank() {
    let picture = "0 0 200 200 re f".to_owned();
    let words = "BT /F1 12 Tf 72 700 Td (Words) Tj ET".to_owned();
    let extraction = read(&pdf_of_contents(&[words.clone(), picture.clone()])).unwrap();
    assert_eq!(extraction.confidence, 0.5);
    assert_eq!(extraction.pages[1].text, "");
    assert_eq!(extraction.pages[1].origin, Origin::Picture);
    assert_eq!(extraction.pages[0].origin, Origin::Stated);
    let extraction = read(&pdf_of_contents(&[words, String::new()])).unwrap();
    assert_eq!(extraction.confidence, 1.0);

    // A document of pictures is for recognition to read; one of blank pages says nothing.
    let extraction = read(&pdf_of_contents(&[picture])).unwrap();
    assert_eq!(extraction.pages[0].origin, Origin::Picture);
    assert_eq!(
        (extraction.confidence, extraction.pages[0].confidence),
        (0.0, 0.0)
    );
    assert_eq!(read(&pdf(&[""])), Err(ExtractError::NoText));
}

fn encrypted(user_password: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut document = Document::load_mem(&pdf(&["Sealed"]))?;
    let id = || Object::String(b"0123456789abcdef".to_vec(), StringFormat::Literal);
    document.trailer.set("ID", vec![id(), id()]);
    let state = EncryptionState::try_from(EncryptionVersion::V2 {
        document: &document,
        owner_password: "owner",
        user_password,
        key_length: 128,
        permissions: Permissions::default(),
    })?;
    document.encrypt(&state)?;
    let mut bytes = Vec::new();
    document.save_to(&mut bytes)?;
    Ok(bytes)
}

#[test]
fn encrypted_without_a_password_is_read_and_noted() {
    let extraction = read(&encrypted("").unwrap()).unwrap();
    assert_eq!(extraction.pages[0].text, "Sealed");
    assert!(extraction.structure.unwrap().encrypted);
}

#[test]
fn encrypted_with_a_password_is_refused() {
    assert_eq!(
        read(&encrypted("secret").unwrap()),
        Err(ExtractError::Encrypted)
    );
}

#[test]
fn the_structure_tells_what_is_active() {
    let content = "BT /F1 12 Tf 72 700 Td (Form) Tj ET";
    let file = assemble(&[
        "<</Type/Catalog/Pages 2 0 R/OpenAction<</S/JavaScript/JS(app.alert\\(1\\))>>\
         /AcroForm<</XFA[]/Fields[<</FT/Sig/V<</Type/Sig>>>>]>>\
         /Names<</EmbeddedFiles<</Names[(a)<</Type/Filespec/F(a)/EF<<>>>>]>>>>>>"
            .to_owned(),
        "<</Type/Pages/Kids[3 0 R]/Count 1>>".to_owned(),
        "<</Type/Page/Parent 2 0 R/Contents 4 0 R/MediaBox[0 0 595 842]\
         /Annots[<</Subtype/Link/A<</S/Launch/F(cmd.exe)>>>>]>>"
            .to_owned(),
        format!("<</Length {}>>stream\n{content}\nendstream", content.len()),
    ]);
    let structure = read(file.as_bytes()).unwrap().structure.unwrap();
    assert_eq!((structure.version.as_str(), structure.pages), ("1.7", 1));
    assert!(structure.javascript && structure.launch_actions && structure.open_action);
    assert!(structure.signatures && structure.xfa && !structure.encrypted);
    assert_eq!(structure.embedded_files, 1);

    let plain = read(&pdf(&["Plain"])).unwrap().structure.unwrap();
    assert!(!plain.javascript && !plain.launch_actions && !plain.open_action);
    assert!(!plain.signatures && !plain.xfa);
}

#[test]
fn many_packed_objects_are_looked_through_without_being_kept() {
    let content = "BT /F1 12 Tf 72 700 Td (Form) Tj ET";
    let file = assemble(&[
        "<</Type/Catalog/Pages 2 0 R/OpenAction<</S/JavaScript/JS(app.alert\\(1\\))>>\
         /AcroForm<</XFA[]/Fields[<</FT/Sig/V<</Type/Sig>>>>]>>\
         /Names<</EmbeddedFiles<</Names[(a)<</Type/Filespec/F(a)/EF<<>>>>]>>>>>>"
            .to_owned(),
        "<</Type/Pages/Kids[3 0 R]/Count 1>>".to_owned(),
        "<</Type/Page/Parent 2 0 R/Contents 4 0 R/MediaBox[0 0 595 842]\
         /Annots[<</Subtype/Link/A<</S/Launch/F(cmd.exe)>>>>]>>"
            .to_owned(),
        format!("<</Length {}>>stream\n{content}\nendstream", content.len()),
    ]);
    let few = read(file.as_bytes()).unwrap().structure.unwrap();
    // A comment is enough to say so.
    let many = file.clone() + "%<</Type/ObjStm /N 999999 >>\n";
    assert_eq!(read(many.as_bytes()).unwrap().structure, Some(few));
}

#[test]
fn garbage_and_stumps_are_damaged() {
    for bytes in [&b"%PDF-1.7\n"[..], b"%PDF-1.4 garbage \xFF\x00\xFE", b""] {
        assert_eq!(read(bytes).unwrap_err().code(), "damaged");
    }
}

#[test]
fn a_cut_off_file_gives_what_is_left() {
    let whole = pdf(&["Still here", "Here too"]);
    let cut = &whole[..whole.len() - 200];
    assert!(text(cut).unwrap().starts_with("Still here"));
}

#[test]
fn limits_hold() {
    let limits = |pages, characters, bytes| Limits {
        max_pages: pages,
        max_characters: characters,
        max_decompressed_bytes: bytes,
    };
    let too_large = |limit, of| Err(ExtractError::TooLarge { limit, of });
    let document = pdf(&["One page", "Two pages"]);
    let read = |limits| read_with(&document, "a.pdf", &limits).map(|_| ());
    assert_eq!(read(limits(1, 99, 9999)), too_large(1, Quantity::Pages));
    assert_eq!(
        read(limits(2, 10, 9999)),
        too_large(10, Quantity::Characters)
    );
    assert_eq!(
        read(limits(2, 99, 60)),
        too_large(60, Quantity::DecompressedBytes)
    );
    assert_eq!(read(limits(2, 99, 9999)), Ok(()));

    let text = read_with(b"0123456789x", "a.txt", &limits(1, 10, 0)).map(|_| ());
    assert_eq!(text, too_large(10, Quantity::Characters));
}

#[test]
fn a_decompression_bomb_is_refused_unopened() {
    let mut document = Document::load_mem(&pdf(&["Bomb"])).unwrap();
    for object in document.objects.values_mut() {
        if let Object::Stream(stream) = object {
            stream.set_plain_content(vec![b' '; 4 << 20]);
            stream.compress().unwrap();
        }
    }
    let mut bomb = Vec::new();
    document.save_to(&mut bomb).unwrap();
    assert!(bomb.len() < 64 << 10);
    let limits = Limits {
        max_decompressed_bytes: 1 << 20,
        ..Limits::default()
    };
    let error = read_with(&bomb, "a.pdf", &limits).unwrap_err();
    assert_eq!(error.code(), "too_large");
}

#[test]
fn progress_is_told_and_can_stop() {
    let document = pdf(&["1", "2", "3"]);
    for (name, bytes) in [("a.pdf", document.as_slice()), ("a.txt", b"1\x0C2\x0C3")] {
        let input = Input {
            bytes,
            file_name: name,
            content_type: None,
        };
        let mut seen = Vec::new();
        let outcome = extract(&input, &Limits::default(), &mut |progress| {
            seen.push(progress);
            progress.page < 2
        });
        let progress = |page| PageProgress { page, pages: 3 };
        assert_eq!(seen, [progress(1), progress(2)]);
        let cancelled = ExtractError::Cancelled {
            pages_done: 2,
            pages: 3,
        };
        assert_eq!(outcome, Err(cancelled));
    }
}

#[test]
fn markup_comes_out_as_it_stands() {
    for (name, format) in [
        ("a.json", Format::Json),
        ("a.csv", Format::Csv),
        ("a.xml", Format::Xml),
        ("a.md", Format::Markdown),
    ] {
        let extraction = read_with(b"<b>\"x\"</b>,1\r\n", name, &Limits::default()).unwrap();
        assert_eq!(extraction.format, format);
        assert_eq!(extraction.pages[0].text, "<b>\"x\"</b>,1\n");
        assert_eq!(extraction.structure, None);
    }
}

#[test]
fn everything_crosses_a_pipe() {
    let outcomes = [
        read(&pdf(&["Text"])),
        read(&pdf(&[""])),
        read(b""),
        read_with(b"x", "a.docx", &Limits::default()),
        Err(ExtractError::Cancelled {
            pages_done: 1,
            pages: 2,
        }),
        Err(ExtractError::TooLarge {
            limit: 1,
            of: Quantity::DecompressedBytes,
        }),
        Err(ExtractError::Encrypted),
    ];
    for outcome in outcomes {
        let json = serde_json::to_string(&outcome).unwrap();
        let back: Result<Extraction, ExtractError> = serde_json::from_str(&json).unwrap();
        assert_eq!(back, outcome);
        if let Err(error) = outcome {
            let value = serde_json::to_value(&error).unwrap();
            assert_eq!(value["code"], error.code());
        }
    }
}

#[test]
fn what_is_attached_to_a_pdf_is_taken_out_and_what_is_not_is_named() {
    let stream = |content: &str| {
        let length = content.len();
        format!("<</Type/EmbeddedFile/Length {length}>>stream\n{content}\nendstream")
    };
    let attached = |name: &str, number: u32| format!("<</F({name})/EF<</F {number} 0 R>>>>");
    let file = assemble(&[
        "<</Type/Catalog/Pages 2 0 R/Names<</EmbeddedFiles<</Names[(a)6 0 R(b)8 0 R]>>>>>>"
            .to_owned(),
        "<</Type/Pages/Kids[3 0 R]/Count 1/Resources<</Font<</F1 5 0 R>>>>>>".to_owned(),
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R>>".to_owned(),
        "<</Length 43>>stream\nBT /F1 12 Tf 72 770 Td (Two enclosures) Tj ET\nendstream".to_owned(),
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>".to_owned(),
        attached("folder/notes.txt", 7),
        stream("Brakes checked"),
        attached("empty.txt", 9),
        stream(""),
    ]);
    let extraction = read(file.as_bytes()).unwrap();
    let names: Vec<_> = extraction
        .children
        .iter()
        .map(|c| c.name.as_str())
        .collect();
    assert_eq!(names, ["notes.txt"]);
    assert_eq!(extraction.children[0].bytes, b"Brakes checked");
    assert_eq!(
        extraction.pages[0].text,
        "Two enclosures\nAttachment: empty.txt (not taken: empty)"
    );
}
