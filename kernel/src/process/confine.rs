//! What the calling thread gives up for good, by Landlock.

use std::io;

use landlock::{ABI, AccessFs, Ruleset, RulesetAttr as _, RulesetStatus};

/// From now on the calling thread, and those that it starts, cannot write, make, rename or remove any file by its name, nor execute a
/// program. What is open stays open; files may be read and sockets connected. True if the kernel enforces all that we know; false if it
/// is older, or has no Landlock.
///
/// # Errors
/// The kernel refuses.
pub fn give_up_files() -> io::Result<bool> {
    // what no rule allows is denied, and there are no rules
    let denied = AccessFs::from_write(ABI::V3) | AccessFs::Execute;
    let restricted = Ruleset::default()
        .handle_access(denied)
        .and_then(Ruleset::create)
        .and_then(landlock::RulesetCreated::restrict_self)
        .map_err(io::Error::other)?;
    Ok(restricted.ruleset == RulesetStatus::FullyEnforced)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::process::Command;

    #[test]
    fn nothing_can_be_written_or_executed_any_more() {
        let folder = std::env::temp_dir().join(format!("keepalived-confine-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (file, socket) = (folder.join("file"), folder.join("socket"));
        fs::write(&file, "before").unwrap();
        let listener = UnixListener::bind(&socket).unwrap();
        // Landlock belongs to threads: other tests keep their files
        let confined = std::thread::spawn({
            let (file, socket) = (file.clone(), socket.clone());
            move || {
                if !give_up_files().unwrap() {
                    assert!(std::env::var_os("CI").is_none(), "needs Landlock");
                    eprintln!("skipped: this kernel has no Landlock");
                    return;
                }
                let denied = |error: io::Error| assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
                denied(fs::write(&file, "after").unwrap_err());
                denied(fs::write(file.with_file_name("other"), "new").unwrap_err());
                denied(fs::remove_file(&file).unwrap_err());
                denied(fs::rename(&file, file.with_file_name("moved")).unwrap_err());
                denied(Command::new("/bin/true").spawn().map(drop).unwrap_err());
                assert_eq!(fs::read_to_string(&file).unwrap(), "before");
                UnixStream::connect(&socket).unwrap();
            }
        });
        confined.join().unwrap();
        fs::write(&file, "this thread still may").unwrap();
        drop(listener);
        fs::remove_dir_all(&folder).unwrap();
    }
}
