//! The Debian packages that labs need: `tests/lab/packages.txt` is the list.

use crate::say::say;
use anyhow::{Context as _, Result, ensure};
use keepalived_lab::sandbox;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

const LIST: &str = include_str!("../../tests/lab/packages.txt");
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Packages of the list whose program is not there; all of them, or only those that are named.
fn missing(only: &[&str]) -> Vec<&'static str> {
    let rows = LIST.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    rows.filter_map(|row| {
        let mut words = row.split_whitespace();
        let (package, program) = (words.next()?, words.next()?);
        let wanted = only.is_empty() || only.contains(&package);
        (wanted && sandbox::find(program).is_none()).then_some(package)
    })
    .collect()
}

/// Installs what is missing where that is possible, otherwise says what to install.
pub(crate) fn ensure_installed(only: &[&str]) -> Result<()> {
    let missing = missing(only);
    if missing.is_empty() {
        return Ok(());
    }
    let how = format!("apt-get install --no-install-recommends {}", missing.join(" "));
    ensure!(sandbox::find("apt-get").is_some(), "missing, and this is not a Debian: {}", missing.join(", "));
    ensure!(rustix::process::geteuid().is_root(), "missing; as root: {how}");
    say!("installing {}", missing.join(", "));
    let policy = NoServices::start()?;
    let apt = |arguments: &[&str]| -> Result<()> {
        let mut command = Command::new("apt-get");
        command.args(["-qq", "-o", "Dpkg::Use-Pty=0"]).args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status().context("apt-get")?;
        ensure!(status.success(), "{command:?}: {status}");
        Ok(())
    };
    apt(&["update"])?;
    apt(&[&["install", "--yes", "--no-install-recommends", "--no-remove"], missing.as_slice()].concat())?;
    drop(policy);
    // policy-rc.d kept them from starting now; this keeps them from starting at the next boot
    if Path::new("/run/systemd/system").exists() {
        let services = ["keepalived", "frr", "nftables", "nginx", "nsd", "opensmtpd", "snmpd", "snmptrapd"];
        let services = services.map(|same| (same, same)).into_iter().chain([("bird2", "bird")]);
        for (_, service) in services.filter(|(package, _)| missing.contains(package)) {
            let mut command = Command::new("systemctl");
            let status = command.args(["disable", "--now", service]).stderr(Stdio::null()).status()?;
            ensure!(status.success(), "{command:?}: {status}");
        }
    }
    let still = self::missing(only);
    ensure!(still.is_empty(), "still missing: {}", still.join(", "));
    Ok(())
}

/// While it lives, the installation of a package starts no service.
struct NoServices {
    ours: bool,
}

impl NoServices {
    fn start() -> Result<Self> {
        let ours = !Path::new(POLICY).exists();
        if ours {
            std::fs::write(POLICY, "#!/bin/sh\nexit 101\n")?;
            std::fs::set_permissions(POLICY, std::fs::Permissions::from_mode(0o755))?;
        }
        Ok(Self { ours })
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.ours {
            let _ = std::fs::remove_file(POLICY);
        }
    }
}
