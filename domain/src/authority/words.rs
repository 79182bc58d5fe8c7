//! Roles and permissions as words, and which role has which permission.

use crate::values::UnknownWord;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A program that sends documents: writes its own sources, reads what it wrote.
    Connector,
    /// Reads documents.
    Reader,
    /// Works on documents: uploads, reads, commands.
    Officer,
    /// Reads documents, the audit trail and the proofs of the log; changes nothing.
    Auditor,
    /// Everything.
    Administrator,
}

/// What can be allowed; also the scopes that a key can be narrowed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Permission {
    /// Send documents.
    #[serde(rename = "documents:upload")]
    Upload,
    /// Read, search and follow documents.
    #[serde(rename = "documents:read")]
    Read,
    /// Commands on documents.
    #[serde(rename = "documents:change")]
    Change,
    /// Read the audit trail and the log behind it.
    #[serde(rename = "audit:read")]
    Audit,
    /// Read how the gateway is: metrics, detailed health, what was given up.
    #[serde(rename = "operations:read")]
    Watch,
    /// Take up again what was given up, lift blocks.
    #[serde(rename = "operations:change")]
    Operate,
    /// Issue, rotate, revoke and list keys.
    #[serde(rename = "keys:manage")]
    ManageKeys,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Connector,
        Self::Reader,
        Self::Officer,
        Self::Auditor,
        Self::Administrator,
    ];

    /// The word used in APIs, claims and events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connector => "connector",
            Self::Reader => "reader",
            Self::Officer => "officer",
            Self::Auditor => "auditor",
            Self::Administrator => "administrator",
        }
    }

    /// A permission comes with it.
    pub(super) const fn has(self, permission: Permission) -> bool {
        use Permission::{Audit, Change, Read, Upload};
        match self {
            Self::Connector => matches!(permission, Upload | Read),
            Self::Reader => matches!(permission, Read),
            Self::Officer => matches!(permission, Upload | Read | Change),
            Self::Auditor => matches!(permission, Read | Audit),
            Self::Administrator => true,
        }
    }

    /// Whoever has it sees what others uploaded.
    pub(super) const fn sees_others(self) -> bool {
        !matches!(self, Self::Connector)
    }
}

impl Permission {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Upload,
        Self::Read,
        Self::Change,
        Self::Audit,
        Self::Watch,
        Self::Operate,
        Self::ManageKeys,
    ];

    /// The word used in APIs and events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Upload => "documents:upload",
            Self::Read => "documents:read",
            Self::Change => "documents:change",
            Self::Audit => "audit:read",
            Self::Watch => "operations:read",
            Self::Operate => "operations:change",
            Self::ManageKeys => "keys:manage",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = UnknownWord;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let words = "connector, reader, officer, auditor, administrator";
        let found = Self::ALL.into_iter().find(|role| role.as_str() == s);
        found.ok_or_else(|| UnknownWord::new(s, words))
    }
}

impl FromStr for Permission {
    type Err = UnknownWord;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let words = "documents:upload, documents:read, documents:change, audit:read, \
                     operations:read, operations:change, keys:manage";
        let found = Self::ALL.into_iter().find(|one| one.as_str() == s);
        found.ok_or_else(|| UnknownWord::new(s, words))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_are_written() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse::<Role>().unwrap(), role);
            let json = serde_json::to_string(&role).unwrap();
            assert_eq!(json, format!("\"{role}\""));
        }
        for permission in Permission::ALL {
            assert_eq!(
                permission.as_str().parse::<Permission>().unwrap(),
                permission
            );
            let json = serde_json::to_string(&permission).unwrap();
            assert_eq!(json, format!("\"{permission}\""));
        }
        assert!("root".parse::<Role>().is_err() && "*".parse::<Permission>().is_err());
    }
}
