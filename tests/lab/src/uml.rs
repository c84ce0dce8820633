//! A machine of one's own for what the kernel of this one lacks (IPVS, dummy, VRF, ipvlan): User-Mode Linux, Debian's
//! package `user-mode-linux`. It boots within seconds on the files of this machine, needs no root, and ends with the
//! program that it was started for.
//!
//! What needs it is a test with `#[ignore]`, and one more test of the same program calls [`ignored_tests`], which runs
//! them all in one machine; or, where the kernel of this machine has IPVS, here.

use crate::turn::skipped;
use crate::{ending, sandbox};
use anyhow::{Context as _, Result, bail, ensure};
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// What a program did in there.
#[derive(Debug)]
pub struct MachineRun {
    /// The program's; 124 if its time was up.
    pub status: ExitStatus,
    /// What it printed.
    pub output: String,
    /// With boot and end.
    pub took: Duration,
}

/// Where what needs IPVS can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IpvsMachine {
    /// The kernel of this machine has it (or this *is* such a machine).
    Here,
    /// In a machine of its own.
    Inside,
}

/// Tells a program that it runs in such a machine.
const INSIDE: &str = "KEEPALIVED_LAB_UML";
const INIT: &str = include_str!("uml/init.sh");
const STARTS: &str = "--- keepalived-lab: here the program starts\n";
const ENDED: &str = "--- keepalived-lab: here it ended\n";
const MODULES: &str = "/usr/lib/uml/modules";
/// How long boot and end may take on a machine that is busy.
const BOOT: Duration = Duration::from_secs(60);
/// Memory of a machine; taken from this one only as it is used.
const MEMORY: &str = "mem=1024M";
/// Most that is kept of what a program prints.
const MOST_OUTPUT: u64 = 16 << 20;

/// Where there is IPVS, or why nowhere.
pub fn ipvs() -> Result<IpvsMachine, String> {
    if std::env::var_os(INSIDE).is_some() {
        return Ok(IpvsMachine::Here);
    }
    if has_ipvs() && sandbox::rights() == sandbox::Rights::Here {
        return Ok(IpvsMachine::Here);
    }
    available().map(|()| IpvsMachine::Inside)
}

/// Whether this kernel has it, after an attempt to load it.
fn has_ipvs() -> bool {
    let there = || Path::new("/proc/net/ip_vs").exists();
    if there() {
        return true;
    }
    let modprobe = std::fs::read_to_string("/proc/sys/kernel/modprobe").unwrap_or_default();
    let load = Command::new(modprobe.trim()).arg("ip_vs").stdout(Stdio::null()).stderr(Stdio::null()).status();
    load.is_ok() && there()
}

/// Whether machines can be started; if not, what is missing.
pub fn available() -> Result<(), String> {
    let missing = sandbox::missing(&["linux.uml", "modprobe", "ip", "perl", "unshare"]);
    if !missing.is_empty() {
        return Err(format!("not installed: {} (packages user-mode-linux, kmod)", missing.join(", ")));
    }
    match std::fs::read_dir(MODULES).map(|mut folder| folder.next().is_some()) {
        Ok(true) => Ok(()),
        _ => Err(format!("no modules in {MODULES}")),
    }
}

/// Runs the tests of this program that are marked `#[ignore]` where there is IPVS, all in one machine, one after the
/// other. One that fails lets the caller fail; so does it if there are none. Where there is no place for them that is
/// said; with `CI` set it is a failure.
pub fn ignored_tests(limit: Duration) {
    ignored_tests_at_once(limit, 1);
}

/// The same, with so many of them at a time.
pub fn ignored_tests_at_once(limit: Duration, threads: usize) {
    let threads = format!("--test-threads={threads}");
    let me = std::env::current_exe().expect("this program is a file");
    let arguments = ["--ignored", "--nocapture", threads.as_str()].map(OsStr::new);
    let (passed, output) = match ipvs() {
        Err(lack) => return skipped("tests that need IPVS", &lack),
        Ok(IpvsMachine::Here) => {
            let output = Command::new(me).args(arguments).output().expect("this program can be started");
            let text = [output.stdout, output.stderr].concat();
            (output.status.success(), String::from_utf8_lossy(&text).into_owned())
        }
        Ok(IpvsMachine::Inside) => {
            let outcome = run(&me, &arguments, limit).unwrap_or_else(|error| panic!("{error:#}"));
            (outcome.status.success(), outcome.output)
        }
    };
    print!("{output}");
    assert!(passed, "see above; to see it again: cargo test -- --nocapture");
    assert!(!output.contains("running 0 tests"), "there is no test with #[ignore]");
}

/// Boots a machine, runs a program of this machine's file system in it as root, in the current folder and with this
/// process's environment, and returns when the machine is off. What the program writes, to whatever file, stays in
/// there.
///
/// # Errors
/// There is no such machine, it could not be set up, crashed, or hung: then all that it said is in the error.
pub fn run(program: &Path, arguments: &[&OsStr], limit: Duration) -> Result<MachineRun> {
    available().map_err(anyhow::Error::msg)?;
    ensure!(!ending::is_under_way(), "interrupted");
    // one at a time for each user: a machine would have a processor for itself
    let user = rustix::process::geteuid().as_raw();
    let path = std::env::temp_dir().join(format!("keepalived-lab.uml-{user}"));
    let turn = File::options().create(true).truncate(false).write(true).open(&path);
    let turn = turn.with_context(|| path.display().to_string())?;
    turn.lock()?;
    let start = Instant::now();
    let folder = Folder::create(program, arguments, limit)?;
    let mut machine = folder.boot()?;
    let pipe = machine.0.stdout.take().context("piped")?;
    // in a thread: a machine that hangs keeps its console open
    let console = std::thread::spawn(move || {
        let mut text = Vec::new();
        let mut pipe = pipe.take(MOST_OUTPUT);
        let _ = pipe.read_to_end(&mut text);
        // read on, or the machine waits
        let _ = std::io::copy(&mut pipe.into_inner(), &mut std::io::sink());
        text
    });
    let status = machine.wait(start + limit + BOOT)?;
    let took = start.elapsed();
    let console = console.join().unwrap_or_default();
    let console = String::from_utf8_lossy(&console).into_owned();
    let Some(status) = status else { bail!("the machine hung and was stopped after {} s:\n{console}", took.as_secs()) };
    // whatever it says its status is
    let Some((_, said)) = console.split_once(STARTS) else {
        bail!("the machine did not get so far as to start it:\n{console}")
    };
    let Some((output, _)) = said.rsplit_once(ENDED) else { bail!("the machine crashed:\n{said}") };
    Ok(MachineRun { status, output: output.to_owned(), took })
}

/// What a machine needs of us; it goes with this value.
struct Folder(PathBuf);

impl Folder {
    fn create(program: &Path, arguments: &[&OsStr], limit: Duration) -> Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = Self(std::env::temp_dir().join(format!("kl-uml-{}-{number}", std::process::id())));
        std::fs::create_dir(&folder.0).with_context(|| folder.0.display().to_string())?;
        let init = folder.0.join("init");
        std::fs::write(&init, INIT)?;
        std::fs::set_permissions(&init, std::fs::Permissions::from_mode(0o755))?;
        std::fs::write(folder.0.join("limit"), limit.as_secs().max(1).to_string())?;
        std::fs::write(folder.0.join("command"), script(program, arguments)?)?;
        Ok(folder)
    }

    fn boot(&self) -> Result<Machine> {
        // in a namespace of processes: a machine is several, which must not live on without the one that watches them
        let mut command = Command::new("unshare");
        if !rustix::process::geteuid().is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        // the shell is its first one: that cannot abort, as a kernel that crashes does
        command.args(["--pid", "--fork", "--kill-child", "--", "sh", "-c", "\"$@\"; exit $?", "sh"]);
        command.arg(sandbox::find("linux.uml").context("linux.uml")?);
        command.args([
            MEMORY,
            "rootfstype=hostfs",
            "rootflags=/",
            "ro",
            "quiet",
            "loglevel=1",
            "con=null",
            "con0=null,fd:1",
        ]);
        command.arg(format!("uml_dir={}/", self.0.display()));
        command.arg(format!("init={}", self.0.join("init").display()));
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        Ok(Machine(child.context("unshare")?))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running machine; it is off when this value is gone.
struct Machine(Child);

impl Machine {
    /// `None` if it is not off by then; it is afterwards.
    fn wait(&mut self, deadline: Instant) -> Result<Option<ExitStatus>> {
        while Instant::now() < deadline {
            if let Some(status) = self.0.try_wait()? {
                return Ok(Some(status));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.stop();
        Ok(None)
    }

    fn stop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What the machine's shell is to do.
fn script(program: &Path, arguments: &[&OsStr]) -> Result<Vec<u8>> {
    let mut script = Vec::new();
    let mut say = |parts: &[&[u8]]| script.extend(parts.concat());
    for (name, value) in std::env::vars_os() {
        let name = name.as_bytes();
        let sound = name.iter().all(|octet| octet.is_ascii_alphanumeric() || *octet == b'_');
        if sound && !name.first().is_none_or(u8::is_ascii_digit) {
            say(&[b"export ", name, b"=", &quoted(&value), b"\n"]);
        }
    }
    say(&[b"export ", INSIDE.as_bytes(), b"=1\n"]);
    say(&[b"cd ", &quoted(std::env::current_dir()?.as_os_str()), b" || exit 125\n"]);
    say(&[b"exec ", &quoted(program.as_os_str())]);
    for argument in arguments {
        say(&[b" ", &quoted(argument)]);
    }
    say(&[b"\n"]);
    Ok(script)
}

/// As one word of a shell.
fn quoted(word: &OsStr) -> Vec<u8> {
    let mut quoted = vec![b'\''];
    for octet in word.as_bytes() {
        match octet {
            b'\'' => quoted.extend(br"'\''"),
            _ => quoted.push(*octet),
        }
    }
    quoted.push(b'\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_one_word_of_a_shell() {
        for word in ["", "a b", "it's", "$HOME `id` \\ \" *\n"] {
            let mut line = b"printf %s ".to_vec();
            line.extend(quoted(OsStr::new(word)));
            let said = Command::new("sh").arg("-c").arg(OsStr::from_bytes(&line)).output().unwrap();
            assert_eq!(said.stdout, word.as_bytes());
        }
    }
}
