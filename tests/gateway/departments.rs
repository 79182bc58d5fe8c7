//! Documents find their department by rules, in both languages; people have the last word.

use crate::harness::World;
use crate::support::eventually;
use reqwest::StatusCode;
use serde_json::{Value, json};

const ENGLISH: &str = "TAX INVOICE INV/2026/118\nSupply of cables at Rs. 1,250.00 per metre, GST 18%.\n\
                       Total payable within thirty days of receipt.\n";
const MALAYALAM: &str = "സുരക്ഷാ സർക്കുലർ\nപ്ലാറ്റ്ഫോമിൽ ജോലി ചെയ്യുന്ന എല്ലാ ജീവനക്കാരും സുരക്ഷാ ജാക്കറ്റ് ധരിക്കണം.\n";

#[tokio::test(flavor = "multi_thread")]
async fn departments_are_found_in_both_languages_and_corrections_are_kept() {
    let world = World::new().await;
    let gateway = world.start();
    let mut found = Vec::new();
    for (name, text) in [
        ("scan1.txt", ENGLISH),
        ("scan2.txt", MALAYALAM),
        ("scan3.txt", "Good morning to all of you.\n"),
    ] {
        let accepted = gateway.upload(name, text).await;
        found.push(gateway.finished(accepted["id"].as_str().unwrap()).await);
    }
    let told = |d: &Value, field: &str| d[field].as_str().unwrap().to_owned();
    let departments: Vec<_> = found.iter().map(|d| told(d, "department")).collect();
    assert_eq!(departments, ["finance", "safety", "general"], "{found:?}");
    let languages: Vec<_> = found.iter().map(|d| told(d, "language")).collect();
    assert_eq!(languages, ["en", "ml", "en"]);
    assert!(found[1]["language_shares"]["Mlym"].as_f64().unwrap() > 0.95);
    let evidence = &found[0]["department_evidence"];
    assert_eq!(evidence["department"], "finance");
    assert!(
        evidence["terms"].to_string().contains("tax invoice"),
        "{evidence}"
    );

    for (filter, expected) in [
        ("department=safety", vec![told(&found[1], "id")]),
        ("language=ml", vec![told(&found[1], "id")]),
        (
            "language=en&department=finance&status=processed",
            vec![told(&found[0], "id")],
        ),
        ("language=ta", vec![]),
    ] {
        let list = gateway.json(&format!("/api/v1/documents/?{filter}")).await;
        let documents = list["documents"].as_array().unwrap().iter();
        let ids: Vec<_> = documents.map(|d| told(d, "id")).collect();
        assert_eq!(ids, expected, "{filter}");
        assert_eq!(list["total"], expected.len(), "{filter}");
    }

    let id = told(&found[0], "id");
    let path = format!("/api/v1/documents/{id}");
    let correct = gateway
        .post(&format!("{path}/correct"))
        .header("if-match", "*");
    let correct = correct.json(&json!({"department": "legal", "language": "mixed"}));
    assert_eq!(correct.send().await.unwrap().status(), StatusCode::OK);
    let again = gateway.post(&format!("{path}/reprocess")).json(&json!({}));
    assert!(again.send().await.unwrap().status().is_success());
    let kept = eventually("it was processed again", async || {
        let now = gateway.json(&path).await;
        (now["status"] == "processed" && now["run"] == 2).then_some(now)
    })
    .await;
    assert_eq!(
        (told(&kept, "department"), told(&kept, "language")),
        ("legal".into(), "mixed".into())
    );
    assert_eq!(kept["department_corrected"], true);
    // What the rules say is still shown.
    assert_eq!(kept["department_evidence"]["department"], "finance");
    let statistics = gateway.json("/api/v1/documents/statistics").await;
    assert_eq!(
        statistics["by_department"],
        json!({"legal": 1, "safety": 1, "general": 1})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_can_be_ones_own_and_wrong_ones_are_told_before_anything_starts() {
    let dir = crate::support::TempDir::new("rules");
    let file = dir.path().join("rules.toml");
    let head = "least_score = 1\nleast_lead = 0.5\nmost_count = 2\n[places]\nfile_name = 1\ntitle = 1\ntext = 1\n";
    std::fs::write(&file, format!("{head}[departments.water]\n\"ferr*\" = 2\n")).unwrap();
    let settings = [("KMRL_DEPARTMENT_RULES", file.to_str().unwrap())];
    let world = World::with(&settings).await;
    let gateway = world.start();
    let accepted = gateway
        .upload("a.txt", "Ferries leave from Vyttila at eight.")
        .await;
    let document = gateway.finished(accepted["id"].as_str().unwrap()).await;
    assert_eq!(document["department"], "water", "{document}");
    assert!(gateway.stop().await);

    std::fs::write(&file, format!("{head}[departments.Water]\n\"!\" = 2\n")).unwrap();
    let checked = world.tool(&["config", "check"]);
    let told = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(!checked.status.success());
    for part in ["KMRL_DEPARTMENT_RULES", "Water", "\"!\""] {
        assert!(told.contains(part), "{part}: {told}");
    }
}
