//! Finds each setting's value by strength (flag, environment, file, default) and gathers all errors.

use super::secret_file::SecretFiles;
use super::table::{SETTINGS, Setting};
use std::collections::HashMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Settings that cannot be used, all of them.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("reading the settings file {path}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is no TOML. The parser's own error would show the line, which may hold a secret.
    #[error("the settings file {path} is no TOML: line {line}: {what}")]
    Parse {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// Values that make no sense.
    #[error("settings that cannot be used:\n{}", .0.join("\n"))]
    Values(Vec<String>),
}

/// Where a value was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// On the command line.
    Flag,
    /// In the environment.
    Environment,
    /// In a file of its own, which the environment names.
    SecretFile,
    /// In the TOML file.
    File,
    /// Nowhere: the default.
    Default,
}

fn no_toml(path: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let start = error.span().map_or(0, |span| span.start);
    let before = text.bytes().take(start);
    ConfigError::Parse {
        path: path.into(),
        line: before.filter(|byte| *byte == b'\n').count() + 1,
        what: error.message().to_owned(),
    }
}

/// A table of a list of tables, as the environment has it: `name=value,name=value`.
fn in_one_line(item: &toml::Value) -> String {
    let Some(table) = item.as_table() else {
        return item.to_string();
    };
    let text = |v: &toml::Value| v.as_str().map_or_else(|| v.to_string(), Into::into);
    let pairs: Vec<_> = table
        .iter()
        .map(|(name, value)| format!("{name}={}", text(value)))
        .collect();
    pairs.join(",")
}

/// The texts of all settings, to compare with those of another reading. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Values(Vec<Option<String>>);

impl Values {
    /// Settings that differ and do not take effect without a new start.
    #[must_use]
    pub fn need_restart(&self, new: &Self) -> Vec<&'static str> {
        let both = self.0.iter().zip(&new.0).zip(SETTINGS);
        both.filter(|((old, new), setting)| old != new && !setting.reloadable)
            .map(|(_, setting)| setting.key)
            .collect()
    }
}

/// Reads values, remembering what was wrong.
pub struct Reader {
    flags: HashMap<String, String>,
    environment: HashMap<String, String>,
    secret_files: SecretFiles,
    file: HashMap<String, String>,
    errors: Vec<String>,
}

impl Reader {
    /// A reader over flags (by key), environment and the optional file.
    ///
    /// # Errors
    /// When the file cannot be read or is no TOML.
    pub fn new(
        flags: HashMap<String, String>,
        environment: HashMap<String, String>,
        file: Option<&Path>,
    ) -> Result<Self, ConfigError> {
        let mut secret_files = SecretFiles::read(&environment);
        let errors = std::mem::take(&mut secret_files.errors);
        let mut reader = Self {
            flags,
            environment,
            secret_files,
            file: HashMap::new(),
            errors,
        };
        if let Some(path) = file {
            reader.read_file(path)?;
        }
        reader.unknown_environment();
        Ok(reader)
    }

    fn read_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.into(),
            source,
        })?;
        let table = text
            .parse::<toml::Table>()
            .map_err(|error| no_toml(path, &text, &error))?;
        self.flatten("", &table);
        Ok(())
    }

    fn flatten(&mut self, prefix: &str, table: &toml::Table) {
        for (name, value) in table {
            let key = format!("{prefix}{name}");
            match value {
                toml::Value::Table(inner) => self.flatten(&format!("{key}."), inner),
                _ if !SETTINGS.iter().any(|s| s.key == key) => {
                    self.errors.push(format!("  {key} (file): no such setting"));
                }
                toml::Value::String(s) => {
                    self.file.insert(key, s.clone());
                }
                toml::Value::Array(items) if items.iter().any(toml::Value::is_table) => {
                    let rules: Vec<_> = items.iter().map(in_one_line).collect();
                    self.file.insert(key, rules.join(";"));
                }
                toml::Value::Array(items) => {
                    let words: Vec<_> = items
                        .iter()
                        .map(|i| i.as_str().map_or_else(|| i.to_string(), Into::into))
                        .collect();
                    self.file.insert(key, words.join(","));
                }
                other => {
                    self.file.insert(key, other.to_string());
                }
            }
        }
    }

    /// A misspelt `KMRL_…` would silently do nothing: say so.
    fn unknown_environment(&mut self) {
        let mut unknown: Vec<_> = self
            .environment
            .keys()
            .filter(|name| name.starts_with("KMRL_") && *name != "KMRL_CONFIG")
            .filter(|name| !name.starts_with("KMRL_TEST_"))
            .filter(|name| {
                let names = |s: &Setting| s.env == **name || s.file_env().as_ref() == Some(*name);
                !SETTINGS.iter().any(names)
            })
            .map(|name| format!("  {name} (environment): no such setting"))
            .collect();
        unknown.sort();
        self.errors.append(&mut unknown);
    }

    /// The text of a setting and where it was found.
    #[must_use]
    pub fn raw(&self, setting: &Setting) -> (Option<String>, Origin) {
        let given = |map: &HashMap<String, String>, name: &str| {
            map.get(name).filter(|v| !v.is_empty()).cloned()
        };
        if let Some(v) = given(&self.flags, setting.key) {
            return (Some(v), Origin::Flag);
        }
        if let Some(v) = given(&self.environment, setting.env) {
            return (Some(v), Origin::Environment);
        }
        if let Some(v) = self.secret_files.get(setting) {
            return (Some(v.clone()), Origin::SecretFile);
        }
        if let Some(v) = given(&self.file, setting.key) {
            return (Some(v), Origin::File);
        }
        let default = (!setting.default.is_empty()).then(|| setting.default.to_owned());
        (default, Origin::Default)
    }

    /// What can be used and should be otherwise.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.secret_files.warnings
    }

    /// The texts of all settings.
    #[must_use]
    pub fn values(&self) -> Values {
        Values(SETTINGS.iter().map(|setting| self.raw(setting).0).collect())
    }

    /// A setting that may be absent.
    pub fn optional<T: FromStr<Err: Display>>(&mut self, key: &str) -> Option<T> {
        let Some(setting) = SETTINGS.iter().find(|s| s.key == key) else {
            self.error(key, "no such setting");
            return None;
        };
        let text = self.raw(setting).0?;
        match text.parse() {
            Ok(value) => Some(value),
            Err(e) => {
                let shown = if setting.secret { "(hidden)" } else { &text };
                self.error(key, &format!("`{shown}` cannot be used: {e}"));
                None
            }
        }
    }

    /// A setting with a default; `fallback` stands in while errors are gathered.
    pub fn required<T: FromStr<Err: Display>>(&mut self, key: &str, fallback: T) -> T {
        self.optional(key).unwrap_or(fallback)
    }

    /// A number within limits.
    pub fn number(&mut self, key: &str, least: u64, most: u64) -> u64 {
        let value = self.required(key, least);
        if !(least..=most).contains(&value) {
            self.error(key, &format!("{value} is not from {least} to {most}"));
            return least;
        }
        value
    }

    /// Remembers that a setting cannot be used.
    pub fn error(&mut self, key: &str, what: &str) {
        let name = SETTINGS
            .iter()
            .find(|s| s.key == key)
            .map_or(key, |s| s.env);
        self.errors.push(format!("  {key} ({name}): {what}"));
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// All that was remembered.
    pub fn finish<T>(self, value: T) -> Result<T, ConfigError> {
        if self.errors.is_empty() {
            Ok(value)
        } else {
            Err(ConfigError::Values(self.errors))
        }
    }
}
