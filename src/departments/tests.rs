//! Departments by the rules that are compiled in, in both languages; and what rules must be.

use super::*;

fn decide(file_name: &str, title: Option<&str>, text: &str) -> DepartmentEvidence {
    DepartmentRules::built_in().unwrap().decide(&About {
        file_name,
        title,
        pages: &[text.to_owned()],
    })
}

#[test]
fn the_department_is_found_in_english() {
    for (department, text) in [
        (
            "safety",
            "Safety circular 14\nStaff shall report every near miss and hazard.",
        ),
        (
            "finance",
            "TAX INVOICE INV/118\nGSTIN 32AAACK. Total payable Rs. 1,250.",
        ),
        (
            "procurement",
            "Notice inviting tender\nBidders shall furnish earnest money.",
        ),
        (
            "rolling_stock",
            "Job card WO-2214\nReplace brake pads, car 3, bogie 2.",
        ),
        (
            "hr",
            "Leave application\nThe employee asks for annual leave of six days.",
        ),
        (
            "legal",
            "In the High Court of Kerala\nWrit petition 118, petitioner and respondent.",
        ),
        (
            "operations",
            "Revised timetable\nHeadway of seven minutes in peak hours.",
        ),
        (
            "engineering",
            "Substation inspection\nTraction power and signalling cables.",
        ),
    ] {
        let found = decide("scan0001.pdf", None, text);
        assert_eq!(found.department, department, "{text}: {found:?}");
        assert!(found.score > found.next_score && !found.terms.is_empty());
    }
}

#[test]
fn the_department_is_found_in_malayalam() {
    for (department, text) in [
        ("safety", "സുരക്ഷാ സർക്കുലർ\nഎല്ലാ അപകടങ്ങളും ഉടൻ അറിയിക്കണം."),
        ("finance", "ഇൻവോയ്സ് നമ്പർ 118\nആകെ തുക നികുതി ഉൾപ്പെടെ."),
        ("procurement", "ടെൻഡർ വിജ്ഞാപനം\nക്വട്ടേഷനുകൾ ക്ഷണിക്കുന്നു."),
        (
            "rolling_stock",
            "ബ്രേക്ക് പരിശോധന പൂർത്തിയായി\nമൂന്നാം കോച്ചിലെ ബ്രേക്ക് പാഡുകൾ മാറ്റി.",
        ),
        ("hr", "അവധി അപേക്ഷ\nജീവനക്കാരുടെ ശമ്പളം."),
        ("legal", "കേരള ഹൈക്കോടതിയിൽ\nഹർജിക്കാരന്റെ അഭിഭാഷകൻ."),
        ("operations", "പുതിയ സമയക്രമം\nട്രെയിൻ സർവീസുകൾ യാത്രക്കാർക്ക്."),
        ("engineering", "സിഗ്നലിങ് കേബിൾ\nസബ് സ്റ്റേഷനിലെ വൈദ്യുത ജോലികൾ."),
    ] {
        let found = decide("scan0001.pdf", None, text);
        assert_eq!(found.department, department, "{text}: {found:?}");
    }
}

#[test]
fn what_is_not_clear_is_general() {
    for text in ["", "Good morning to all.", "About the coach"] {
        let found = decide("scan0001.pdf", None, text);
        assert_eq!(found.department, GENERAL, "{found:?}");
    }
    // As much of the one as of the other.
    let found = decide(
        "a.pdf",
        Some("x"),
        "near miss, near miss; litigation, litigation",
    );
    assert_eq!(found.department, GENERAL);
    assert_eq!(found.score, found.next_score);
}

#[test]
fn names_and_titles_weigh_more_and_are_named() {
    let found = decide("safety_circular-14.pdf", Some("Quotation"), "Good morning.");
    assert_eq!(found.department, "safety");
    let first = &found.terms[0];
    assert_eq!(
        (first.term.as_str(), first.place.as_str(), first.count),
        ("safety circular*", "file_name", 1)
    );
    assert_eq!(first.score, 8.0);
}

#[test]
fn evidence_quotes_rules_and_no_document() {
    let found = decide(
        "Anitha_K_invoice.pdf",
        None,
        "Invoices of Anitha, account 1234",
    );
    let shown = serde_json::to_string(&found).unwrap().to_lowercase();
    assert!(shown.contains("invoice*"));
    assert!(!shown.contains("anitha") && !shown.contains("1234"));
}

#[test]
fn words_are_whole_and_malayalam_is_written_in_one_way() {
    let rules = |terms: &str| {
        let head = "least_score = 1\nleast_lead = 0\nmost_count = 2\n\
                    [places]\nfile_name = 1\ntitle = 1\ntext = 1\n";
        DepartmentRules::parse(&format!("{head}[departments.a]\n{terms}\n")).unwrap()
    };
    let count = |terms: &str, text: &str| {
        let title = Some("-");
        let pages = [text.to_owned()];
        let found = rules(terms).decide(&About {
            file_name: "",
            title,
            pages: &pages,
        });
        found.terms.iter().map(|term| term.count).sum::<u32>()
    };
    assert_eq!(
        count("\"court\" = 1", "Court, courts, courtyard: a\ncourt"),
        2
    );
    assert_eq!(count("\"courty*\" = 1", "courtyards"), 1);
    assert_eq!(count("\"a\" = 1", "a a a a"), 2, "no more than most_count");
    // A chillu as one letter, and as consonant, virama and joiner.
    assert_eq!(count("\"സ്റ്റേഷൻ\" = 1", "സ്റ്റേഷന്\u{200D}റെ"), 1);
    assert_eq!(count("\"കൊച്ചി\" = 1", "ക\u{0D46}\u{0D3E}ച്ചിയിൽ"), 1);
}

#[test]
fn everything_wrong_is_told_at_once() {
    let text = "least_score = -1\nleast_lead = 0\nmost_count = 0\nextra = 1\n\
                [places]\nfile_name = 1\ntitle = \"x\"\nbody = 1\n\
                [departments.general]\n\"x\" = 1\n[departments.Legal]\n\"!\" = 1\n\"court\" = 1\n\"Court\" = 2\n";
    let errors = DepartmentRules::parse(text).unwrap_err().to_string();
    for part in [
        "least_score",
        "most_count",
        "extra",
        "places.title",
        "places.text",
        "places.body",
        "general",
        "Legal",
        "\"!\"",
        "twice",
    ] {
        assert!(errors.contains(part), "{part} is not in: {errors}");
    }
    assert!(
        DepartmentRules::parse("a = = 1")
            .unwrap_err()
            .to_string()
            .contains("no TOML")
    );
}
