//! Who an engine runs as. PostgreSQL refuses to be root; this module owns the ways round that
//! and nothing about PostgreSQL itself.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::EngineError;

/// Who a child process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Identity {
    /// The same user as this process.
    Own,
    /// This process is root: a user namespace in which root is the ordinary user 1000. Files stay
    /// root's own, and no second account is needed.
    #[cfg(target_os = "linux")]
    Namespace,
    /// This process is root where user namespaces are refused (many containers): another account.
    Account {
        /// User id.
        uid: u32,
        /// Group id.
        gid: u32,
    },
}

impl Identity {
    /// Chooses an identity that is not root. `probe` is a program that ends at once on `--version`.
    pub(super) fn not_root(probe: &Path) -> Result<Identity, EngineError> {
        // SAFETY: geteuid cannot fail and touches no memory.
        if unsafe { libc::geteuid() } != 0 {
            return Ok(Identity::Own);
        }
        #[cfg(target_os = "linux")]
        if works(Identity::Namespace, probe) {
            return Ok(Identity::Namespace);
        }
        [c"postgres", c"nobody"]
            .into_iter()
            .filter_map(account)
            .find(|identity| works(*identity, probe))
            .ok_or(EngineError::NoIdentity)
    }

    /// Makes `command` run as this identity.
    pub(super) fn apply(self, command: &mut Command) {
        match self {
            Identity::Own => {}
            #[cfg(target_os = "linux")]
            Identity::Namespace => {
                // SAFETY: the function makes system calls only and allocates nothing.
                unsafe { command.pre_exec(enter_namespace) };
            }
            Identity::Account { uid, gid } => {
                command.uid(uid).gid(gid);
            }
        }
    }

    /// Gives `path` to the account, when it is one.
    pub(super) fn own(self, path: &Path) -> Result<(), EngineError> {
        if let Identity::Account { uid, gid } = self {
            std::os::unix::fs::chown(path, Some(uid), Some(gid))
                .map_err(EngineError::file("change the owner of", path))?;
        }
        Ok(())
    }

    /// Lets the account pass through `folder`, when it is one; it can list nothing there.
    pub(super) fn pass_through(self, folder: &Path) -> Result<(), EngineError> {
        if !matches!(self, Identity::Account { .. }) {
            return Ok(());
        }
        let open = |metadata: std::fs::Metadata| {
            let mode = metadata.permissions().mode() | 0o111;
            std::fs::set_permissions(folder, Permissions::from_mode(mode))
        };
        std::fs::metadata(folder)
            .and_then(open)
            .map_err(EngineError::file("open", folder))
    }
}

fn works(identity: Identity, probe: &Path) -> bool {
    let mut command = Command::new(probe);
    command
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    identity.apply(&mut command);
    command.status().is_ok_and(|status| status.success())
}

fn account(name: &std::ffi::CStr) -> Option<Identity> {
    // SAFETY: the name ends in NUL; the answer points to static memory that is read at once, and
    // nothing else in this program asks for accounts.
    let entry = unsafe { libc::getpwnam(name.as_ptr()).as_ref() }?;
    Some(Identity::Account {
        uid: entry.pw_uid,
        gid: entry.pw_gid,
    })
}

#[cfg(target_os = "linux")]
fn enter_namespace() -> io::Result<()> {
    // SAFETY: a plain system call.
    if unsafe { libc::unshare(libc::CLONE_NEWUSER) } != 0 {
        return Err(io::Error::last_os_error());
    }
    write_whole(c"/proc/self/uid_map", b"1000 0 1")?;
    write_whole(c"/proc/self/setgroups", b"deny")?;
    write_whole(c"/proc/self/gid_map", b"1000 0 1")
}

/// Writes by system calls alone: between fork and exec nothing may allocate.
#[cfg(target_os = "linux")]
fn write_whole(path: &std::ffi::CStr, bytes: &[u8]) -> io::Result<()> {
    // SAFETY: the path ends in NUL, the buffer is valid for its length, the descriptor is closed.
    let written = unsafe {
        let file = libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        if file < 0 {
            return Err(io::Error::last_os_error());
        }
        let written = libc::write(file, bytes.as_ptr().cast(), bytes.len());
        libc::close(file);
        written
    };
    if usize::try_from(written).is_ok_and(|n| n == bytes.len()) {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postgres_never_runs_as_root() {
        let identity = Identity::not_root(Path::new("/bin/true")).unwrap();
        let mut command = Command::new("id");
        command.arg("-u");
        identity.apply(&mut command);
        let uid = String::from_utf8(command.output().unwrap().stdout).unwrap();
        assert_ne!(uid.trim(), "0");
    }
}
