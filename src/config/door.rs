//! What the door lets in: types, sizes, and what is done about each risk.

use super::reader::Reader;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// What is done about a file that carries a risk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// It is let in; an event says what was found.
    Accept,
    /// It is let in and kept, and waits for two persons.
    Quarantine,
    /// It is refused.
    Reject,
}

impl FromStr for Policy {
    type Err = &'static str;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "accept" => Ok(Self::Accept),
            "quarantine" => Ok(Self::Quarantine),
            "reject" => Ok(Self::Reject),
            _ => Err("must be accept, quarantine or reject"),
        }
    }
}

/// A policy for each risk that has one.
#[derive(Clone, Debug)]
pub struct Policies {
    /// Name, declared type and content disagree.
    pub mismatches: Policy,
    /// Several types at once.
    pub polyglots: Policy,
    /// Programs, by themselves or in other files.
    pub executables: Policy,
    /// Macros of office programs.
    pub macros: Policy,
    /// Scripts in PDFs.
    pub javascript: Policy,
    /// Actions of PDFs that start something.
    pub launch_actions: Policy,
    /// What cannot be looked into.
    pub opaque: Policy,
    /// Files that the inspector could not cope with.
    pub uninspectable: Policy,
    /// Files that the scanner knows.
    pub malware: Policy,
    /// Files beyond the scanner's limits.
    pub unscanned: Policy,
}

/// What the door lets in.
#[derive(Clone, Debug)]
pub struct DoorSettings {
    /// Extensions that are taken in, in lower case.
    pub types: Vec<String>,
    /// Most bytes of a file, by extension, where that is less than of any file.
    pub max_bytes: BTreeMap<String, u64>,
    /// What is done about what is found.
    pub policies: Policies,
    /// How deep containers may lie in one another.
    pub max_depth: u32,
    /// Entries of all containers of a file.
    pub max_entries: u64,
    /// Bytes that a file unpacks to.
    pub max_unpacked_bytes: u64,
    /// How many times larger that is than the file.
    pub max_ratio: u64,
    /// Pixels of a picture.
    pub max_pixels: u64,
    /// An inspection is killed after this.
    pub within: Duration,
    /// The virus scanner; absent: files are not scanned.
    pub clamd: Option<ClamdSettings>,
}

/// A clamd.
#[derive(Clone, Debug)]
pub struct ClamdSettings {
    /// Where it listens.
    pub address: ClamdPlace,
    /// A file is answered within this.
    pub within: Duration,
    /// Larger files are not scanned whole.
    pub max_bytes: u64,
}

/// Where a clamd listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClamdPlace {
    /// Host and port.
    Tcp(String),
    /// A socket in the file system.
    Unix(PathBuf),
}

pub(super) fn door(r: &mut Reader) -> DoorSettings {
    let policies = Policies {
        mismatches: policy(r, "door.mismatches"),
        polyglots: policy(r, "door.polyglots"),
        executables: policy(r, "door.executables"),
        macros: policy(r, "door.macros"),
        javascript: policy(r, "door.javascript"),
        launch_actions: policy(r, "door.launch_actions"),
        opaque: policy(r, "door.opaque"),
        uninspectable: policy(r, "door.uninspectable"),
        malware: policy(r, "door.malware"),
        unscanned: policy(r, "door.unscanned"),
    };
    DoorSettings {
        types: types(r),
        max_bytes: max_bytes(r),
        policies,
        max_depth: u32::try_from(r.number("door.max_depth", 1, 32)).unwrap_or(32),
        max_entries: r.number("door.max_entries", 1, 10_000_000),
        max_unpacked_bytes: r.number("door.max_unpacked_bytes", 1 << 20, 1 << 40),
        max_ratio: r.number("door.max_ratio", 2, 1_000_000),
        max_pixels: r.number("door.max_pixels", 1, 1 << 40),
        within: Duration::from_secs(r.number("door.within", 1, 3_600)),
        clamd: clamd(r),
    }
}

fn policy(r: &mut Reader, key: &str) -> Policy {
    let word: String = r.required(key, String::new());
    word.parse().unwrap_or_else(|what| {
        r.error(key, what);
        Policy::Reject
    })
}

fn is_extension(word: &str) -> bool {
    !word.is_empty()
        && word.len() <= 10
        && word
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
}

fn types(r: &mut Reader) -> Vec<String> {
    let text: String = r.required("door.types", String::new());
    let types: Vec<String> = text.split(',').map(|t| t.trim().to_owned()).collect();
    if !types.iter().all(|t| is_extension(t)) {
        r.error(
            "door.types",
            "must be extensions of a-z and 0-9, at most 10 long, separated by commas",
        );
    }
    types
}

fn max_bytes(r: &mut Reader) -> BTreeMap<String, u64> {
    let text: String = r.optional("door.max_bytes").unwrap_or_default();
    let mut sizes = BTreeMap::new();
    for rule in text.split(',').map(str::trim).filter(|t| !t.is_empty()) {
        let size = rule
            .split_once('=')
            .and_then(|(t, size)| Some((t.trim(), size.trim().parse().ok()?)));
        match size {
            Some((extension, size)) if is_extension(extension) => {
                sizes.insert(extension.to_owned(), size);
            }
            _ => r.error(
                "door.max_bytes",
                "must be such as `txt=1000000,zip=50000000`",
            ),
        }
    }
    sizes
}

fn clamd(r: &mut Reader) -> Option<ClamdSettings> {
    let address: Option<String> = r.optional("clamd.address");
    let within = Duration::from_secs(r.number("clamd.within", 1, 3_600));
    let max_bytes = r.number("clamd.max_bytes", 1, 1 << 40);
    let address = match address?.split_once(':') {
        Some(("unix", path)) if path.starts_with('/') => ClamdPlace::Unix(path.into()),
        Some(("tcp", place)) if place.contains(':') => ClamdPlace::Tcp(place.to_owned()),
        _ => {
            r.error(
                "clamd.address",
                "must be such as `tcp:127.0.0.1:3310` or `unix:/run/clamav/clamd.ctl`",
            );
            return None;
        }
    };
    Some(ClamdSettings {
        address,
        within,
        max_bytes,
    })
}
