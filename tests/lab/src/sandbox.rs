//! Where a lab may run: as root, or as an ordinary user inside a user namespace.

use anyhow::{Context as _, Result, bail};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

const INSIDE: &str = "KEEPALIVED_LAB_INSIDE";

/// What this process may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rights {
    /// Root, of the machine or of a user namespace that we made.
    Here,
    /// Not root, but `unshare --user` works: [`enclose`] a command, or [`reenter`].
    Enclosed,
    /// Neither.
    None,
}

/// Finds out.
#[must_use]
pub fn rights() -> Rights {
    let ok = |program: &str, args: &[&str]| {
        Command::new(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    if rustix::process::geteuid().is_root() || inside() {
        // root of a container without CAP_SYS_ADMIN is no use
        if ok("unshare", &["--net", "--mount", "true"]) { Rights::Here } else { Rights::None }
    } else if ok("unshare", &["--user", "--map-root-user", "--net", "--mount", "mount", "-t", "tmpfs", "none", "/run"])
    {
        Rights::Enclosed
    } else {
        Rights::None
    }
}

/// `program args` in user, network and mount namespaces of its own, with a `/run` of its own so that `ip netns` works.
///
/// Two user namespaces deep: in the first it is root, which `mount` insists on; in the second it is an ordinary user
/// with all capabilities, because tcpdump as root wants to become another user, and groups cannot be changed in there.
#[must_use]
pub fn enclose(program: &std::ffi::OsStr) -> Command {
    let mut command = Command::new("unshare");
    command
        .args(["--user", "--map-root-user", "--net", "--mount", "--propagation", "private", "sh", "-c"])
        .arg(
            "mount -t tmpfs -o mode=755 none /run && mkdir -p /run/netns /run/frr && \
             exec unshare --user --map-user=1 --map-group=1 --keep-caps --net --mount --propagation private -- \"$0\" \"$@\"",
        )
        .arg(program)
        .env(INSIDE, "1");
    command
}

/// Whether [`enclose`] or [`reenter`] has started this program.
#[must_use]
pub fn inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Makes sure that labs can be made from here on: returns when they can, otherwise starts this program again where they
/// can and does not return.
pub fn reenter() -> Result<()> {
    match rights() {
        Rights::Here => Ok(()),
        Rights::Enclosed if !inside() => {
            let me = std::env::current_exe().context("where is this program?")?;
            Err(enclose(me.as_os_str()).args(std::env::args_os().skip(1)).exec()).context("unshare")
        }
        Rights::Enclosed | Rights::None => bail!(
            "network namespaces are needed: run this as root, or allow unprivileged user namespaces \
             (sysctl kernel.unprivileged_userns_clone=1; on Ubuntu also kernel.apparmor_restrict_unprivileged_userns=0)"
        ),
    }
}

/// Which of these programs are missing.
#[must_use]
pub fn missing<'a>(programs: &[&'a str]) -> Vec<&'a str> {
    programs.iter().copied().filter(|program| find(program).is_none()).collect()
}

/// Where a program is, `/usr/sbin` included, which an ordinary user's `PATH` leaves out.
#[must_use]
pub fn find(program: &str) -> Option<std::path::PathBuf> {
    if program.starts_with('/') {
        let path = std::path::PathBuf::from(program);
        return path.is_file().then_some(path);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(Into::into))
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}
