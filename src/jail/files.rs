//! Which files a process may reach, by landlock: none but those named. Also no TCP port, and no
//! process outside to signal, where the kernel knows these.
//!
//! Owns that ruleset. On a kernel without landlock nothing is restricted and nothing fails: what
//! holds is told by `probe`, never assumed.

use std::io;
use std::path::PathBuf;

/// What a process may reach; everything below a folder that is named.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Files {
    /// Read, and run.
    pub(crate) run: Vec<PathBuf>,
    /// Read only.
    pub(crate) read: Vec<PathBuf>,
    /// Read, write, make and remove.
    pub(crate) write: Vec<PathBuf>,
}

#[cfg(target_os = "linux")]
pub(crate) fn restrict(files: &Files) -> io::Result<()> {
    use landlock::{
        ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError,
        Scope, path_beneath_rules,
    };
    /// Of Linux 6.12; an older kernel enforces the part that it knows.
    const NEWEST: ABI = ABI::V6;
    let restrict = || -> Result<(), RulesetError> {
        Ruleset::default()
            .handle_access(AccessFs::from_all(NEWEST))?
            .handle_access(AccessNet::from_all(NEWEST))?
            .scope(Scope::from_all(NEWEST))?
            .create()?
            .add_rules(path_beneath_rules(&files.run, AccessFs::from_read(NEWEST)))?
            .add_rules(path_beneath_rules(
                &files.read,
                AccessFs::ReadFile | AccessFs::ReadDir,
            ))?
            .add_rules(path_beneath_rules(
                &files.write,
                AccessFs::from_all(NEWEST) & !AccessFs::Execute,
            ))?
            .restrict_self()?;
        Ok(())
    };
    restrict().map_err(io::Error::other)
}

/// Other systems have no landlock.
#[cfg(not(target_os = "linux"))]
pub(crate) fn restrict(_files: &Files) -> io::Result<()> {
    Ok(())
}
