//! Good pages rank above bad ones, in both languages, whatever made them bad.

use super::*;

const ENGLISH: [&str; 4] = [
    "Safety circular 14. All staff on platforms shall wear high visibility jackets between the \
     first and the last train. Report any damaged barrier to the station controller at once.",
    "JOB CARD WO-2214\nReplace brake pads, car 3, bogie 2.\nChecked by the night shift. \
     Torque 45 Nm. Next inspection due 12/03/2026.",
    "INVOICE No. INV/2026/118\nSupply of signalling cables, 400 m at Rs. 1,250.00 per metre. \
     GST 18%. Total payable within thirty days of receipt.",
    "The incident took place at 08:42 near Aluva station. The train operator applied the \
     emergency brake; nobody was injured, and service was resumed after twelve minutes.",
];

const MALAYALAM: [&str; 3] = [
    "സുരക്ഷാ സർക്കുലർ. പ്ലാറ്റ്ഫോമിൽ ജോലി ചെയ്യുന്ന എല്ലാ ജീവനക്കാരും സുരക്ഷാ ജാക്കറ്റ് ധരിക്കണം. \
     കേടായ ഗേറ്റുകൾ ഉടൻ സ്റ്റേഷൻ കൺട്രോളറെ അറിയിക്കുക.",
    "അടിയന്തര ബ്രേക്ക് പരിശോധന പൂർത്തിയായി. മൂന്നാം കോച്ചിലെ ബ്രേക്ക് പാഡുകൾ മാറ്റി സ്ഥാപിച്ചു. \
     അടുത്ത പരിശോധന മാർച്ച് 12 ന്.",
    "കരാർ പ്രകാരമുള്ള തുക മുപ്പത് ദിവസത്തിനകം നൽകേണ്ടതാണ്. ജീവനക്കാരുടെ അവധി അപേക്ഷകൾ \
     വകുപ്പ് മേധാവിക്ക് സമർപ്പിക്കണം.",
];

const MIXED: &str = "Safety circular: പ്ലാറ്റ്ഫോമിൽ സുരക്ഷാ ജാക്കറ്റ് ധരിക്കണം. Report damaged barriers \
                     to the station controller, കൺട്രോൾ റൂമിൽ അറിയിക്കുക.";

/// Each word's characters in another order, always the same one.
fn shuffled(text: &str) -> String {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = move |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize % below.max(1)
    };
    let words = text.split_whitespace().map(|word| {
        let mut characters: Vec<char> = word.chars().collect();
        for at in (1..characters.len()).rev() {
            characters.swap(at, next(at + 1));
        }
        characters.into_iter().collect::<String>()
    });
    words.collect::<Vec<_>>().join(" ")
}

/// UTF-8 read as if each byte were a character.
fn mojibake(text: &str) -> String {
    text.bytes().map(char::from).collect()
}

/// As a font with its own encoding gives it away: letters stand for other letters.
fn shifted(text: &str) -> String {
    let shift = |c: char| match c {
        'a'..='z' => char::from((c as u8 - b'a' + 7) % 26 + b'a'),
        'A'..='Z' => char::from((c as u8 - b'A' + 7) % 26 + b'A'),
        // Malayalam, into the private use area.
        '\u{0D00}'..='\u{0D7F}' => char::from_u32(c as u32 - 0x0D00 + 0xF000).unwrap_or(c),
        c => c,
    };
    text.chars().map(shift).collect()
}

/// What recognition makes of dirt: marks among the letters, and words in pieces.
fn noisy(text: &str) -> String {
    let marks = ['~', '^', '¬', '¦', '`', '°', '¢', '«'];
    let dirty = text.chars().enumerate().flat_map(|(at, c)| {
        let mark = marks.get(at % 8).copied().filter(|_| at % 3 == 0);
        [Some(c), mark, (at % 5 == 0).then_some(' ')]
    });
    dirty.flatten().collect()
}

/// Malayalam as the fonts before Unicode kept it, in Latin letters.
const LEGACY: &str = "kpc£m kÀ¡peÀ. ¹mäv^mwan tPmen sN¿p¶ FÃm Poh\\¡mcpw kpc£m Pm¡äv [cn¡Ww. \
                      tISmb tKäpIÄ DS³ tÌj³ I¬t{Smfsd Adnbn¡pI.";

/// What makes a good text a bad one.
type Spoil = fn(&str) -> String;

fn stated(text: &str) -> Page {
    Page::stated(1, text.to_owned())
}

#[test]
fn good_pages_rank_above_bad_ones() {
    let good: Vec<&str> = ENGLISH
        .into_iter()
        .chain(MALAYALAM)
        .chain([MIXED])
        .collect();
    let spoil: [(&str, Spoil); 4] = [
        ("shuffled", shuffled),
        ("mojibake", mojibake),
        ("shifted", shifted),
        ("noisy", noisy),
    ];
    let mut worst_good = 1.0_f64;
    for text in &good {
        let score = of(&[stated(text)]);
        worst_good = worst_good.min(score);
        assert!(score > 0.85, "{score:.2}: {text}");
    }
    let mut bad: Vec<(&str, String)> = vec![("legacy", LEGACY.into())];
    for (name, spoil) in spoil {
        for text in &good {
            // English without an accent is the same in every encoding.
            if !(name == "mojibake" && text.is_ascii()) {
                bad.push((name, spoil(text)));
            }
        }
    }
    for (name, text) in bad {
        let score = of(&[stated(&text)]);
        assert!(
            score < 0.7 && score < worst_good,
            "{name} {score:.2}: {text}"
        );
    }
}

#[test]
fn what_the_reader_doubts_is_doubted() {
    let sure = Page {
        origin: Origin::Recognised,
        confidence: 0.96,
        ..stated(ENGLISH[0])
    };
    let unsure = Page {
        confidence: 0.5,
        ..sure.clone()
    };
    let alone = |page: &Page| of(std::slice::from_ref(page));
    assert!(alone(&sure) > 0.9 && alone(&unsure) < 0.6);
    let both = of(&[sure, unsure]);
    assert!((0.6..0.9).contains(&both), "{both}");
    let senseless = Page {
        confidence: f64::NAN,
        ..stated(ENGLISH[0])
    };
    assert_eq!(of(&[senseless]), 0.0);
}

#[test]
fn a_page_that_nobody_could_read_weighs_as_one() {
    let picture = Page {
        origin: Origin::Picture,
        ..stated("")
    };
    let read = of(&[stated(ENGLISH[0])]);
    assert!((of(&[stated(ENGLISH[0]), picture.clone()]) - read / 2.0).abs() < 1e-9);
    assert_eq!(of(&[picture]), 0.0);
    assert_eq!(of(&[]), 0.0);
    // One with nothing on it does not.
    assert!((of(&[stated(ENGLISH[0]), stated(" ")]) - read).abs() < 1e-9);
}

#[test]
fn numbers_and_short_labels_are_no_reason_to_doubt() {
    for text in ["12 450.00 18% 2,124.00", "WO-1", "ID 7", "Aluva", "സുരക്ഷ"] {
        let score = plausibility(text);
        assert!(score > 0.85, "{score:.2}: {text}");
    }
}

#[test]
fn unmapped_glyphs_and_private_characters_count() {
    let half = format!("{}{}", "a good text ", "\u{FFFD}".repeat(12));
    assert!(of(&[stated(&half)]) < 0.7);
    assert!(plausibility(&"\u{E001}\u{E002} ".repeat(9)) < 0.1);
}
