//! From what was found to a verdict, by policy. Pure.

use super::{Verdict, policy_of};
use crate::config::{Policies, Policy};
use crate::ports::{ExtractFailure, Scan};
use kmrl_domain::quarantine::{Admission, Objection};
use kmrl_extraction::Format;
use kmrl_extraction::inspect::{Inspection, Risk};

/// What an objection is about, the gravest first: a refusal is called after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ground {
    /// The scanner knows it.
    Malware,
    /// It is or holds a program.
    Executable,
    /// It unpacks beyond the limits.
    ArchiveBomb,
    /// A picture unpacks beyond the limits.
    PixelBomb,
    /// It is of several types.
    Polyglot,
    /// Its type is not taken in.
    Type,
    /// Name, declared type and content disagree.
    Mismatch,
    /// It holds macros.
    Macros,
    /// It holds scripts.
    Javascript,
    /// It holds actions that start something.
    LaunchAction,
    /// It holds what cannot be looked into.
    Opaque,
    /// The inspector could not cope with it.
    Uninspectable,
    /// It is beyond the scanner's limits.
    Unscanned,
}

impl Ground {
    /// The stable word in events and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Type => "type_not_allowed",
            Self::Mismatch => Risk::TypeMismatch.as_str(),
            Self::Polyglot => Risk::Polyglot.as_str(),
            Self::ArchiveBomb => Risk::ArchiveBomb.as_str(),
            Self::PixelBomb => Risk::PixelBomb.as_str(),
            Self::Executable => Risk::Executable.as_str(),
            Self::Macros => Risk::Macros.as_str(),
            Self::Javascript => Risk::Javascript.as_str(),
            Self::LaunchAction => Risk::LaunchAction.as_str(),
            Self::Opaque => Risk::Opaque.as_str(),
            Self::Uninspectable => "uninspectable",
            Self::Malware => "malware",
            Self::Unscanned => "unscanned",
        }
    }

    const fn of(risk: Risk) -> Self {
        match risk {
            Risk::TypeMismatch => Self::Mismatch,
            Risk::Polyglot => Self::Polyglot,
            Risk::ArchiveBomb => Self::ArchiveBomb,
            Risk::PixelBomb => Self::PixelBomb,
            Risk::Executable => Self::Executable,
            Risk::Macros => Self::Macros,
            Risk::Javascript => Self::Javascript,
            Risk::LaunchAction => Self::LaunchAction,
            Risk::Opaque => Self::Opaque,
        }
    }
}

/// What has been said of a file so far.
#[derive(Debug, Default)]
pub struct Judged {
    ground: Option<Ground>,
    rejected: Vec<Objection>,
    admission: Admission,
}

impl Judged {
    pub(super) fn is_refused(&self) -> bool {
        self.ground.is_some()
    }

    pub(super) fn inspection(&mut self, inspection: &Inspection, policies: &Policies) {
        for finding in &inspection.findings {
            let ground = Ground::of(finding.risk);
            self.object(ground, &finding.detail, policy_of(policies, ground));
        }
    }

    pub(super) fn uninspectable(&mut self, failure: &ExtractFailure, policies: &Policies) {
        let ground = Ground::Uninspectable;
        self.object(
            ground,
            &failure.reason().detail,
            policy_of(policies, ground),
        );
    }

    pub(super) fn scan(&mut self, scan: Option<&Scan>, policies: &Policies) {
        let (ground, detail) = match scan {
            None | Some(Scan::Clean) => return,
            Some(Scan::Found { signature }) => (Ground::Malware, format!("known as {signature}")),
            Some(Scan::NotWhole) => (
                Ground::Unscanned,
                "it is beyond the limits of the virus scanner".to_owned(),
            ),
        };
        self.object(ground, &detail, policy_of(policies, ground));
    }

    pub(super) fn refuse(&mut self, ground: Ground, detail: &str) {
        self.object(ground, detail, Policy::Reject);
    }

    fn object(&mut self, ground: Ground, detail: &str, policy: Policy) {
        let objection = Objection {
            code: ground.as_str().into(),
            detail: detail.into(),
        };
        match policy {
            Policy::Accept => self.admission.accepted.push(objection),
            Policy::Quarantine => self.admission.quarantine.push(objection),
            Policy::Reject => {
                self.ground = Some(self.ground.map_or(ground, |so_far| so_far.min(ground)));
                self.rejected.push(objection);
            }
        }
    }

    pub(super) fn verdict(self, format: Option<Format>) -> Verdict {
        match self.ground {
            Some(ground) => Verdict::Refused {
                ground,
                objections: self.rejected,
            },
            None => Verdict::Admitted {
                admission: self.admission,
                format,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kmrl_extraction::inspect::Finding;

    fn policies(all: Policy) -> Policies {
        Policies {
            mismatches: all,
            polyglots: all,
            executables: all,
            macros: all,
            javascript: all,
            launch_actions: all,
            opaque: all,
            uninspectable: all,
            malware: all,
            unscanned: all,
        }
    }

    fn judged(risks: &[Risk], policy: Policy, scan: Option<&Scan>) -> Verdict {
        let inspection = Inspection {
            format: None,
            findings: risks
                .iter()
                .map(|risk| Finding {
                    risk: *risk,
                    detail: "it is so".into(),
                })
                .collect(),
        };
        let mut judged = Judged::default();
        judged.inspection(&inspection, &policies(policy));
        judged.scan(scan, &policies(policy));
        judged.verdict(None)
    }

    fn codes(objections: &[Objection]) -> Vec<&str> {
        objections.iter().map(|o| o.code.as_str()).collect()
    }

    #[test]
    fn the_policy_says_what_becomes_of_a_risk() {
        let risks = [Risk::Macros, Risk::Executable];
        match judged(&risks, Policy::Reject, None) {
            Verdict::Refused { ground, objections } => {
                assert_eq!(ground, Ground::Executable);
                assert_eq!(codes(&objections), ["macros", "executable"]);
            }
            other => panic!("{other:?}"),
        }
        for policy in [Policy::Quarantine, Policy::Accept] {
            match judged(&risks, policy, None) {
                Verdict::Admitted { admission, .. } => {
                    let (there, elsewhere) = match policy {
                        Policy::Quarantine => (admission.quarantine, admission.accepted),
                        _ => (admission.accepted, admission.quarantine),
                    };
                    assert_eq!(codes(&there), ["macros", "executable"]);
                    assert!(elsewhere.is_empty());
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn bombs_are_refused_whatever_the_policy() {
        for risk in [Risk::ArchiveBomb, Risk::PixelBomb] {
            let verdict = judged(&[risk], Policy::Accept, None);
            assert!(matches!(verdict, Verdict::Refused { .. }), "{risk:?}");
        }
    }

    #[test]
    fn what_the_scanner_says_counts_as_well() {
        let found = Scan::Found {
            signature: "Eicar-Test".into(),
        };
        match judged(&[], Policy::Reject, Some(&found)) {
            Verdict::Refused { ground, objections } => {
                assert_eq!(ground, Ground::Malware);
                assert_eq!(objections[0].detail, "known as Eicar-Test");
            }
            other => panic!("{other:?}"),
        }
        match judged(&[], Policy::Quarantine, Some(&Scan::NotWhole)) {
            Verdict::Admitted { admission, .. } => {
                assert_eq!(codes(&admission.quarantine), ["unscanned"]);
            }
            other => panic!("{other:?}"),
        }
        let clean = judged(&[], Policy::Reject, Some(&Scan::Clean));
        assert!(matches!(clean, Verdict::Admitted { .. }));
    }
}
