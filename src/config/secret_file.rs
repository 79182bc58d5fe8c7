//! Secrets kept in files that the environment names: `NAME_FILE` beside `NAME`.
//!
//! Owns what such a file may be. Must not show what is in it: errors name the setting and the file alone.

use super::table::{SETTINGS, Setting};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Largest file, in bytes: longer than any secret, short enough to be read at once.
const MAX_BYTES: u64 = 64 * 1024;
/// Mode bit of files that every user of the machine can read.
const READ_BY_ALL: u32 = 0o004;

/// Where container runtimes put secrets: whoever is in such a container is the one user they are for.
const OF_CONTAINERS: [&str; 2] = ["/run/secrets", "/var/run/secrets"];

/// What the files of the environment hold.
#[derive(Default)]
pub(super) struct SecretFiles {
    texts: HashMap<&'static str, String>,
    /// What cannot be used.
    pub(super) errors: Vec<String>,
    /// What should be otherwise.
    pub(super) warnings: Vec<String>,
}

/// Why a file is not used.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("cannot be read: {0}")]
    Read(#[from] io::Error),
    #[error("is no ordinary file")]
    NoFile,
    #[error("is larger than {} KiB", MAX_BYTES / 1024)]
    TooLarge,
    #[error("is empty")]
    Empty,
    #[error("is no UTF-8 text")]
    NoText,
}

impl SecretFiles {
    /// Reads all files that the environment names.
    pub(super) fn read(environment: &HashMap<String, String>) -> Self {
        let mut files = Self::default();
        for setting in SETTINGS {
            let named = setting.file_env();
            let path = named.as_ref().and_then(|name| environment.get(name));
            if let (Some(named), Some(path)) = (&named, path.filter(|path| !path.is_empty())) {
                let both = environment.get(setting.env).is_some_and(|v| !v.is_empty());
                files.add(setting, named, Path::new(path), both);
            }
        }
        files
    }

    /// The secret of a setting, when its file can be used.
    pub(super) fn get(&self, setting: &Setting) -> Option<&String> {
        self.texts.get(setting.env)
    }

    fn add(&mut self, setting: &Setting, named: &str, path: &Path, both: bool) {
        let (key, env, shown) = (setting.key, setting.env, path.display());
        if both {
            let error = format!("  {key}: {env} and {named} are both given; only one may be");
            self.errors.push(error);
            return;
        }
        match read(path) {
            Ok((text, mode)) => {
                if is_open(path, mode) {
                    self.warnings.push(format!(
                        "{key}: every user of this machine can read the file {shown} of {named} (mode {:04o})",
                        mode & 0o7777
                    ));
                }
                self.texts.insert(setting.env, text);
            }
            Err(why) => self
                .errors
                .push(format!("  {key} ({named}): the file {shown} {why}")),
        }
    }
}

fn is_open(path: &Path, mode: u32) -> bool {
    let of_container = OF_CONTAINERS.iter().any(|folder| path.starts_with(folder));
    mode & READ_BY_ALL != 0 && !of_container
}

/// The text without the newline that editors put at its end, and the mode.
fn read(path: &Path) -> Result<(String, u32), Unusable> {
    // A pipe would be waited for, and be empty when the settings are read again.
    if !std::fs::metadata(path)?.is_file() {
        return Err(Unusable::NoFile);
    }
    let file = File::open(path)?;
    let mode = file.metadata()?.permissions().mode();
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Unusable::TooLarge);
    }
    // The error would carry the bytes.
    let mut text = String::from_utf8(bytes).map_err(|_| Unusable::NoText)?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    if text.is_empty() {
        return Err(Unusable::Empty);
    }
    Ok((text, mode))
}

#[cfg(test)]
mod tests {
    use super::super::{Reader, Settings};
    use super::*;
    use std::os::unix::fs::OpenOptionsExt as _;

    const SECRET: &str = "a-secret-of-more-than-32-bytes-here";

    struct Scene(tempfile::TempDir);

    impl Scene {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn file(&self, name: &str, bytes: &[u8], mode: u32) -> String {
            let path = self.0.path().join(name);
            let mut options = File::options();
            let mut file = options
                .write(true)
                .create_new(true)
                .mode(mode)
                .open(&path)
                .unwrap();
            io::Write::write_all(&mut file, bytes).unwrap();
            path.display().to_string()
        }
    }

    fn reader(environment: &[(&str, &str)]) -> Reader {
        let own = |(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned());
        let environment = environment.iter().map(own).collect();
        Reader::new(HashMap::new(), environment, None).unwrap()
    }

    #[test]
    fn every_secret_can_be_in_a_file_and_nothing_else() {
        let scene = Scene::new();
        for (n, setting) in SETTINGS.iter().enumerate() {
            let path = scene.file(&n.to_string(), SECRET.as_bytes(), 0o600);
            let named = format!("{}_FILE", setting.env);
            let (text, _) = reader(&[(&named, &path)]).raw(setting);
            let expected = setting.secret.then_some(SECRET);
            let default = Some(setting.default).filter(|d| !d.is_empty());
            assert_eq!(text.as_deref(), expected.or(default), "{named}");
        }
    }

    #[test]
    fn one_newline_at_the_end_is_no_part_of_the_secret() {
        let scene = Scene::new();
        for (n, (bytes, secret)) in [
            (&b"0123456789abcdef\n"[..], "0123456789abcdef"),
            (b"0123456789abcdef\r\n", "0123456789abcdef"),
            (b"0123456789abcdef\n\n", "0123456789abcdef\n"),
            (b" 0123456789abcdef ", " 0123456789abcdef "),
        ]
        .into_iter()
        .enumerate()
        {
            let path = scene.file(&n.to_string(), bytes, 0o600);
            let settings = Settings::read(reader(&[("KMRL_API_KEY_FILE", &path)])).unwrap();
            assert_eq!(settings.api_key.unwrap().reveal(), secret);
        }
    }

    #[test]
    fn what_cannot_be_used_is_told_with_setting_and_file_and_without_content() {
        let scene = Scene::new();
        let large = [SECRET.as_bytes(); 2_000].concat();
        let folder = scene.0.path().display().to_string();
        let missing = format!("{folder}/missing");
        for (path, why) in [
            (scene.file("empty", b"", 0o600), "is empty"),
            (scene.file("newline", b"\n", 0o600), "is empty"),
            (scene.file("large", &large, 0o600), "is larger than 64 KiB"),
            (scene.file("bytes", b"\xff\xfe", 0o600), "is no UTF-8 text"),
            (missing, "cannot be read: No such file"),
            (folder, "is no ordinary file"),
        ] {
            let reader = reader(&[("KMRL_API_KEY_FILE", &path)]);
            let error = Settings::read(reader).unwrap_err().to_string();
            let told = format!("api_key (KMRL_API_KEY_FILE): the file {path} {why}");
            assert!(error.contains(&told), "{error}");
            assert!(!error.contains(SECRET));
        }
    }

    #[test]
    fn both_forms_at_once_are_an_error_that_names_both() {
        let scene = Scene::new();
        let path = scene.file("key", SECRET.as_bytes(), 0o600);
        let both = reader(&[("KMRL_API_KEY", SECRET), ("KMRL_API_KEY_FILE", &path)]);
        let error = Settings::read(both).unwrap_err().to_string();
        assert!(error.contains("KMRL_API_KEY and KMRL_API_KEY_FILE are both given"));
        assert!(!error.contains(SECRET));
        // An empty one is none, as compose hands on what is not set.
        let one = reader(&[("KMRL_API_KEY", ""), ("KMRL_API_KEY_FILE", &path)]);
        assert!(Settings::read(one).is_ok());
    }

    #[test]
    fn a_file_that_everybody_reads_is_warned_of() {
        let scene = Scene::new();
        let open = scene.file("open", SECRET.as_bytes(), 0o644);
        let closed = scene.file("closed", SECRET.as_bytes(), 0o640);
        let of = |path: &str| reader(&[("KMRL_API_KEY_FILE", path)]).warnings().to_vec();
        assert_eq!(of(&closed), [""; 0]);
        let [warning] = &of(&open)[..] else {
            panic!("no warning")
        };
        assert!(warning.contains("KMRL_API_KEY_FILE") && warning.contains("0644"));
        assert!(!warning.contains(SECRET));
        // All that Docker hands out is readable within its container.
        assert!(!is_open(Path::new("/run/secrets/api_key"), 0o444));
        assert!(is_open(Path::new("/run/secrets-of-all/api_key"), 0o444));
    }
}
