use crate::conf::{Case, Family, Version};
use crate::daemon::crash;
use crate::network::Router;
use crate::sandbox;
use crate::wait::{patience, wait_until};
use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process};
use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// FRR's vrrpd with its zebra, on one router; killed when dropped.
///
/// It answers for a virtual router on a macvlan that has the protocol's MAC address and the virtual addresses, and
/// which must be there before it starts.
#[derive(Debug)]
pub struct Frr {
    vrrpd: Child,
    zebra: Child,
    folder: PathBuf,
}

pub(crate) const FOLDER: &str = "/usr/lib/frr";

impl Frr {
    /// Why it cannot run here, if it cannot.
    #[must_use]
    pub fn lack() -> Option<&'static str> {
        if !Path::new(FOLDER).join("vrrpd").is_file() {
            Some("package frr is not installed")
        } else if sandbox::inside() {
            Some("FRR's daemons insist on being root of the machine, not of a user namespace")
        } else {
            None
        }
    }

    /// Starts it on `eth0` of a router, for one virtual router.
    pub fn start(router: &Router, case: Case, vrid: u8, priority: u8) -> Result<Self> {
        let folder = router.folder().join("frr");
        std::fs::create_dir_all(&folder)?;
        let namespace = router.namespace();
        let (part, length, word) = match case.family {
            Family::V4 => (1, 16, "ip"),
            Family::V6 => (2, 64, "ipv6"),
        };
        let name = format!("vrrp{vrid}");
        let mut batch = format!("link add {name} link eth0 type macvlan mode bridge\n");
        writeln!(batch, "link set {name} address 00:00:5e:00:0{part}:{vrid:02x}")?;
        for vip in case.vips(vrid) {
            let nodad = if vip.is_ipv6() { "nodad" } else { "" };
            writeln!(batch, "address add {vip}/{length} dev {name} {nodad}")?;
        }
        writeln!(batch, "link set {name} up")?;
        if namespace.run(&format!("ip link show {name}")).is_err() {
            namespace.ip(&batch)?;
        }

        let version = if case.version == Version::V2 { 2 } else { 3 };
        let mut text = format!("hostname r{}\nlog timestamp precision 6\ninterface eth0\n", router.index());
        writeln!(text, " vrrp {vrid} version {version}\n vrrp {vrid} priority {priority}")?;
        writeln!(text, " vrrp {vrid} advertisement-interval {}", case.interval().as_millis())?;
        for vip in case.vips(vrid) {
            writeln!(text, " vrrp {vrid} {word} {vip}")?;
        }
        std::fs::write(folder.join("vrrpd.conf"), text)?;
        std::fs::write(folder.join("zebra.conf"), format!("hostname r{}\n", router.index()))?;

        // what an earlier zebra left would be taken for this one
        let _ = std::fs::remove_file(folder.join("zserv.api"));
        let zebra = spawn(router, &folder, "zebra")?;
        wait_until("zebra listens", patience(Duration::from_secs(2)), || Ok(folder.join("zserv.api").exists()))
            .with_context(|| std::fs::read_to_string(folder.join("zebra.log")).unwrap_or_default())?;
        let vrrpd = spawn(router, &folder, "vrrpd")?;
        Ok(Self { vrrpd, zebra, folder })
    }

    /// What vrrpd has logged.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("vrrpd.log")).unwrap_or_default()
    }

    /// How long after `since` vrrpd decided to become master, less than a day, and `None` before it did.
    ///
    /// Its log tells: the first advert comes later, when zebra has changed the macvlan, and that waits for every other
    /// namespace of the machine which changes links.
    #[must_use]
    pub fn became_master(&self, since: SystemTime) -> Option<Duration> {
        const DAY: f64 = 86_400.0;
        let log = self.log();
        let line = log.lines().rfind(|line| line.contains("Backup -> Master"))?;
        let mut clock = line.split_whitespace().nth(1)?.split(':').map(|part| part.parse::<f64>().ok());
        let decided = clock.next()?? * 3600.0 + clock.next()?? * 60.0 + clock.next()??;
        let later = (decided - since.duration_since(UNIX_EPOCH).ok()?.as_secs_f64()).rem_euclid(DAY);
        // an earlier decision looks like one of tomorrow
        (later < DAY / 2.0).then(|| Duration::from_secs_f64(later))
    }

    /// SIGTERM to vrrpd: it says goodbye with priority 0.
    pub fn stop(mut self) -> Result<()> {
        kill_process(Pid::from_child(&self.vrrpd), Signal::TERM)?;
        self.vrrpd.wait()?;
        Ok(())
    }

    /// Kills it without a last word.
    pub fn crash(mut self) -> Result<()> {
        crash(Pid::from_child(&self.vrrpd));
        self.vrrpd.wait()?;
        Ok(())
    }
}

impl Drop for Frr {
    fn drop(&mut self) {
        for child in [&mut self.vrrpd, &mut self.zebra] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// In a mount namespace where `/run/frr` is a folder of ours: some of FRR's paths cannot be chosen.
pub(crate) fn spawn(router: &Router, folder: &Path, name: &str) -> Result<Child> {
    let log = File::options().create(true).append(true).open(folder.join(format!("{name}.log")))?;
    let mut command = router.namespace().command("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c"]);
    // and it insists on a group frrvty with its user in it
    command.arg(
        "mkdir -p /run/frr && mount --bind \"$1\" /run/frr && sed 's/^frrvty:.*:.*:.*/&,root/; s/:,root/:root/' /etc/group > \"$1\"/group &&
        mount --bind \"$1\"/group /etc/group && shift && exec \"$0\" \"$@\"",
    );
    command.arg(format!("{FOLDER}/{name}")).arg(folder);
    command.args(["-u", "root", "-g", "root", "--log", "stdout", "--log-level", "debug", "-P", "0"]);
    command.arg("-z").arg(folder.join("zserv.api")).arg("--vty_socket").arg(folder);
    command.arg("-i").arg(folder.join(format!("{name}.pid"))).arg("-f").arg(folder.join(format!("{name}.conf")));
    command.env("TZ", "UTC").stdout(log.try_clone()?).stderr(log);
    command.spawn().with_context(|| format!("{command:?}"))
}
