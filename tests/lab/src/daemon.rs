use crate::namespace::{Namespace, program};
use crate::sandbox;
use crate::wait::wait_until;
use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Output, Stdio};
use std::time::Duration;

/// Which keepalived: a program with keepalived's command line.
#[derive(Debug, Clone)]
pub struct Daemon {
    flavour: Flavour,
    program: PathBuf,
    environment: Vec<(String, PathBuf)>,
}

/// Whose program it is; tests that expect a difference ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// Built here.
    Ours,
    /// The C daemon.
    Debian,
}

impl Daemon {
    /// The daemon under test: what was built beside this program, or the one that `KEEPALIVED` names. With
    /// `LAB_DAEMON=debian` it is Debian's: that is how the lab itself is tested.
    #[must_use]
    pub fn ours() -> Self {
        if std::env::var("LAB_DAEMON").is_ok_and(|which| which == "debian") {
            return Self::debian();
        }
        let built = std::env::current_exe()
            .ok()
            .and_then(|me| me.ancestors().skip(1).map(|folder| folder.join("keepalived")).find(|file| file.is_file()));
        let program = std::env::var_os("KEEPALIVED").map(PathBuf::from).or(built);
        Self::built(program.unwrap_or_else(|| "keepalived-was-not-built".into()))
    }

    /// Ours, from a given build.
    #[must_use]
    pub fn built(program: PathBuf) -> Self {
        Self { flavour: Flavour::Ours, program, environment: Vec::new() }
    }

    /// Debian's.
    #[must_use]
    pub fn debian() -> Self {
        Self { flavour: Flavour::Debian, program: program("keepalived"), environment: Vec::new() }
    }

    /// The same, started with this variable in its environment.
    #[must_use]
    pub fn with(mut self, variable: &str, path: PathBuf) -> Self {
        self.environment.push((variable.to_owned(), path));
        self
    }

    /// Whose it is.
    #[must_use]
    pub fn flavour(&self) -> Flavour {
        self.flavour
    }

    /// The program itself.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The first line of `--version`.
    #[must_use]
    pub fn version(&self) -> String {
        let output = std::process::Command::new(&self.program).arg("--version").output();
        let text = output.map(|output| [output.stderr, output.stdout].concat()).unwrap_or_default();
        String::from_utf8_lossy(&text).lines().next().unwrap_or("does not say its version").to_owned()
    }

    /// Runs it to its end with the given arguments; for `-t`, bad options and the like.
    pub fn output(&self, namespace: &Namespace, folder: &Path, arguments: &[&str]) -> Result<Output> {
        std::fs::create_dir_all(folder)?;
        let mut command = namespace.command("timeout");
        command.arg("20").arg(&self.program).args(arguments).env("TMPDIR", folder).current_dir(folder);
        command.output().with_context(|| format!("{command:?}"))
    }
}

impl fmt::Display for Daemon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.flavour {
            Flavour::Ours => "ours",
            Flavour::Debian => "debian",
        })
    }
}

/// A daemon in the foreground, with files of its own; killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    folder: PathBuf,
}

impl Running {
    pub(crate) fn start(
        daemon: &Daemon,
        namespace: &Namespace,
        folder: &Path,
        configuration: &str,
        options: &[&str],
        console: Option<Stdio>,
    ) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let file = |name: &str| folder.join(name);
        std::fs::write(file("keepalived.conf"), configuration)?;
        let log = File::options().create(true).append(true).open(file("log"))?;
        let mut command = namespace.command(&daemon.program);
        command.args(["-n", "-l"]).args(options).arg("-f").arg(file("keepalived.conf"));
        command.arg("-p").arg(file("pid")).arg("-r").arg(file("vrrp.pid")).arg("-c").arg(file("checkers.pid"));
        command.arg("-b").arg(file("bfd.pid"));
        command.env("TMPDIR", folder).current_dir(folder).stdout(log.try_clone()?);
        command.stderr(console.unwrap_or_else(|| log.into())).envs(daemon.environment.iter().cloned());
        let child = command.spawn().with_context(|| format!("{command:?}"))?;
        Ok(Self { child, folder: folder.to_owned() })
    }

    /// The process that we started.
    #[must_use]
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// The vrrp process, from its pid file.
    pub fn vrrp_pid(&self) -> Result<Pid> {
        self.pid_in("vrrp.pid")
    }

    /// The bfd process, from its pid file.
    pub fn bfd_pid(&self) -> Result<Pid> {
        self.pid_in("bfd.pid")
    }

    fn pid_in(&self, name: &str) -> Result<Pid> {
        let path = self.folder.join(name);
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        text.trim().parse().ok().and_then(Pid::from_raw).with_context(|| format!("{text:?} is no pid"))
    }

    /// It and all its descendants.
    #[must_use]
    pub fn processes(&self) -> Vec<Pid> {
        family(self.pid())
    }

    /// Its observer, if one runs.
    pub fn observer_pid(&self) -> Option<Pid> {
        let is_it = |pid: &Pid| {
            let words = std::fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
            String::from_utf8_lossy(&words).contains("--observer-process-of")
        };
        self.processes().into_iter().find(is_it)
    }

    /// A file of its folder: `keepalived.conf`, `log`, `pid`, `vrrp.pid`, `keepalived.data`.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read(self.file("log")).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Sends a signal to the process that we started, as an administrator does.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill_process(self.pid(), signal)?)
    }

    /// Writes another configuration and has it read.
    pub fn reload(&self, configuration: &str) -> Result<()> {
        // at once: a reload before this one may be reading the file
        let (file, next) = (self.file("keepalived.conf"), self.file("keepalived.conf.next"));
        std::fs::write(&next, configuration)?;
        std::fs::rename(next, file)?;
        self.signal(Signal::HUP)
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// All its processes at once, without a last word.
    pub fn crash(mut self) -> Result<()> {
        let orphans = self.processes();
        crash(self.pid());
        self.child.wait()?;
        // init takes its time to bury the orphans, and until then a pid file of theirs means "already running" to
        // Debian's
        let gone = || orphans.iter().all(|pid| !Path::new(&format!("/proc/{}", pid.as_raw_nonzero())).exists());
        wait_until("init has buried the dead", Duration::from_secs(5), || Ok(gone())).or_else(|_never| {
            ["pid", "vrrp.pid", "checkers.pid", "bfd.pid"]
                .iter()
                .for_each(|name| drop(std::fs::remove_file(self.file(name))));
            Ok(())
        })
    }

    /// SIGTERM, and waits for the end.
    pub fn stop(mut self) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        self.wait(Duration::from_secs(20))
    }

    /// Kills all its processes at once and waits for nothing.
    pub fn kill(&self) {
        crash(self.pid());
    }

    /// Waits for its end.
    pub fn wait(&mut self, within: Duration) -> Result<ExitStatus> {
        let mut status = None;
        wait_until("the daemon ends", within, || {
            status = self.child.try_wait()?;
            Ok(status.is_some())
        })?;
        status.context("ended without a status")
    }

    /// Waits until it has logged something, and returns all that it has logged.
    pub fn wait_for_log(&self, text: &str, within: Duration) -> Result<String> {
        wait_until(&format!("{text:?} is in the log"), within, || Ok(self.log().contains(text)))?;
        Ok(self.log())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            crash(self.pid());
            let _ = self.child.wait();
        }
    }
}

/// Kills a process and its descendants. They are stopped first, parents before children: otherwise the death of the
/// parent is a signal to the child, which says goodbye on the wire before its own turn comes.
pub fn crash(pid: Pid) {
    let family = family(pid);
    for signal in [Signal::STOP, Signal::KILL] {
        for pid in &family {
            let _ = kill_process(*pid, signal);
        }
    }
}

pub(crate) fn family(root: Pid) -> Vec<Pid> {
    let mut family = vec![root];
    let mut next = 0;
    while let Some(pid) = family.get(next).copied() {
        next += 1;
        let number = pid.as_raw_nonzero();
        let Ok(threads) = std::fs::read_dir(format!("/proc/{number}/task")) else { continue };
        for thread in threads.flatten() {
            let children = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            family.extend(children.split_whitespace().filter_map(|word| Pid::from_raw(word.parse().ok()?)));
        }
    }
    family
}

/// The end of every log below a folder.
pub(crate) fn logs(folder: &Path) -> String {
    let Ok(entries) = std::fs::read_dir(folder) else { return String::new() };
    let mut shown = String::new();
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            shown += &logs(&path);
        } else if path.file_name().is_some_and(|name| name.to_string_lossy().ends_with("log")) {
            let text =
                std::fs::read(&path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
            let lines: Vec<_> = text.lines().collect();
            shown += &format!("----- {} -----\n", path.display());
            for line in lines.iter().skip(lines.len().saturating_sub(60)) {
                shown += &format!("{line}\n");
            }
        }
    }
    shown
}

impl Daemon {
    /// Fails unless the program is there.
    pub fn check(&self) -> Result<()> {
        if sandbox::find(&self.program.to_string_lossy()).is_none() {
            bail!("{}: not there; build it (cargo build) or install keepalived", self.program.display());
        }
        Ok(())
    }
}
