//! What a page shows and how it reads: columns, tables, directions, what is drawn twice, unseen
//! or not at all. Each page is made here, by hand.

#![cfg(test)]

use kmrl_extraction::fixtures::{assemble, pdf_of_contents, utf16_hex};
use kmrl_extraction::{Extraction, Input, Limits, Origin, Page, extract};

fn read(bytes: &[u8]) -> Extraction {
    let input = Input {
        bytes,
        file_name: "page.pdf",
        content_type: None,
    };
    extract(&input, &Limits::default(), &mut |_| true).unwrap()
}

/// The page that a content stream makes, on A4 with Helvetica as `/F1`.
fn page(content: &str) -> Page {
    read(&pdf_of_contents(&[content.to_owned()]))
        .pages
        .remove(0)
}

fn text(content: &str) -> String {
    page(content).text
}

/// Show a text at a place, in 10 points.
fn at(x: u32, y: u32, text: &str) -> String {
    format!("BT /F1 10 Tf {x} {y} Td ({text}) Tj ET\n")
}

/// A PDF of one page whose dictionary goes on with `page`, and more objects from the sixth on.
fn pdf_with(content: &str, page: &str, more: &[&str]) -> Vec<u8> {
    let mut objects = vec![
        "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
        "<</Type/Pages/Kids[3 0 R]/Count 1>>".to_owned(),
        format!(
            "<</Type/Page/Parent 2 0 R/Contents 5 0 R/MediaBox[0 0 600 800]\
             /Resources<</Font<</F1 4 0 R>>>>{page}>>"
        ),
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>".to_owned(),
        format!("<</Length {}>>stream\n{content}\nendstream", content.len()),
    ];
    objects.extend(more.iter().map(|object| (*object).to_owned()));
    assemble(&objects).into_bytes()
}

const LEFT: [&str; 5] = [
    "The metro carries people across the",
    "city from early in the morning until",
    "late at night. Trains follow each other",
    "every seven minutes at rush hour, and",
    "every ten minutes during the day.",
];
const RIGHT: [&str; 5] = [
    "Depots look after the trains at night.",
    "Brakes, doors and bogies are seen to",
    "in turns, and what was found goes into",
    "a job card, which the shift engineer",
    "signs before the train may leave.",
];

#[test]
fn columns_are_read_one_after_the_other_however_they_are_drawn() {
    let lines = |texts: [&str; 5], x| {
        let placed = texts.into_iter().zip(0..);
        placed
            .map(move |(line, row)| at(x, 700 - 12 * row, line))
            .collect::<Vec<_>>()
    };
    let (left, right) = (lines(LEFT, 60), lines(RIGHT, 320));
    let title = at(
        60,
        730,
        "Operations and maintenance of the metro, a report on the whole of last year in short",
    );
    let across: String = left
        .iter()
        .zip(&right)
        .map(|(a, b)| format!("{a}{b}"))
        .collect();
    let down = left.concat() + &right.concat();
    let right_first = right.concat() + &left.concat();
    let expected = format!("{}\n{}", LEFT.join("\n"), RIGHT.join("\n"));
    for columns in [across, down, right_first] {
        let read = text(&(title.clone() + &columns));
        assert!(read.starts_with("Operations"), "{read}");
        assert!(read.ends_with(&expected), "{read}");
    }
}

#[test]
fn a_table_is_read_by_rows_however_it_is_drawn() {
    let cells = [
        ["Part", "Number", "Price"],
        ["Brake pad", "BP-7", "1,200"],
        ["Door motor", "DM-2", "18,500"],
        ["Axle box", "AX-9", "42,000"],
    ];
    let cell = |row: usize, column: usize| {
        at(
            60 + 150 * column as u32,
            700 - 20 * row as u32,
            cells[row][column],
        )
    };
    let by_rows: String = (0..4)
        .flat_map(|row| (0..3).map(move |column| cell(row, column)))
        .collect();
    let by_columns: String = (0..3)
        .flat_map(|column| (0..4).map(move |row| cell(row, column)))
        .collect();
    let expected = "Part\tNumber\tPrice\nBrake pad\tBP-7\t1,200\n\
                    Door motor\tDM-2\t18,500\nAxle box\tAX-9\t42,000";
    assert_eq!(text(&by_rows), expected);
    assert_eq!(text(&by_columns), expected);
}

#[test]
fn what_is_drawn_in_no_order_is_read_from_the_top() {
    let lines = ["one", "two", "three", "four", "five", "six"];
    let line = |row: usize| at(60, 700 - 14 * row as u32, lines[row]);
    let drawn: String = [3, 0, 5, 2, 4, 1].into_iter().map(line).collect();
    assert_eq!(text(&drawn), lines.join("\n"));
}

#[test]
fn rotated_pages_and_text_read_as_shown() {
    // A page turned by a quarter, its text turned back: it is shown upright.
    let content = "BT /F1 10 Tf 0 1 -1 0 100 100 Tm (Landscape sheet) Tj ET \
                   BT /F1 10 Tf 0 1 -1 0 120 100 Tm (second line) Tj ET";
    let page = &read(&pdf_with(content, "/Rotate 90", &[])).pages[0];
    assert_eq!(page.text, "Landscape sheet\nsecond line");
    // It is shown 800 wide and 600 high, and what was at (100, 100) is 100 from the left and top.
    let word = &page.words[0];
    assert!(
        (word.x - 100.0).abs() < 1.0 && (word.y + word.height - 102.0).abs() < 1.0,
        "{word:?}"
    );

    // Text that runs upwards beside upright text is a line of its own.
    let content = at(60, 700, "Upright text of the page")
        + "BT /F1 10 Tf 0 1 -1 0 40 300 Tm (Margin note) Tj ET "
        + &at(60, 688, "goes on");
    assert_eq!(
        text(&content),
        "Upright text of the page\ngoes on\nMargin note"
    );
}

#[test]
fn words_have_boxes_from_the_top_left() {
    let page = page("BT /F1 10 Tf 72 742 Td (Brake test) Tj ET");
    let words: Vec<&str> = page.words.iter().map(|word| word.text.as_str()).collect();
    assert_eq!(words, ["Brake", "test"]);
    let [brake, test] = &page.words[..] else {
        panic!()
    };
    assert!(
        (brake.x - 72.0).abs() < 0.1 && (brake.y - 92.0).abs() < 0.1,
        "{brake:?}"
    );
    assert!(
        (brake.width - 26.7).abs() < 1.0 && (brake.height - 10.0).abs() < 0.1,
        "{brake:?}"
    );
    assert!(test.x > brake.x + brake.width);
}

#[test]
fn bold_by_drawing_twice_is_said_once_whatever_the_runs() {
    let once = "BT /F1 12 Tf 1 0 0 1 72 700 Tm (Danger zone) Tj ET ";
    let again = "BT /F1 12 Tf 1 0 0 1 72.3 700 Tm (Danger ) Tj (zone) Tj ET";
    assert_eq!(text(&format!("{once}{again}")), "Danger zone");
}

#[test]
fn clipped_text_and_text_beyond_the_page_are_left_out() {
    let content =
        "q 60 690 100 30 re W n BT /F1 10 Tf 72 700 Td (seen) Tj 200 0 Td (cut off) Tj ET Q "
            .to_owned()
            + &at(72, 650, "after")
            + &at(900, 600, "beyond");
    assert_eq!(text(&content), "seen\nafter");
}

#[test]
fn invisible_text_is_kept_only_over_a_scan() {
    let hidden = "BT /F1 10 Tf 3 Tr 72 700 Td (recognised words) Tj ET ";
    let scan = "q 595 0 0 842 0 0 cm BI /W 1 /H 1 /CS /G /BPC 8 ID \u{1} EI Q ";
    let seen = "BT /F1 10 Tf 0 Tr 72 500 Td (seen) Tj ET ";
    assert_eq!(text(&format!("{seen}{hidden}")), "seen");
    assert_eq!(text(&format!("{scan}{hidden}")), "recognised words");
    // Whichever is drawn first.
    assert_eq!(text(&format!("{hidden}{scan}")), "recognised words");
    assert_eq!(page(scan).origin, Origin::Picture);
}

/// A page of 600 by 800 points with graphics states, groups and masks: `/Clear` and `/Faint` set
/// the opacity, `/Shut` and `/Open` a mask, and `/Group` shows "grouped".
fn with_opacity(content: &str) -> String {
    let form = |entries: &str, content: &str| {
        format!(
            "<</Type/XObject/Subtype/Form/BBox[0 0 600 800]/Group<</S/Transparency/CS/DeviceGray>>\
             {entries}/Length {}>>stream\n{content}\nendstream",
            content.len()
        )
    };
    let bytes = assemble(&[
        "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
        "<</Type/Pages/Kids[3 0 R]/Count 1>>".to_owned(),
        "<</Type/Page/Parent 2 0 R/Contents 4 0 R/MediaBox[0 0 600 800]/Resources<<\
         /Font<</F1 5 0 R>>/XObject<</Group 6 0 R>>/ExtGState<<\
         /Clear<</ca 0/CA 0>>/Faint<</ca .1/CA .1>>\
         /Shut<</SMask<</S/Luminosity/G 7 0 R>>>>/Open<</SMask<</S/Luminosity/G 8 0 R>>>>>>>>>>"
            .to_owned(),
        format!("<</Length {}>>stream\n{content}\nendstream", content.len()),
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>".to_owned(),
        form(
            "/Resources<</Font<</F1 5 0 R>>>>",
            "BT /F1 10 Tf 72 600 Td (grouped) Tj ET",
        ),
        form("", "0 g 0 0 600 800 re f"),
        form("", "1 g 0 0 600 800 re f"),
    ])
    .into_bytes();
    read(&bytes).pages.remove(0).text
}

#[test]
fn fully_transparent_text_is_left_out() {
    let shown = |state: &str| format!("q /{state} gs {}/Group Do Q ", at(72, 700, "words"));
    let after = at(72, 500, "after");
    assert_eq!(with_opacity(&(shown("Clear") + &after)), "after");
    assert_eq!(with_opacity(&(shown("Shut") + &after)), "after");
    assert_eq!(
        with_opacity(&(shown("Faint") + &after)),
        "words\ngrouped\nafter"
    );
    assert_eq!(
        with_opacity(&(shown("Open") + &after)),
        "words\ngrouped\nafter"
    );
    // What is seen is not a repeat of what was not.
    assert_eq!(
        with_opacity(&(shown("Clear") + &shown("Faint"))),
        "words\ngrouped"
    );
    // Some programs write what they recognised in a scan this way.
    let scan = "q 600 0 0 800 0 0 cm BI /W 1 /H 1 /CS /G /BPC 8 ID \u{1} EI Q ";
    assert_eq!(
        with_opacity(&(scan.to_owned() + &shown("Clear"))),
        "words\ngrouped"
    );
}

#[test]
fn scripts_that_read_leftwards_are_put_in_order() {
    let span = |x: u32, letter: &str| {
        format!(
            "/Span <</ActualText {}>> BDC {} EMC ",
            utf16_hex(letter),
            at(x, 700, "x")
        )
    };
    // As they stand from left to right, and as a writer would set them.
    let word = ["ש", "ל", "ו", "ם"];
    let set = |order: [usize; 4]| {
        order
            .into_iter()
            .map(|i| span(115 - 5 * i as u32, word[i]))
            .collect::<String>()
    };
    assert_eq!(text(&set([3, 2, 1, 0])), "שלום");
    assert_eq!(text(&set([0, 1, 2, 3])), "שלום");
    let price = set([3, 2, 1, 0]) + &at(74, 700, "12.5");
    assert_eq!(text(&price), "שלום 12.5");
}

#[test]
fn ligatures_and_hyphens_are_spelt_out() {
    let span = |text: &str, shown: &str| {
        format!(
            "/Span <</ActualText {}>> BDC ({shown}) Tj EMC ",
            utf16_hex(text)
        )
    };
    let content = format!(
        "BT /F1 10 Tf 72 700 Td (of) Tj {} (ce in\\255) Tj 0 -12 Td {} (spection) Tj ET",
        span("\u{FB01}", "f"),
        span("", "")
    );
    assert_eq!(text(&content), "office in-\nspection");
}

#[test]
fn form_values_and_comments_are_read() {
    let content =
        at(60, 700, "Name:") + &at(60, 680, "Department:") + &at(60, 640, "Signed in Kochi");
    let annotations = "/Annots[6 0 R 7 0 R 9 0 R 10 0 R 11 0 R]";
    let field =
        |rect: &str, rest: &str| format!("<</Type/Annot/Subtype/Widget/Rect[{rect}]{rest}>>");
    let drawn = "BT /F1 10 Tf 2 3 Td (Safety) Tj ET";
    let bytes = pdf_with(
        &content,
        annotations,
        &[
            &field("140 697 300 711", "/FT/Tx/V(Anita Nair)"),
            &field("140 677 300 691", "/FT/Tx/V(stale)/AP<</N 8 0 R>>"),
            &format!(
                "<</Subtype/Form/BBox[0 0 160 14]/Resources<</Font<</F1 4 0 R>>>>/Length {}>>\
                 stream\n{drawn}\nendstream",
                drawn.len()
            ),
            &field("140 600 300 614", "/FT/Tx/Ff 8192/V(secret)"),
            &field("140 580 300 594", "/F 2/FT/Tx/V(hidden)"),
            "<</Type/Annot/Subtype/Highlight/Rect[60 640 160 650]/Contents(Check the date)>>",
        ],
    );
    assert_eq!(
        read(&bytes).pages[0].text,
        "Name: Anita Nair\nDepartment: Safety\nSigned in Kochi\nCheck the date"
    );
}

#[test]
fn streams_with_blanks_after_their_word_are_read() {
    let sound = String::from_utf8(pdf_with(&at(72, 700, "Readable"), "", &[])).unwrap();
    let odd = sound.replace(">>stream\n", ">>stream \n");
    assert_eq!(read(odd.as_bytes()).pages[0].text, "Readable");
}

#[test]
fn layers_that_are_turned_off_are_left_out() {
    let marked = |layer: &str, shown: &str| format!("/OC /{layer} BDC {shown} EMC ");
    let content = marked("Off", &at(72, 700, "draft"))
        + &marked("On", &at(72, 680, "issued"))
        + &marked("Both", &at(72, 660, "either"))
        + "/Stamp Do";
    let stamp = "BT /F1 10 Tf 72 640 Td (void) Tj ET";
    let bytes = assemble(&[
        "<</Type/Catalog/Pages 2 0 R/OCProperties<</OCGs[6 0 R 7 0 R]/D<</OFF[6 0 R]>>>>>>"
            .to_owned(),
        "<</Type/Pages/Kids[3 0 R]/Count 1>>".to_owned(),
        "<</Type/Page/Parent 2 0 R/Contents 4 0 R/MediaBox[0 0 600 800]/Resources<<\
         /Font<</F1 5 0 R>>/XObject<</Stamp 9 0 R>>\
         /Properties<</Off 6 0 R/On 7 0 R/Both 8 0 R>>>>>>"
            .to_owned(),
        format!("<</Length {}>>stream\n{content}\nendstream", content.len()),
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>".to_owned(),
        "<</Type/OCG/Name(Draft)>>".to_owned(),
        "<</Type/OCG/Name(Issued)>>".to_owned(),
        "<</Type/OCMD/OCGs[6 0 R 7 0 R]/P/AnyOn>>".to_owned(),
        format!(
            "<</Type/XObject/Subtype/Form/BBox[0 0 600 800]/OC 6 0 R\
             /Resources<</Font<</F1 5 0 R>>>>/Length {}>>stream\n{stamp}\nendstream",
            stamp.len()
        ),
    ])
    .into_bytes();
    assert_eq!(read(&bytes).pages[0].text, "issued\neither");
}

#[test]
fn text_that_clips_lets_only_what_lies_over_it_be_seen() {
    let window = "q BT /F1 40 Tf 7 Tr 72 700 Td (WINDOW) Tj ET ";
    let through = "BT 0 Tr /F1 10 Tf 80 705 Td (through) Tj 0 -100 Td (beside) Tj ET Q ";
    let content = format!("{window}{through}{}", at(72, 500, "after"));
    assert_eq!(text(&content), "through\nafter");
}

#[test]
fn content_restores_only_what_it_saved() {
    // The state that the page set before the form is not undone by the form.
    let form = "Q Q Q BT /F1 10 Tf 0 0 Td (inside) Tj ET";
    let content = "q 1 0 0 1 72 700 cm q /X Do BT /F1 10 Tf 0 -20 Td (below) Tj ET Q Q ";
    let bytes = assemble(&[
        "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
        "<</Type/Pages/Kids[3 0 R]/Count 1>>".to_owned(),
        "<</Type/Page/Parent 2 0 R/Contents 4 0 R/MediaBox[0 0 600 800]/Resources<<\
         /Font<</F1 5 0 R>>/XObject<</X 6 0 R>>>>>>"
            .to_owned(),
        format!("<</Length {}>>stream\n{content}\nendstream", content.len()),
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>".to_owned(),
        format!(
            "<</Type/XObject/Subtype/Form/BBox[-9 -9 600 800]\
             /Resources<</Font<</F1 5 0 R>>>>/Length {}>>stream\n{form}\nendstream",
            form.len()
        ),
    ])
    .into_bytes();
    let page = read(&bytes).pages.remove(0);
    assert_eq!(page.text, "inside\nbelow");
    let lefts: Vec<f32> = page.words.iter().map(|word| word.x).collect();
    assert!(
        lefts.iter().all(|left| (left - 72.0).abs() < 0.1),
        "{lefts:?}"
    );
}
