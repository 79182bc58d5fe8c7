//! The forms of the AsyncAPI document, held against every message that a test sees.

use jsonschema::Validator;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// The document as the program prints it.
pub fn document() -> Value {
    serde_json::from_str(&kmrl_gateway::app::asyncapi().unwrap()).unwrap()
}

/// The names of all messages in it.
pub fn names() -> BTreeSet<String> {
    FORMS.keys().cloned().collect()
}

static FORMS: LazyLock<BTreeMap<String, Validator>> = LazyLock::new(|| {
    let document = document();
    let components = &document["components"];
    let form = |(name, message): (&String, &Value)| {
        let mut schema: Map<String, Value> = message["payload"].as_object().unwrap().clone();
        schema.insert("components".into(), components.clone());
        let schema = Value::Object(schema);
        let options = jsonschema::draft202012::options().should_validate_formats(true);
        (name.clone(), options.build(&schema).unwrap())
    };
    let messages = components["messages"].as_object().unwrap();
    messages.iter().map(form).collect()
});

/// Asserts that a message has the form promised, and gives its name.
pub fn check(message: &Value) -> String {
    let name = match message.get("specversion") {
        Some(_) => "cloud_event",
        None => message["type"].as_str().expect("a message has a type"),
    };
    let form = FORMS
        .get(name)
        .unwrap_or_else(|| panic!("the document has no message {name}: {message}"));
    let faults: Vec<_> = form.iter_errors(message).map(|e| e.to_string()).collect();
    assert!(faults.is_empty(), "{faults:?} in {message}");
    name.to_owned()
}

#[test]
fn a_message_of_another_form_is_found() {
    let good = serde_json::json!({"type": "checkpoint", "position": 3, "timestamp": "2026-03-01T10:00:00Z"});
    assert_eq!(check(&good), "checkpoint");
    for (field, wrong) in [
        ("position", serde_json::json!("3")),
        ("timestamp", serde_json::json!("yesterday")),
        ("type", serde_json::json!("news")),
        ("position", Value::Null),
    ] {
        let mut bad = good.clone();
        bad[field] = wrong;
        let found = std::panic::catch_unwind(|| check(&bad));
        assert!(found.is_err(), "{bad}");
    }
}
