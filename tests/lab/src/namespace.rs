use crate::{ending, sandbox};
use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// A network namespace, `ip netns` style; it and every process in it end with this value.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

/// All our namespaces are called `kl-PID-…` after the process that made them.
pub(crate) const PREFIX: &str = "kl-";

/// No duplicate address detection, no addresses of the kernel's own, and several interfaces may answer for one subnet.
const SETTINGS: [(&str, &str); 11] = [
    ("ipv6/conf/all/disable_ipv6", "0"),
    ("ipv6/conf/default/disable_ipv6", "0"),
    ("ipv6/conf/all/accept_dad", "0"),
    ("ipv6/conf/default/accept_dad", "0"),
    ("ipv6/conf/all/accept_ra", "0"),
    ("ipv6/conf/default/accept_ra", "0"),
    ("ipv6/conf/all/dad_transmits", "0"),
    ("ipv6/conf/default/dad_transmits", "0"),
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/default/rp_filter", "0"),
    ("ipv6/conf/default/addr_gen_mode", "1"),
];

impl Namespace {
    pub(crate) fn create(name: String) -> Result<Self> {
        if ending::is_under_way() {
            bail!("interrupted");
        }
        checked(Command::new(program("ip")).args(["netns", "add", &name]))?;
        let namespace = Self { name };
        namespace.run("ip link set lo up")?;
        namespace.inside(|| {
            for (name, value) in SETTINGS {
                // a container may have mounted /proc/sys read-only: then the defaults have to do
                let _ = std::fs::write(format!("/proc/sys/net/{name}"), value);
            }
            Ok(())
        })?;
        Ok(namespace)
    }

    /// Its name, for `ip netns exec`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A command that will run inside. `nsenter` and not `ip netns exec`, which wants to mount `/sys` anew: a container
    /// may not.
    #[must_use]
    pub fn command(&self, what: impl AsRef<Path>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", self.name)).arg("--");
        command.arg(program_path(what.as_ref()));
        command.stdin(Stdio::null());
        command
    }

    /// Runs a line of words inside and returns what it printed.
    pub fn run(&self, line: &str) -> Result<String> {
        let mut words = line.split_whitespace();
        let first = words.next().context("an empty command")?;
        checked(self.command(first).args(words))
    }

    /// Runs many `ip` commands in one go.
    pub fn ip(&self, batch: &str) -> Result<()> {
        let mut child = self
            .command("ip")
            .args(["-batch", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        child.stdin.take().context("piped above")?.write_all(batch.as_bytes())?;
        let output = child.wait_with_output()?;
        if !output.status.success() {
            bail!("ip -batch in {}: {}\n{batch}", self.name, String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }

    /// What `ip -j …` says.
    pub fn json(&self, arguments: &str) -> Result<serde_json::Value> {
        let text = self.run(&format!("ip -j {arguments}"))?;
        Ok(serde_json::from_str(if text.trim().is_empty() { "[]" } else { &text })?)
    }

    /// Does something inside, in a thread of its own. Sockets that it opens stay inside.
    pub fn inside<T: Send>(&self, what: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let path = format!("/run/netns/{}", self.name);
        let enter = || -> Result<T> {
            let file = std::fs::File::open(&path).with_context(|| path.clone())?;
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).context("setns")?;
            what()
        };
        let done = std::thread::scope(|scope| scope.spawn(enter).join());
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Every process inside.
    #[must_use]
    pub fn pids(&self) -> Vec<Pid> {
        pids(&self.name)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        remove(&self.name);
    }
}

fn pids(name: &str) -> Vec<Pid> {
    checked(Command::new(program("ip")).args(["netns", "pids", name]))
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|word| Pid::from_raw(word.parse().ok()?))
        .collect()
}

fn remove(name: &str) {
    for _ in 0..20 {
        let inside = pids(name);
        if inside.is_empty() {
            break;
        }
        for pid in inside {
            let _ = kill_process(pid, Signal::KILL);
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let _ = checked(Command::new(program("ip")).args(["netns", "del", name]));
}

/// Removes what labs of processes that no longer live have left.
pub fn sweep() {
    remove_of(|maker| !Path::new("/proc").join(maker).exists());
}

/// Removes the namespaces of this process.
pub(crate) fn remove_own() {
    let me = std::process::id().to_string();
    remove_of(|maker| maker == me);
}

fn remove_of(maker: impl Fn(&str) -> bool) {
    let Ok(folder) = std::fs::read_dir("/run/netns") else { return };
    for entry in folder.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()).is_some_and(&maker) {
            remove(&name);
        }
    }
}

pub(crate) fn program(name: &str) -> std::path::PathBuf {
    sandbox::find(name).unwrap_or_else(|| name.into())
}

fn program_path(what: &Path) -> std::path::PathBuf {
    what.to_str().map_or_else(|| what.to_owned(), program)
}

/// Runs a command; what it printed, or an error that shows what it complained about.
pub(crate) fn checked(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{command:?}"))?;
    if !output.status.success() {
        bail!("{command:?}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
