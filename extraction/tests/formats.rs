//! What comes out of office files, messages, archives and drawings, through the public door only.

#![cfg(test)]

use kmrl_extraction::fixtures::office::*;
use kmrl_extraction::{ExtractError, Extraction, Format, Input, Limits, extract};

fn read_with(bytes: &[u8], name: &str, limits: &Limits) -> Result<Extraction, ExtractError> {
    let input = Input {
        bytes,
        file_name: name,
        content_type: None,
    };
    extract(&input, limits, &mut |_| true)
}

fn read(bytes: &[u8], name: &str) -> Extraction {
    read_with(bytes, name, &Limits::default()).unwrap()
}

fn texts(extraction: &Extraction) -> Vec<&str> {
    let pages = extraction.pages.iter();
    pages.map(|page| page.text.as_str()).collect()
}

fn refusal(bytes: &[u8], name: &str) -> &'static str {
    read_with(bytes, name, &Limits::default())
        .unwrap_err()
        .code()
}

fn table(cells: [&str; 2]) -> String {
    let cell = |text: &str| format!("<w:tc>{}</w:tc>", paragraph(text));
    format!(
        "<w:tbl><w:tr>{}{}</w:tr></w:tbl>",
        cell(cells[0]),
        cell(cells[1])
    )
}

#[test]
fn a_word_document_with_everything() {
    let boxed = |inner: &str| {
        format!(
            "<w:p><w:r><w:t>Beside</w:t></w:r><mc:AlternateContent><mc:Choice><wps:txbx>\
             <w:txbxContent>{inner}</w:txbxContent></wps:txbx></mc:Choice><mc:Fallback>\
             <w:txbxContent>{inner}</w:txbxContent></mc:Fallback></mc:AlternateContent>\
             <w:r><w:t> it</w:t></w:r></w:p>"
        )
    };
    let body = [
        paragraph("സുരക്ഷാ നിർദ്ദേശം"),
        "<w:p><w:r><w:t>Brake</w:t><w:tab/><w:t>test</w:t><w:footnoteReference w:id='4'/></w:r>\
         <w:del><w:r><w:delText>gone</w:delText></w:r></w:del><w:r><w:instrText>PAGE</w:instrText>\
         <w:commentReference w:id='0'/></w:r></w:p>"
            .to_owned(),
        table(["Part", "Qty"]),
        table(["pads</w:t></w:r></w:p><w:p><w:r><w:t>front", "4 &amp; 2"]),
        boxed(&paragraph("In a box")),
        "<w:p><w:r><w:br w:type='page'/><w:lastRenderedPageBreak/><w:t>Second</w:t></w:r></w:p>"
            .to_owned(),
    ]
    .concat();
    let note = |id: &str, text: &str| {
        format!(
            "<w:footnotes><w:footnote w:id='-1'><w:p/></w:footnote><w:footnote w:id='{id}'>{}\
             </w:footnote></w:footnotes>",
            paragraph(text)
        )
    };
    let bytes = docx(
        &body,
        &[
            ("h1", "header", "header1.xml"),
            ("h2", "header", "header2.xml"),
            ("f", "footer", "footer1.xml"),
            ("n", "footnotes", "footnotes.xml"),
            ("c", "comments", "/word/comments.xml"),
        ],
        &[
            (
                "word/header1.xml",
                format!("<w:hdr>{}</w:hdr>", paragraph("KMRL")),
            ),
            (
                "word/header2.xml",
                format!("<w:hdr>{}</w:hdr>", paragraph("KMRL")),
            ),
            (
                "word/footer1.xml",
                format!("<w:ftr>{}</w:ftr>", paragraph("Internal")),
            ),
            ("word/footnotes.xml", note("4", "See the manual")),
            (
                "word/comments.xml",
                format!(
                    "<w:comments><w:comment w:id='0' w:author='Anu'>{}</w:comment></w:comments>",
                    paragraph("Checked?")
                ),
            ),
        ],
    );
    let extraction = read(&bytes, "whatever.bin");
    assert_eq!(extraction.format, Format::Docx);
    assert_eq!(extraction.language.code(), "mixed");
    assert_eq!(extraction.confidence, 1.0);
    assert_eq!(
        texts(&extraction),
        [
            "KMRL\nസുരക്ഷാ നിർദ്ദേശം\nBrake\ttest[1]\nPart\tQty\npads front\t4 & 2\nBeside it\nIn a box",
            "Second\n[1] See the manual\n[Anu] Checked?\nInternal"
        ]
    );
}

#[test]
fn a_presentation_is_a_page_for_each_slide_in_the_order_shown() {
    let table = "<p:graphicFrame><a:tbl><a:tr><a:tc><a:p><a:t>Line</a:t></a:p></a:tc><a:tc><a:p>\
                 <a:t>2</a:t></a:p></a:tc></a:tr></a:tbl></p:graphicFrame>";
    let first = [
        shape("title", "മെട്രോ"),
        shape("body", "One\nTwo"),
        table.to_owned(),
    ]
    .concat();
    let notes = [shape("sldNum", "1"), shape("body", "Say hello")].concat();
    let bytes = pptx(&[(&first, &notes), ("", ""), (&shape("title", "Last"), "")]);
    let extraction = read(&bytes, "talk.pptx");
    assert_eq!(extraction.format, Format::Pptx);
    assert_eq!(
        texts(&extraction),
        ["മെട്രോ\nOne\nTwo\nLine\t2\nNotes: Say hello", "", "Last"]
    );
    assert_eq!(extraction.confidence, 1.0);
}

#[test]
fn a_workbook_is_a_page_for_each_sheet() {
    let first = "<row r='1'><c r='A1' t='s'><v>0</v></c><c r='C1' t='s'><v>1</v></c></row>\
                 <row r='2'><c r='A2'><v>0.30000000000000004</v></c><c r='B2' s='1'><v>45943</v></c>\
                 <c r='C2' t='b'><v>1</v></c></row><row r='9'><c r='B9'><f>1+1</f><v>2</v></c></row>";
    let second = "<row r='1'><c r='A1' t='inlineStr'><is><t>inline</t></is></c></row>";
    let bytes = xlsx(
        &[("ബോഗി", first), ("Notes", second), ("Empty", "")],
        &["ഭാഗം", "Qty"],
    );
    let extraction = read(&bytes, "parts.xlsx");
    assert_eq!(
        texts(&extraction),
        [
            "ബോഗി\nഭാഗം\t\tQty\n0.3\t2025-10-13\tTRUE\n\t2",
            "Notes\ninline",
            "Empty"
        ]
    );
    assert!(extraction.confidence > 0.9, "{}", extraction.confidence);
    let extraction = read(&xls("ബോഗി", &[&["ഭാഗം", "Qty"], &["pad", "4"]]), "old.doc");
    assert_eq!(extraction.format, Format::Xls);
    assert_eq!(texts(&extraction), ["ബോഗി\nഭാഗം\tQty\npad\t4"]);
}

#[test]
fn open_documents() {
    let text = "<text:h>തലക്കെട്ട്</text:h><text:p>One<text:s text:c='2'/>two\n   three\
        <text:note><text:note-citation>i</text:note-citation><text:note-body><text:p>A note</text:p>\
        </text:note-body></text:note><office:annotation><dc:creator>Anu</dc:creator>\
        <dc:date>2026</dc:date><text:p>Why?</text:p></office:annotation></text:p>\
        <text:tracked-changes><text:p>gone</text:p></text:tracked-changes>\
        <table:table><table:table-row><table:table-cell><text:p>a</text:p><text:p>b</text:p>\
        </table:table-cell><table:table-cell table:number-columns-repeated='2'/><table:table-cell>\
        <text:p>c</text:p></table:table-cell></table:table-row></table:table>\
        <text:p><draw:frame><draw:text-box><text:p>boxed</text:p></draw:text-box></draw:frame>end</text:p>\
        <text:soft-page-break/><text:p>Page two</text:p>";
    let styles = "<office:document-styles><style:master-page><style:header><text:p>KMRL</text:p>\
        </style:header><style:footer><text:p>Internal</text:p></style:footer></style:master-page>\
        </office:document-styles>";
    let bytes = open_document("text", text, &[("styles.xml", styles.to_owned())]);
    let extraction = read(&bytes, "a.odt");
    assert_eq!(extraction.format, Format::Odt);
    assert_eq!(
        texts(&extraction),
        [
            "KMRL\nതലക്കെട്ട്\nOne  two three[1]\n[1] A note\n[Anu] Why?\na b\t\t\tc\nend\nboxed",
            "Page two\nInternal"
        ]
    );

    let slides = "<draw:page><draw:frame><draw:text-box><text:p>മെട്രോ</text:p></draw:text-box>\
        </draw:frame><presentation:notes><draw:text-box><text:p>Say hello</text:p></draw:text-box>\
        </presentation:notes></draw:page><draw:page/>";
    let extraction = read(&open_document("presentation", slides, &[]), "a.odp");
    assert_eq!(texts(&extraction), ["മെട്രോ\nNotes: Say hello", ""]);

    let sheets = "<table:table table:name='ബോഗി'><table:table-row><table:table-cell><text:p>Part</text:p>\
        </table:table-cell><table:table-cell office:value='45943'><text:p>13-Oct-25</text:p>\
        </table:table-cell></table:table-row><table:table-row table:number-rows-repeated='1048575'>\
        <table:table-cell table:number-columns-repeated='16384'/></table:table-row></table:table>\
        <table:table table:name='Two'/>";
    let extraction = read(&open_document("spreadsheet", sheets, &[]), "a.ods");
    assert_eq!(texts(&extraction), ["ബോഗി\nPart\t13-Oct-25", "Two"]);
}

#[test]
fn a_message_tells_who_and_what_and_gives_what_is_attached() {
    let nested = "RnJvbTogeEBleGFtcGxlLm9yZw0KU3ViamVjdDogSW5uZXINCg0KSW5uZXIgdGV4dA0K";
    let bytes = eml(&[
        (
            "%E0%B4%AA%E0%B4%9F%E0%B4%82.txt",
            "text/plain; charset=utf-8",
            "4LSq4LSf4LSC",
        ),
        ("forwarded.eml", "message/rfc822", nested),
        ("empty.bin", "application/octet-stream", ""),
    ]);
    let extraction = read(&bytes, "mail");
    assert_eq!(extraction.format, Format::Eml);
    assert_eq!(
        texts(&extraction),
        [
            "From: അനു <anu@example.org>\nTo: Depot <depot@example.org>, b@example.org\n\
             Cc: c@example.org\nDate: 2026-01-05T10:00:00+05:30\nSubject: സുരക്ഷാ circular\n\n\
             Please read. നന്ദി\n\nAttachment: പടം.txt\nAttachment: forwarded.eml\n\
             Attachment: empty.bin (not taken: empty)"
        ]
    );
    let children = &extraction.children;
    assert_eq!(children.len(), 2);
    assert_eq!(children[0].name, "പടം.txt");
    assert_eq!(children[0].bytes, "പടം".as_bytes());
    assert_eq!(children[1].media_type, "message/rfc822");
    let inner = read(&children[1].bytes, &children[1].name);
    assert!(texts(&inner)[0].ends_with("Inner text"), "{inner:?}");
}

#[test]
fn a_message_within_a_message_is_cut_out_whole() {
    let bytes = b"Subject: Fwd\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
        --b\r\nContent-Type: text/html\r\n\r\n<p>See <b>below</b></p>\r\n\
        --b\r\nContent-Type: message/rfc822\r\n\r\nFrom: x@example.org\r\nSubject: Door fault\r\n\r\nBody\r\n\
        --b--\r\n";
    let extraction = read(bytes, "a.eml");
    assert_eq!(
        texts(&extraction),
        ["Subject: Fwd\n\nSee below\n\nAttachment: Door fault.eml"]
    );
    assert_eq!(
        extraction.children[0].bytes,
        b"From: x@example.org\r\nSubject: Door fault\r\n\r\nBody"
    );
}

#[test]
fn a_message_of_outlook() {
    let mut properties = vec![0; 32];
    properties.extend([0x40, 0, 0x39, 0, 6, 0, 0, 0]);
    properties.extend(134_123_456_780_000_000_u64.to_le_bytes());
    let (subject, body) = (utf16("സുരക്ഷാ"), utf16("Text\r\nനന്ദി"));
    let (sender, address) = (utf16("Anu"), utf16("anu@example.org"));
    let (name, inner) = (utf16("plan.txt"), utf16("Inner"));
    let inner_subject = "/__attach_version1.0_#00000001/__substg1.0_3701000D/__substg1.0_0037001F";
    let bytes = compound(&[
        ("/__properties_version1.0", &properties),
        ("/__substg1.0_0037001F", &subject),
        ("/__substg1.0_1000001F", &body),
        ("/__substg1.0_0C1A001F", &sender),
        ("/__substg1.0_5D01001F", &address),
        ("/__substg1.0_0E04001E", b"Depot"),
        ("/__attach_version1.0_#00000000/__substg1.0_3707001F", &name),
        (
            "/__attach_version1.0_#00000000/__substg1.0_37010102",
            b"A plan",
        ),
        (inner_subject, &inner),
        (
            "/__attach_version1.0_#00000001/__substg1.0_3701000D/__properties_version1.0",
            &[0; 24],
        ),
    ]);
    let extraction = read(&bytes, "a.msg");
    assert_eq!(extraction.format, Format::Msg);
    assert_eq!(
        texts(&extraction),
        [
            "From: Anu <anu@example.org>\nTo: Depot\nDate: 2026-01-08T11:34:38Z\nSubject: സുരക്ഷാ\n\n\
             Text\nനന്ദി\n\nAttachment: plan.txt\nAttachment: message.msg"
        ]
    );
    assert_eq!(extraction.children[0].bytes, b"A plan");
    let inner = read(&extraction.children[1].bytes, "inner");
    assert_eq!(texts(&inner), ["Subject: Inner"]);
}

#[test]
fn an_archive_lists_its_files_and_gives_them() {
    let inner = zip(&[("deep.txt", b"deep")]);
    let bytes = zip(&[
        ("ഫയൽ/job card.txt", b"Brakes"),
        ("inner.zip", &inner),
        ("__MACOSX/x", b"clutter"),
        ("empty.txt", b""),
    ]);
    let extraction = read(&bytes, "all.zip");
    assert_eq!(
        texts(&extraction),
        ["ഫയൽ/job card.txt\ninner.zip\nempty.txt (not taken: empty)"]
    );
    let names: Vec<&str> = extraction
        .children
        .iter()
        .map(|c| c.name.as_str())
        .collect();
    assert_eq!(names, ["job card.txt", "inner.zip"]);
    assert_eq!(extraction.children[1].media_type, "application/zip");
}

#[test]
fn drawings_give_their_words() {
    let dxf = "  0\r\nSECTION\r\n  2\r\nHEADER\r\n  9\r\n$ACADVER\r\n  1\r\nAC1015\r\n  9\r\n$DWGCODEPAGE\r\n\
        3\r\nANSI_1252\r\n  0\r\nENDSEC\r\n  0\r\nSECTION\r\n  2\r\nENTITIES\r\n  0\r\nTEXT\r\n  8\r\n0\r\n  1\r\n\
        \u{0}%%c20 \\U+0D15\r\n  0\r\nMTEXT\r\n  3\r\n{\\fArial;BOGIE \r\n  1\r\nFRAME}\\Pnote\r\n  0\r\nATTRIB\r\n\
        1\r\nHidden\r\n 70\r\n     1\r\n  0\r\nDIMENSION\r\n  1\r\n<>\r\n  0\r\nENDSEC\r\n  0\r\nEOF\r\n";
    let mut bytes = dxf.as_bytes().to_vec();
    for byte in bytes.iter_mut().filter(|byte| **byte == 0) {
        *byte = 0xE9;
    }
    let extraction = read(&bytes, "plan");
    assert_eq!(extraction.format, Format::Dxf);
    assert_eq!(texts(&extraction), ["éØ20 ക\nBOGIE FRAME\nnote"]);

    let mut binary = b"AutoCAD Binary DXF\r\n\x1A\0".to_vec();
    for (code, value) in [
        (0_u16, "SECTION"),
        (2, "ENTITIES"),
        (0, "TEXT"),
        (1, "ബോഗി"),
        (0, "EOF"),
    ] {
        binary.extend(code.to_le_bytes());
        binary.extend(value.as_bytes());
        binary.push(0);
        if value == "TEXT" {
            binary.extend(10_u16.to_le_bytes());
            binary.extend(1.5_f64.to_le_bytes());
        }
    }
    assert_eq!(texts(&read(&binary, "plan.dxf")), ["ബോഗി"]);
    assert_eq!(refusal(b"no drawing", "plan.dxf"), "damaged");
}

#[test]
fn a_message_of_packed_rich_text_alone_is_read() {
    // The first example of MS-OXRTFCP.
    let packed = b"\x2d\0\0\0\x2b\0\0\0LZFu\xf1\xc5\xc7\xa7\x03\0\x0a\0rcpg125B2\x0a\xf3 \
hel\x09\0 bw\x05\xb0ld}\x0a\x80\x0f\xa0";
    let bytes = compound(&[
        ("/__properties_version1.0", &[0; 32]),
        ("/__substg1.0_0037001F", &utf16("Brakes")),
        ("/__substg1.0_10090102", packed),
    ]);
    let extraction = read(&bytes, "a.msg");
    assert_eq!(texts(&extraction), ["Subject: Brakes\n\nhello world"]);
}

#[test]
fn what_needs_a_helper_says_which() {
    let old = compound(&[("/WordDocument", b"x"), ("/1Table", b"x")]);
    let error = read_with(&old, "old.bin", &Limits::default()).unwrap_err();
    assert_eq!(error.code(), "unsupported_type");
    assert!(error.to_string().contains("antiword"), "{error}");
    let error = read_with(b"AC1032\0x", "plan.dwg", &Limits::default()).unwrap_err();
    assert_eq!(error.code(), "unsupported_type");
    assert!(error.to_string().contains("dwgread"), "{error}");
}

#[test]
fn what_a_helper_made_is_read_as_the_document() {
    let limits = Limits::default();
    let made = |format, text: &str| {
        kmrl_extraction::extract_helped(format, text.as_bytes(), &limits, &mut |_| true)
    };
    let read = made(Format::Doc, "സുരക്ഷാ\n%PDF\u{c}second page").unwrap();
    assert_eq!(read.format, Format::Doc);
    assert_eq!(texts(&read), ["സുരക്ഷാ\n%PDF", "second page"]);
    let drawing = "0\nSECTION\n2\nENTITIES\n0\nTEXT\n1\nBOGIE\n0\nENDSEC\n0\nEOF\n";
    assert_eq!(texts(&made(Format::Dwg, drawing).unwrap()), ["BOGIE"]);
    assert_eq!(
        made(Format::Pdf, "x").unwrap_err().code(),
        "unsupported_type"
    );
}

#[test]
fn markup_is_read_and_rich_text_too() {
    let extraction = read(
        b"<html><p>A &lt; B<table><tr><td>1<td>2</table>",
        "page.xls",
    );
    assert_eq!(extraction.format, Format::Html);
    assert_eq!(texts(&extraction), ["A < B\n1\t2"]);
    let extraction = read(b"{\\rtf1 \\u3374?\\par}", "letter.doc");
    assert_eq!(
        (extraction.format, texts(&extraction)),
        (Format::Rtf, vec!["മ"])
    );
}
