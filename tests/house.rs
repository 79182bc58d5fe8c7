//! The rules of the house, checked: who may import whom, that every module says what it owns, and
//! that the documents name files that exist.

#![cfg(test)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// For each module of `src`, the modules of the crate that it must not import. A request travels
/// one way, and what touches the world comes in through ports.
const MUST_NOT_IMPORT: &[(&str, &[&str])] = &[
    (
        "ports",
        &[
            "adapters",
            "commands",
            "config",
            "engines",
            "event_store",
            "relay",
        ],
    ),
    (
        "config",
        &[
            "adapters",
            "commands",
            "engines",
            "event_store",
            "ports",
            "relay",
        ],
    ),
    (
        "engines",
        &[
            "adapters",
            "commands",
            "config",
            "event_store",
            "ports",
            "relay",
        ],
    ),
    ("adapters", &["commands", "engines", "event_store", "relay"]),
    ("event_store", &["adapters", "commands", "engines", "relay"]),
    ("commands", &["adapters", "engines", "relay"]),
    ("identity", &["adapters", "commands", "engines", "relay"]),
    (
        "limits",
        &[
            "adapters",
            "commands",
            "engines",
            "event_store",
            "http",
            "identity",
            "relay",
        ],
    ),
    ("relay", &["adapters", "commands", "engines"]),
    ("notary", &["adapters", "commands", "engines", "relay"]),
    (
        "proof",
        &[
            "adapters",
            "commands",
            "config",
            "engines",
            "event_store",
            "notary",
            "ports",
            "relay",
        ],
    ),
    (
        "metrics",
        &["adapters", "commands", "engines", "event_store", "relay"],
    ),
    (
        "traces",
        &["adapters", "commands", "engines", "event_store", "relay"],
    ),
    ("health", &["adapters", "commands", "engines", "relay"]),
    (
        "tls",
        &[
            "adapters",
            "commands",
            "engines",
            "event_store",
            "http",
            "relay",
        ],
    ),
    ("http", &["adapters", "engines", "relay"]),
    ("work", &["adapters", "engines", "relay"]),
];

/// For each of these modules, the only ones that may import it.
const IMPORTED_ONLY_BY: &[(&str, &[&str])] = &[
    ("http", &["app"]),
    ("work", &["app"]),
    ("app", &["cli", "main"]),
    ("cli", &["main"]),
];

/// For each crate, what its dependencies must not be named after.
const CRATE_MUST_NOT_NEED: &[(&str, &[&str])] = &[
    (
        "domain",
        &[
            "sqlx", "axum", "nats", "aws", "tokio", "hyper", "reqwest", "kmrl",
        ],
    ),
    (
        "extraction",
        &["sqlx", "axum", "nats", "aws", "hyper", "reqwest", "kmrl"],
    ),
    (
        "projections",
        &["axum", "nats", "aws", "hyper", "reqwest", "kmrl-extraction"],
    ),
];

const DOCUMENTS: &[&str] = &["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"];
/// Written when the program is built or run, so not in the repository.
const MADE_LATER: &[&str] = &["data/", "target/", ".engines/", "secrets/"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every file below `folder` but what is hidden or built.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_file() {
            found.push(path);
        } else if !name.starts_with('.') && name != "target" && name != "data" {
            found.extend(files(&path));
        }
    }
    found
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let is_rust = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "rs");
    files(folder).into_iter().filter(is_rust).collect()
}

/// The module right below `src` that a file belongs to.
fn module_of(file: &Path) -> String {
    let below = file.strip_prefix(root().join("src")).unwrap();
    let first = below
        .components()
        .next()
        .unwrap()
        .as_os_str()
        .to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// The code of a file without comments and without its tests, which come last.
fn code(text: &str) -> String {
    let before_tests = text.split("#[cfg(test)]\nmod ").next().unwrap();
    let no_comment = |line: &&str| !line.trim_start().starts_with("//");
    before_tests
        .lines()
        .filter(no_comment)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Modules right below the crate's root that the code names after one of `prefixes`, alone
/// (`crate::ports::Clock`) or in a group (`crate::{config, ports::Clock}`).
fn imports(code: &str, prefixes: &[&str]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for prefix in prefixes {
        for (at, _) in code.match_indices(prefix) {
            let whole_word =
                !code[..at].ends_with(|c: char| c.is_alphanumeric() || "_:$".contains(c));
            let rest = &code[at + prefix.len()..];
            match rest.strip_prefix('{') {
                _ if !whole_word => {}
                Some(group) => found.extend(group_heads(group)),
                None => found.extend(head(rest)),
            }
        }
    }
    found
}

fn head(path: &str) -> Option<String> {
    let end = path
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(path.len());
    Some(path[..end].to_owned()).filter(|name| !name.is_empty())
}

/// First names of the entries of an import group, given what follows its opening brace.
fn group_heads(group: &str) -> Vec<String> {
    let mut depth = 0;
    let mut entries = vec![String::new()];
    for c in group.chars() {
        match c {
            '}' if depth == 0 => break,
            ',' if depth == 0 => entries.push(String::new()),
            _ => {
                depth += i32::from(c == '{') - i32::from(c == '}');
                entries.last_mut().unwrap().push(c);
            }
        }
    }
    entries
        .iter()
        .filter_map(|entry| head(entry.trim()))
        .collect()
}

fn imports_of(file: &Path) -> BTreeSet<String> {
    let below = file.strip_prefix(root().join("src")).unwrap();
    let text = code(&read(file));
    let depth = below.components().count();
    let is_top = depth == 1 || (depth == 2 && below.ends_with("mod.rs"));
    // From the top of a module, `super` is the crate.
    let prefixes: &[&str] = match is_top {
        true => &["crate::", "kmrl_gateway::", "super::"],
        false => &["crate::", "kmrl_gateway::"],
    };
    imports(&text, prefixes)
}

#[test]
fn modules_import_only_what_they_may() {
    let mut broken = Vec::new();
    for file in rust_files(&root().join("src")) {
        let module = module_of(&file);
        for import in imports_of(&file)
            .into_iter()
            .filter(|import| *import != module)
        {
            let forbidden = MUST_NOT_IMPORT
                .iter()
                .any(|(of, names)| *of == module && names.contains(&import.as_str()));
            let reserved = IMPORTED_ONLY_BY
                .iter()
                .any(|(name, by)| *name == import && !by.contains(&module.as_str()));
            if forbidden || reserved {
                broken.push(format!("{} imports {import}", file.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn imports_are_found_however_they_are_written() {
    let text = "use crate::ports::Clock;\nuse crate::{app, work::{self, runner}, http};\n\
                fn f() { crate::config::get(); $crate::no::x(); other_crate::no::x(); }\n\
                // crate::no::comment\n#[cfg(test)]\nmod tests { use crate::no; }";
    let found: Vec<String> = imports(&code(text), &["crate::"]).into_iter().collect();
    assert_eq!(found, ["app", "config", "http", "ports", "work"]);
}

#[test]
fn crates_need_only_what_they_may() {
    for (folder, forbidden) in CRATE_MUST_NOT_NEED {
        let manifest: toml::Table = read(&root().join(folder).join("Cargo.toml"))
            .parse()
            .unwrap();
        let needed = manifest.get("dependencies").and_then(toml::Value::as_table);
        for name in needed.into_iter().flat_map(toml::Table::keys) {
            let broken = forbidden.iter().find(|word| name.contains(*word));
            assert!(broken.is_none(), "{folder} must not need {name}");
        }
    }
}

/// Whoever checks a credential compares secrets by `identity::alike` alone, which looks at every byte of them.
#[test]
fn secrets_are_compared_in_one_place_in_constant_time() {
    let mut callers = Vec::new();
    let files = rust_files(&root().join("src/identity"));
    assert!(files.len() > 5, "{files:?}");
    for file in files {
        for line in code(&read(&file)).lines() {
            let compares = line.contains("==") || line.contains("!=") || line.contains(".cmp(");
            let word = ["reveal()", "digest", "secret", "credential"]
                .into_iter()
                .find(|word| compares && line.contains(word));
            assert_eq!(word, None, "{}: {line}", file.display());
            if line.contains("alike(") && !line.contains("fn alike(") {
                callers.push(line.trim().to_owned());
            }
        }
    }
    callers.sort();
    assert_eq!(
        callers,
        [
            "alike(&Sha256::digest(given), &Sha256::digest(key))",
            "super::alike(self.digest(secret).as_bytes(), digest.as_bytes())",
        ]
    );
}

#[test]
fn every_module_says_what_it_owns() {
    let silent: Vec<PathBuf> = [
        "src",
        "domain",
        "extraction",
        "projections",
        "tests",
        "benches",
    ]
    .into_iter()
    .map(|folder| root().join(folder))
    .filter(|folder| folder.is_dir())
    .flat_map(|folder| rust_files(&folder))
    .filter(|file| !read(file).starts_with("//!"))
    .collect();
    assert!(
        silent.is_empty(),
        "these do not open with `//!`: {silent:#?}"
    );
}

/// The file or folder that a word between backticks names, if it names one of the repository.
fn named_path(word: &str) -> Option<&str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    let word = word.trim_start_matches("./");
    let starts_plainly = word.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '.');
    let source = [".rs", ".sql", ".md", ".toml", ".yml", ".conf"];
    let is_file = source
        .iter()
        .any(|ending| word.ends_with(ending) && word != *ending);
    let first = word.split('/').next()?;
    let is_below = word.contains('/') && root().join(first).exists();
    let is_made = MADE_LATER.iter().any(|made| word.starts_with(made));
    let names = word.chars().all(plain) && starts_plainly && !is_made;
    (names && (is_file || is_below || word.ends_with('/'))).then_some(word)
}

#[test]
fn documents_name_files_that_exist() {
    let all = files(root());
    let exists = |path: &str| {
        let bare = !path.contains('/') && all.iter().any(|file| file.ends_with(path));
        bare || root().join(path).exists() || root().join("src").join(path).exists()
    };
    let mut missing = Vec::new();
    for document in DOCUMENTS {
        let text = read(&root().join(document));
        for line in text.lines() {
            // Between two backticks is every second piece.
            let quoted = line.split('`').skip(1).step_by(2);
            for path in quoted.filter_map(named_path).filter(|path| !exists(path)) {
                missing.push(format!("{document}: {path}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn paths_are_told_from_other_words() {
    assert_eq!(named_path("src/main.rs"), Some("src/main.rs"));
    assert_eq!(named_path("./nats.conf"), Some("nats.conf"));
    assert_eq!(named_path("relay.rs"), Some("relay.rs"));
    assert_eq!(named_path("web/"), Some("web/"));
    assert_eq!(named_path("src/engines"), Some("src/engines"));
    for word in [
        "/api/v1/documents/",
        "data/",
        "make run",
        "application/json",
        "kmrl",
        "**/*.rs",
    ] {
        assert_eq!(named_path(word), None, "{word}");
    }
}
