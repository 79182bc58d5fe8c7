//! One command-line flag for each setting, made from the table.

use super::reader::{ConfigError, Reader};
use super::table::SETTINGS;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use std::collections::HashMap;
use std::path::PathBuf;

/// Settings given on the command line.
#[derive(Clone, Debug, Default)]
pub struct SettingFlags {
    given: HashMap<String, String>,
    file: Option<PathBuf>,
}

impl SettingFlags {
    /// A reader over these flags, the process's environment and the settings file.
    ///
    /// # Errors
    /// When the settings file cannot be read.
    pub fn reader(&self) -> Result<Reader, ConfigError> {
        let environment: HashMap<String, String> = std::env::vars_os()
            .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
            .collect();
        let file = self
            .file
            .clone()
            .or_else(|| environment.get("KMRL_CONFIG").map(PathBuf::from));
        Reader::new(self.given.clone(), environment, file.as_deref())
    }
}

impl FromArgMatches for SettingFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for setting in SETTINGS.iter().filter(|s| !s.secret) {
            if let Some(value) = matches.get_one::<String>(setting.key) {
                self.given.insert(setting.key.into(), value.clone());
            }
        }
        self.file = matches.get_one::<PathBuf>("config_file").cloned();
        Ok(())
    }
}

impl Args for SettingFlags {
    fn augment_args(command: Command) -> Command {
        let file = Arg::new("config_file")
            .long("config")
            .global(true)
            .value_name("FILE")
            .value_parser(clap::value_parser!(PathBuf))
            .help("TOML file with settings [env: KMRL_CONFIG]");
        SETTINGS
            .iter()
            // A secret on the command line would be seen by every user of the machine.
            .filter(|s| !s.secret)
            .fold(command.arg(file), |command, s| {
                let default = if s.default.is_empty() {
                    String::new()
                } else {
                    format!(" [default: {}]", s.default)
                };
                command.arg(
                    Arg::new(s.key)
                        .long(s.flag())
                        .global(true)
                        .hide_short_help(true)
                        .value_name("VALUE")
                        .help_heading("Settings")
                        .help(format!("{} [env: {}]{default}", s.help, s.env)),
                )
            })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}
