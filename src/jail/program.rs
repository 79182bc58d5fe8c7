//! A program of others inside the jail: this program, which restricts itself and then becomes it.
//!
//! Owns what such a program is given: its limits, the files it may reach, its environment. It reads
//! standard input and writes standard output; who is at the other ends is not known here.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use serde::{Deserialize, Serialize};

use super::files::{self, Files};
use super::limits::{self, Limits};
use super::syscalls::{self, Caller};
use super::{NOT_STARTED, hide};

/// The hidden subcommand that becomes another program.
pub const PROGRAM_SUBCOMMAND: &str = "jailed-program";
/// Where the subcommand finds what to become.
const PROGRAM: &str = "KMRL_JAILED_PROGRAM";
/// Where systems keep what any program needs to start.
const LIBRARIES: [&str; 6] = [
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/nix/store",
];
/// What any program may read beside.
const READ: [&str; 4] = ["/etc/ld.so.cache", "/dev/null", "/dev/zero", "/dev/urandom"];

/// What to become.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Program {
    /// The program's file.
    pub(crate) path: PathBuf,
    /// Its arguments.
    pub(crate) arguments: Vec<String>,
    /// Its whole environment.
    pub(crate) environment: Vec<(String, String)>,
    /// Files and folders that it may read beside the system's libraries.
    pub(crate) read: Vec<PathBuf>,
    /// Files and folders with other programs that it may run.
    pub(crate) run: Vec<PathBuf>,
    /// The folder that it works in and may write to; without one it can write nothing.
    pub(crate) folder: Option<PathBuf>,
    /// Whether it may start processes. Programs that are one process cannot.
    pub(crate) processes: bool,
    /// Address space in bytes, of each of its processes.
    pub(crate) memory_bytes: u64,
    /// Processor time in seconds, of each of its processes.
    pub(crate) cpu_seconds: u64,
    /// Largest file that it may write, in bytes.
    pub(crate) file_bytes: u64,
}

/// A program with the process that may start it.
#[derive(Serialize, Deserialize)]
struct Handed {
    program: Program,
    parent: u32,
}

impl Program {
    /// The environment that says this to the subcommand, started by this process.
    pub(crate) fn to_env(&self) -> io::Result<(&'static str, OsString)> {
        let handed = Handed {
            program: self.clone(),
            parent: std::process::id(),
        };
        Ok((PROGRAM, serde_json::to_string(&handed)?.into()))
    }

    /// Give everything up and become it. Comes back only with the reason why not.
    fn become_it(&self, parent: u32) -> io::Error {
        match self.jail(parent) {
            Ok(()) => self.command().exec(),
            Err(error) => error,
        }
    }

    fn jail(&self, parent: u32) -> io::Result<()> {
        limits::end_with_parent(parent)?;
        Limits {
            memory_bytes: self.memory_bytes,
            cpu_seconds: self.cpu_seconds,
            file_bytes: self.file_bytes,
            open_files: if self.processes { 1024 } else { 64 },
        }
        .apply()?;
        hide();
        files::restrict(&self.files())?;
        syscalls::restrict(if self.processes {
            Caller::ProgramOfMany
        } else {
            Caller::Program
        })
    }

    fn files(&self) -> Files {
        let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
        let mut files = Files {
            run: paths(&LIBRARIES),
            read: paths(&READ),
            write: self.folder.iter().cloned().collect(),
        };
        files.run.push(self.path.clone());
        files.run.extend_from_slice(&self.run);
        files.read.extend_from_slice(&self.read);
        files
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command
            .args(&self.arguments)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder.as_deref().unwrap_or(Path::new("/")));
        command
    }
}

/// Be the subcommand.
#[must_use]
pub fn program_main() -> ExitCode {
    let handed = std::env::var(PROGRAM).ok();
    let handed = handed.and_then(|handed| serde_json::from_str::<Handed>(&handed).ok());
    let complaint = match handed {
        Some(Handed { program, parent }) => {
            format!("{}: {}", program.path.display(), program.become_it(parent))
        }
        None => "this subcommand is started by the gateway itself".to_owned(),
    };
    // The parent may not be listening any more.
    let _ = writeln!(io::stderr(), "{complaint}");
    NOT_STARTED.into()
}
