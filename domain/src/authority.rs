//! Who may do what to which document: roles, permissions, and the one policy function.
//!
//! Pure. Owns the rules alone: how somebody proves who they are, and where the rules are asked, is
//! not known here. Whatever no rule allows is forbidden.

mod words;

pub use words::{Permission, Role};

use serde::{Deserialize, Serialize};

/// Words of sources and departments, or all there are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// Every one.
    #[default]
    All,
    /// These alone.
    Only(Vec<String>),
}

impl Reach {
    /// The word is within it.
    #[must_use]
    pub fn covers(&self, word: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(words) => words.iter().any(|one| one == word),
        }
    }
}

/// What somebody is allowed, wherever it was granted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authority {
    /// Who, as kept with events, such as `key:maximo` or `user:4711`.
    pub actor: String,
    /// What they are.
    pub roles: Vec<Role>,
    /// What their roles are narrowed to; `None`: to nothing less.
    pub scopes: Option<Vec<Permission>>,
    /// Sources that they may write.
    pub sources: Reach,
    /// Departments whose documents they may see.
    pub departments: Reach,
}

/// What a permission is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// No document in particular.
    Anything,
    /// Documents of a source.
    Source(&'a str),
    /// A document.
    Document {
        /// The department it belongs to.
        department: Option<&'a str>,
        /// Who uploaded it, as kept with the event.
        uploader: &'a str,
    },
}

/// Which documents somebody sees: the same rule as [`Authority::permits`], in a form that a query
/// can be built of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// Every one.
    All,
    /// Those of some departments, and what they uploaded themselves.
    Some {
        /// The departments.
        departments: Vec<String>,
        /// Who uploaded it.
        uploader: String,
    },
}

impl Visibility {
    /// Tells whether a document is among them.
    #[must_use]
    pub fn sees(&self, department: Option<&str>, uploader: &str) -> bool {
        match self {
            Self::All => true,
            Self::Some {
                departments,
                uploader: own,
            } => {
                uploader == own
                    || department.is_some_and(|word| departments.iter().any(|one| one == word))
            }
        }
    }
}

impl Authority {
    /// The policy: whether a permission is theirs, for what it is asked for.
    ///
    /// A permission comes with a role and is narrowed by scopes. Uploads are bound to sources;
    /// whatever concerns one document is bound to what they see.
    #[must_use]
    pub fn permits(&self, permission: Permission, target: Target<'_>) -> bool {
        let granted = self.roles.iter().any(|role| role.has(permission));
        let in_scope = |scopes: &Vec<Permission>| scopes.contains(&permission);
        if !granted || !self.scopes.as_ref().is_none_or(in_scope) {
            return false;
        }
        match target {
            Target::Anything => true,
            Target::Source(source) => self.sources.covers(source),
            Target::Document {
                department,
                uploader,
            } => self.visibility().sees(department, uploader),
        }
    }

    /// Which documents they see.
    ///
    /// A connector sees what it uploaded. The other roles see the departments they are limited to,
    /// and what they uploaded; without a limit they see everything. A document that belongs to no
    /// department yet is seen only by who sees everything.
    #[must_use]
    pub fn visibility(&self) -> Visibility {
        let sees_others = self.roles.iter().any(|role| role.sees_others());
        match (&self.departments, sees_others) {
            (Reach::All, true) => Visibility::All,
            (Reach::Only(departments), true) => Visibility::Some {
                departments: departments.clone(),
                uploader: self.actor.clone(),
            },
            (_, false) => Visibility::Some {
                departments: Vec::new(),
                uploader: self.actor.clone(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(roles: &[Role]) -> Authority {
        Authority {
            actor: "key:one".into(),
            roles: roles.to_vec(),
            scopes: None,
            sources: Reach::All,
            departments: Reach::All,
        }
    }

    fn document<'a>(department: Option<&'a str>, uploader: &'a str) -> Target<'a> {
        Target::Document {
            department,
            uploader,
        }
    }

    /// Each role against each permission: a change of the policy shows here.
    #[test]
    fn the_table_of_roles_and_permissions() {
        let table: Vec<String> = Permission::ALL
            .into_iter()
            .map(|permission| {
                let has = |role: Role| who(&[role]).permits(permission, Target::Anything);
                let marks: String = Role::ALL
                    .into_iter()
                    .map(|role| if has(role) { " x" } else { " -" })
                    .collect();
                format!("{:<20}{marks}", permission.as_str())
            })
            .collect();
        assert_eq!(
            table,
            [
                //                  connector, reader, officer, auditor, administrator
                "documents:upload     x - x - x",
                "documents:read       x x x x x",
                "documents:change     - - x - x",
                "audit:read           - - - x x",
                "operations:read      - - - - x",
                "operations:change    - - - - x",
                "keys:manage          - - - - x",
            ]
        );
    }

    #[test]
    fn nobody_without_a_role_may_do_anything() {
        for permission in Permission::ALL {
            assert!(!who(&[]).permits(permission, Target::Anything));
        }
        assert!(!who(&[]).visibility().sees(Some("safety"), "key:two"));
    }

    #[test]
    fn scopes_narrow_and_never_widen() {
        let narrowed = Authority {
            scopes: Some(vec![Permission::Read, Permission::ManageKeys]),
            ..who(&[Role::Officer])
        };
        assert!(narrowed.permits(Permission::Read, Target::Anything));
        assert!(!narrowed.permits(Permission::Change, Target::Anything));
        assert!(!narrowed.permits(Permission::ManageKeys, Target::Anything));
    }

    #[test]
    fn a_connector_writes_its_sources_and_sees_its_own() {
        let connector = Authority {
            sources: Reach::Only(vec!["maximo".into()]),
            ..who(&[Role::Connector])
        };
        assert!(connector.permits(Permission::Upload, Target::Source("maximo")));
        assert!(!connector.permits(Permission::Upload, Target::Source("gmail")));
        assert!(connector.permits(Permission::Read, document(None, "key:one")));
        assert!(!connector.permits(Permission::Read, document(Some("safety"), "key:two")));
    }

    #[test]
    fn a_department_limits_what_is_seen_and_done() {
        let officer = Authority {
            departments: Reach::Only(vec!["safety".into(), "legal".into()]),
            ..who(&[Role::Officer])
        };
        for (target, seen) in [
            (document(Some("safety"), "key:two"), true),
            (document(Some("finance"), "key:two"), false),
            (document(None, "key:two"), false),
            (document(Some("finance"), "key:one"), true),
        ] {
            assert_eq!(
                officer.permits(Permission::Read, target),
                seen,
                "{target:?}"
            );
            assert_eq!(officer.permits(Permission::Change, target), seen);
        }
    }

    #[test]
    fn a_connector_that_reads_too_sees_both() {
        let both = Authority {
            departments: Reach::Only(vec!["safety".into()]),
            ..who(&[Role::Connector, Role::Reader])
        };
        assert!(both.permits(Permission::Read, document(Some("safety"), "key:two")));
        assert!(both.permits(Permission::Read, document(None, "key:one")));
        assert!(!both.permits(Permission::Read, document(Some("hr"), "key:two")));
    }
}
