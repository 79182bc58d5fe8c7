//! By what texts are judged: the rules for departments, and when a person has to look.

use super::reader::Reader;
use crate::departments::{DepartmentRules, RulesError};
use std::sync::Arc;

const RULES: &str = "departments.rules_file";

/// By what texts are judged.
#[derive(Clone, Debug)]
pub struct JudgingSettings {
    /// Which department a document belongs to.
    pub departments: Arc<DepartmentRules>,
    /// A text of less confidence is for a person to look at.
    pub review_below: f64,
}

pub(super) fn read(r: &mut Reader) -> JudgingSettings {
    let review_below = r.required("review.below", 0.7);
    if !(0.0..=1.0).contains(&review_below) {
        r.error("review.below", "must be a number from 0 to 1");
    }
    let departments = match r.optional::<String>(RULES) {
        None => DepartmentRules::built_in(),
        Some(path) => match std::fs::read_to_string(&path) {
            Ok(text) => DepartmentRules::parse(&text),
            Err(error) => Err(RulesError(vec![format!(
                "`{path}` cannot be read: {error}"
            )])),
        },
    };
    let departments = departments.unwrap_or_else(|RulesError(errors)| {
        for error in errors {
            r.error(RULES, &error);
        }
        DepartmentRules::none()
    });
    JudgingSettings {
        departments: Arc::new(departments),
        review_below,
    }
}
