//! What a token says of its user, and what follows from it.

use crate::config::TokenSettings;
use crate::identity::{Principal, Unproved};
use kmrl_domain::authority::{Authority, Reach, Role};
use serde::Deserialize;
use serde_json::{Map, Value};
use time::OffsetDateTime;

/// Longest subject, in characters: an actor has to fit into the audit trail.
const LONGEST_SUBJECT: usize = 100;
/// Longest name and department, in characters, and most departments.
const LONGEST_WORD: usize = 64;
const MOST_WORDS: usize = 64;
/// The department that stands for all of them.
const EVERY: &str = "*";
/// Where documents come from that people send themselves.
const BY_HAND: &str = "manual";

/// The claims that are looked at. The registered ones but `sub` were checked with the signature.
#[derive(Debug, Deserialize)]
pub(super) struct Claims {
    sub: String,
    exp: i64,
    #[serde(flatten)]
    others: Map<String, Value>,
}

impl Claims {
    /// Whoever the token is of. One without a role of ours is proved, and may do nothing.
    pub(super) fn principal(self, settings: &TokenSettings) -> Result<Principal, Unproved> {
        let leeway = time::Duration::try_from(settings.leeway).unwrap_or_default();
        let length = self.sub.chars().count();
        if !(1..=LONGEST_SUBJECT).contains(&length) || self.sub.chars().any(char::is_control) {
            return Err(Unproved::NotGood);
        }
        let roles: Vec<Role> = self
            .words(&settings.roles_claim)
            .unwrap_or_default()
            .iter()
            .filter_map(|word| word.parse().ok())
            .collect();
        let actor = format!("user:{}", self.sub);
        let authority = Authority {
            actor: actor.clone(),
            scopes: None,
            sources: if roles.contains(&Role::Administrator) {
                Reach::All
            } else {
                Reach::Only(vec![BY_HAND.into()])
            },
            departments: self.departments(&roles, settings),
            roles,
        };
        let name = ["name", "preferred_username"]
            .iter()
            .find_map(|claim| self.others.get(*claim)?.as_str())
            .filter(|name| !name.is_empty() && !name.chars().any(char::is_control))
            .unwrap_or(&self.sub);
        let name: String = name.chars().take(LONGEST_WORD).collect();
        let end = OffsetDateTime::from_unix_timestamp(self.exp).map_err(|_| Unproved::NotGood)?;
        let principal = Principal::new(actor, None, &name, authority);
        Ok(principal.until(Some(end.saturating_add(leeway))))
    }

    /// Whoever audits or administrates sees all departments unless the token says less.
    fn departments(&self, roles: &[Role], settings: &TokenSettings) -> Reach {
        let of_all = [Role::Auditor, Role::Administrator];
        match self.words(&settings.departments_claim) {
            Some(words) if words.iter().any(|word| word == EVERY) => Reach::All,
            Some(words) => Reach::Only(words),
            None if settings.all_departments || roles.iter().any(|r| of_all.contains(r)) => {
                Reach::All
            }
            None => Reach::Only(Vec::new()),
        }
    }

    /// A claim that is an array of words or one text of words with blanks between (as `scope` is).
    /// Its name may be a path, such as `realm_access.roles`.
    fn words(&self, path: &str) -> Option<Vec<String>> {
        let mut names = path.split('.');
        let first = self.others.get(names.next()?)?;
        let found = match self.others.get(path) {
            Some(whole) => whole,
            None => names.try_fold(first, |value, name| value.get(name))?,
        };
        let usable = |word: &&str| (1..=LONGEST_WORD).contains(&word.chars().count());
        let words: Vec<&str> = match found {
            Value::String(text) => text.split_whitespace().collect(),
            Value::Array(values) => values.iter().filter_map(Value::as_str).collect(),
            _ => return None,
        };
        let words = words.into_iter().filter(usable).take(MOST_WORDS);
        Some(words.map(str::to_owned).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::time::Duration;

    fn settings() -> TokenSettings {
        TokenSettings {
            secret: None,
            issuer: None,
            audience: None,
            jwks_url: None,
            leeway: Duration::ZERO,
            roles_claim: "realm_access.roles".into(),
            departments_claim: "departments".into(),
            all_departments: false,
        }
    }

    fn principal(mut claims: Value) -> Result<Principal, Unproved> {
        claims["exp"] = json!(4_000_000_000_u32);
        let claims: Claims = serde_json::from_value(claims).unwrap();
        claims.principal(&settings())
    }

    #[test]
    fn roles_and_departments_come_from_claims() {
        let found = principal(json!({
            "sub": "4711", "name": "A. Reader",
            "realm_access": {"roles": ["reader", "offline_access"]},
            "departments": ["safety", "hr"],
        }))
        .unwrap();
        assert_eq!(
            (found.actor.as_str(), found.name.as_str()),
            ("user:4711", "A. Reader")
        );
        assert_eq!(found.authority.roles, [Role::Reader]);
        assert_eq!(
            found.authority.departments,
            Reach::Only(vec!["safety".into(), "hr".into()])
        );
        assert_eq!(found.authority.sources, Reach::Only(vec!["manual".into()]));
    }

    #[test]
    fn without_departments_a_reader_sees_none_and_an_auditor_all() {
        let departments = |roles: &str, departments: Value| {
            let mut claims = json!({"sub": "1", "realm_access": {"roles": roles}});
            if !departments.is_null() {
                claims["departments"] = departments;
            }
            principal(claims).unwrap().authority.departments.clone()
        };
        assert_eq!(departments("reader", Value::Null), Reach::Only(vec![]));
        assert_eq!(departments("officer auditor", Value::Null), Reach::All);
        assert_eq!(departments("reader", json!("*")), Reach::All);
        let safety = Reach::Only(vec!["safety".into()]);
        assert_eq!(departments("auditor", json!("safety")), safety);
    }

    #[test]
    fn a_user_without_a_role_of_ours_may_do_nothing() {
        let found = principal(json!({"sub": "1", "realm_access": {"roles": ["root", 7]}})).unwrap();
        assert_eq!(found.authority.roles, []);
        assert!(principal(json!({"sub": "1", "realm_access": 7})).is_ok());
    }

    #[test]
    fn a_subject_fits_into_the_trail() {
        for bad in [
            String::new(),
            "a\nb".into(),
            "x".repeat(LONGEST_SUBJECT + 1),
        ] {
            assert!(principal(json!({ "sub": bad })).is_err());
        }
    }
}
