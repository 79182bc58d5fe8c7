//! `config`: the table of settings, the values in force, and whether they can be used.

use super::CliError;
use crate::config::{Origin, Reader, SETTINGS, SettingFlags, Settings, markdown};
use crate::tls;
use std::io::Write as _;
use std::process::ExitCode;

/// What to do with the settings.
#[derive(Debug, clap::Args)]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Print the table of all settings as Markdown.
    Table,
    /// Print the values in force and where each comes from; secrets are hidden.
    Show,
    /// Print them and check them: all errors at once, and exit code 1 when there are any.
    Check,
}

pub(super) fn run(args: &ConfigArgs, flags: &SettingFlags) -> Result<ExitCode, CliError> {
    match args.what {
        What::Table => print(markdown().trim_end()),
        What::Show => show(&flags.reader()?),
        What::Check => {
            let reader = flags.reader()?;
            show(&reader);
            for warning in reader.warnings() {
                print(&format!("warning: {warning}"));
            }
            let settings = Settings::read(reader)?;
            if let Some(files) = &settings.http.tls {
                tls::check(files)
                    .map_err(|e| CliError::failed("preparing the certificate of the server", e))?;
            }
            print("the settings can be used");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show(reader: &Reader) {
    for setting in SETTINGS {
        let (value, origin) = reader.raw(setting);
        let value = match value {
            None => "-".to_owned(),
            Some(_) if setting.secret => "(hidden)".to_owned(),
            Some(v) => v,
        };
        let origin = match origin {
            Origin::Flag => "flag",
            Origin::Environment => "environment",
            Origin::SecretFile => "secret file",
            Origin::File => "file",
            Origin::Default => "default",
        };
        print(&format!("{:<28} {value}  [{origin}]", setting.key));
    }
}

pub(super) fn openapi() -> Result<ExitCode, CliError> {
    let text =
        crate::app::openapi().map_err(|e| CliError::failed("writing the OpenAPI document", e))?;
    print(&text);
    Ok(ExitCode::SUCCESS)
}

pub(super) fn asyncapi() -> Result<ExitCode, CliError> {
    let text =
        crate::app::asyncapi().map_err(|e| CliError::failed("writing the AsyncAPI document", e))?;
    print(&text);
    Ok(ExitCode::SUCCESS)
}

/// Standard output is what a command was asked for. Whoever closes it, as `head` does, has had enough;
/// where it cannot be written for another reason, the command has failed.
#[expect(
    clippy::disallowed_methods,
    reason = "nobody is left to answer, and commands hold nothing that an end could hurt"
)]
pub(super) fn print(text: &str) {
    if let Err(error) = writeln!(std::io::stdout().lock(), "{text}") {
        let enough = error.kind() == std::io::ErrorKind::BrokenPipe;
        std::process::exit(i32::from(!enough));
    }
}
