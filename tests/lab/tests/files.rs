//! Whatever stands in the place of a file that the daemon opens, at start, at a reload and at the end: the daemon says
//! it and goes on, never waits for it, and never writes into what is not its own.

#![cfg(test)]

use std::fs::{self, File, Permissions};
use std::io::{Read as _, Seek as _};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use keepalived_lab::{
    Builder, Case, Daemon, Filter, Instance, Lab, Router, Running, only_ours, patience, sandbox, skipped, trial_in,
    wait_until,
};
use rustix::process::Signal;

/// What stands there instead of a file of the administrator or of the daemon.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Fifo,
    /// To a file of another folder.
    Link,
    Directory,
    /// `/dev/zero` by another name: it has no end.
    Endless,
    /// `/dev/kmsg` by another name: to read it is to wait for the kernel to say something.
    Silent,
    /// Of another user, in a folder that everybody can write.
    Foreign,
}

const KINDS: [Kind; 6] = [Kind::Fifo, Kind::Link, Kind::Directory, Kind::Endless, Kind::Silent, Kind::Foreign];

/// What the daemon does with a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Use {
    /// Reads it at start and at a reload. Links and owners are the administrator's business.
    Reads,
    /// Executes it: as `Reads`.
    Runs,
    /// Makes it at start and writes to it.
    Writes,
    /// Makes a named pipe at start, or takes the one that is there.
    Tells,
    /// Puts a new one in its place when a signal asks for it.
    Replaces,
}

impl Use {
    /// Whether it has to do without.
    fn refuses(self, kind: Kind) -> bool {
        match self {
            Self::Reads | Self::Runs => !matches!(kind, Kind::Link | Kind::Foreign),
            Self::Writes => true,
            Self::Tells => kind != Kind::Fifo,
            Self::Replaces => kind == Kind::Directory,
        }
    }

    fn at_reload(self) -> bool {
        matches!(self, Self::Reads | Self::Runs)
    }
}

/// Files of one daemon. Of those of TLS only the first that cannot be read is opened: keys have a turn of their own.
type Turn = &'static [(&'static str, Use)];

const TURNS: [Turn; 2] = [
    &[
        ("include.conf", Use::Reads),
        ("number", Use::Reads),
        ("ca", Use::Reads),
        ("certificate", Use::Reads),
        ("hmac", Use::Reads),
        ("misc.sh", Use::Runs),
        ("quorum.sh", Use::Runs),
        ("vrrp.pid", Use::Writes),
        ("checkers.pid", Use::Writes),
        ("lvs.fifo", Use::Tells),
        ("keepalived.data", Use::Replaces),
        ("keepalived_check.data", Use::Replaces),
        ("keepalived.stats", Use::Replaces),
        ("keepalived.json", Use::Replaces),
    ],
    &[("key", Use::Reads), ("all.fifo", Use::Tells)],
];

/// A line that has these words names the file and says what is wrong with it.
const COMPLAINTS: [&str; 14] = [
    "is a named pipe",
    "is a directory",
    "is no regular file",
    "not a regular file",
    "is a symbolic link",
    "belongs to user",
    "is no file",
    "is no named pipe",
    "cannot be read",
    "cannot read",
    "cannot write",
    "Permission denied",
    "Is a directory",
    "symbolic link",
];

/// A folder like `/tmp`, with one daemon's files.
struct TestFolder {
    folder: PathBuf,
    kind: Kind,
    /// What must stay as it is: the file behind a link, and a foreign file, whatever it is called by now.
    victims: Vec<(&'static str, File)>,
}

impl TestFolder {
    fn new(folder: PathBuf, kind: Kind) -> Result<Self> {
        fs::create_dir_all(folder.join("victims"))?;
        fs::set_permissions(&folder, Permissions::from_mode(0o1777))?;
        Ok(Self { folder, kind, victims: Vec::new() })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn clear(&self, name: &str) {
        let path = self.path(name);
        // one of both
        fs::remove_file(&path).or_else(|_| fs::remove_dir(&path)).ok();
    }

    /// A file as it should be; one that the daemon makes is not there.
    fn mend(&self, lab: &Lab, (name, usage): (&'static str, Use)) -> Result<()> {
        self.clear(name);
        match usage {
            Use::Reads | Use::Runs => proper(lab, name, usage, &self.path(name)),
            Use::Writes | Use::Tells | Use::Replaces => Ok(()),
        }
    }

    /// Something else in its place.
    fn spoil(&mut self, lab: &Lab, (name, usage): (&'static str, Use)) -> Result<()> {
        self.clear(name);
        let path = self.path(name);
        let node = |words: &[&str]| -> Result<()> {
            let mut command = Command::new("mknod");
            command.arg("-m").arg("0755").arg(&path).args(words);
            ensure!(command.status()?.success(), "{command:?}");
            Ok(())
        };
        match self.kind {
            Kind::Fifo => node(&["p"]),
            Kind::Directory => Ok(fs::create_dir(&path)?),
            Kind::Endless => node(&["c", "1", "5"]),
            Kind::Silent => node(&["c", "1", "11"]),
            Kind::Link => {
                let target = self.folder.join("victims").join(name);
                proper(lab, name, usage, &target)?;
                symlink(&target, &path)?;
                self.watch(name, &target)
            }
            Kind::Foreign => {
                proper(lab, name, usage, &path)?;
                chown(&path, Some(4711), Some(4711))?;
                self.watch(name, &path)
            }
        }
    }

    fn watch(&mut self, name: &'static str, path: &Path) -> Result<()> {
        self.victims.push((name, File::open(path)?));
        Ok(())
    }

    /// Nothing was written where nothing may be.
    fn is_unharmed(&mut self, lab: &Lab, turn: Turn) -> Result<()> {
        for (name, file) in &mut self.victims {
            let mut text = String::new();
            file.rewind()?;
            file.read_to_string(&mut text)?;
            let usage = turn.iter().find(|(of, _)| of == name).map_or(Use::Writes, |(_, usage)| *usage);
            ensure!(text == content(lab, name, usage)?, "{name} was written to: {text:?}");
        }
        Ok(())
    }
}

/// What is in a file that is as it should be; what nobody may touch, in one of the daemon's.
fn content(lab: &Lab, name: &str, usage: Use) -> Result<String> {
    Ok(match (name, usage) {
        ("certificate" | "ca", _) => fs::read_to_string(lab.folder().join("certificate"))?,
        ("key", _) => fs::read_to_string(lab.folder().join("key"))?,
        ("hmac", _) => "0123456789abcdef0123456789abcdef".into(),
        ("include.conf", _) => "# nothing\n".into(),
        ("number", _) => "0\n".into(),
        (_, Use::Runs) => "#!/bin/sh\nexit 0\n".into(),
        _ => "precious\n".into(),
    })
}

fn proper(lab: &Lab, name: &str, usage: Use, path: &Path) -> Result<()> {
    fs::write(path, content(lab, name, usage)?)?;
    let mode = if usage == Use::Runs { 0o755 } else { 0o600 };
    Ok(fs::set_permissions(path, Permissions::from_mode(mode))?)
}

/// With another `step` it is another configuration, and a reload reads everything anew.
fn configuration(router: &Router, folder: &Path, step: u16) -> String {
    let folder = folder.display();
    let number = u8::try_from(router.index() + 1).unwrap_or(255);
    let hmac = format!("auth_hmac {{\n key 1 file:{folder}/hmac\n active_key 1\n }}");
    let instance = Instance::new(Case::PLAIN, 200).vrid(number).with(&hmac).text(router, &[]);
    let server = |port: u16, check: &str| format!(" real_server 127.0.0.1 {port} {{\n {check}\n }}\n");
    let pace = "connect_timeout 1\n retry 0\n delay_loop 1\n warmup 0\n }";
    let servers = [
        server(8080, &format!("TCP_CHECK {{\n {pace}")),
        server(8081, "FILE_CHECK {\n track_file number\n }"),
        server(8082, &format!("MISC_CHECK {{\n misc_path {folder}/misc.sh\n misc_timeout 5\n delay_loop 1\n }}")),
        server(8083, &format!("SSL_GET {{\n tls_verify\n url {{\n path /\n }}\n {pace}")),
        server(8084 + step, ""),
    ];
    format!(
        "global_defs {{\n lvs_backend nftables\n script_user root\n notify_fifo {folder}/all.fifo\n \
         lvs_notify_fifo {folder}/lvs.fifo\n}}\ninclude {folder}/include.conf\n\
         SSL {{\n ca {folder}/ca\n certificate {folder}/certificate\n key {folder}/key\n}}\n\
         track_file number {{\n file {folder}/number\n}}\n{instance}\
         virtual_server 198.51.100.1 80 {{\n lb_kind NAT\n lb_algo rr\n protocol TCP\n quorum_up {folder}/quorum.sh\n{}}}\n",
        servers.concat()
    )
}

/// Certificate and key for all.
fn certify(lab: &Lab) -> Result<()> {
    let make =
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key -out certificate -subj /CN=lab";
    let made = Command::new("openssl").args(make.split(' ')).current_dir(lab.folder()).output()?;
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    Ok(())
}

/// A server that is well: how often it was asked.
fn healthy(router: &Router) -> Result<Arc<AtomicUsize>> {
    let listener = router.namespace().inside(|| Ok(TcpListener::bind("127.0.0.1:8080")?))?;
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    // to the end of the program
    std::thread::spawn(move || {
        while listener.accept().is_ok() {
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    Ok(asked)
}

fn soon() -> Duration {
    patience(Duration::from_secs(5))
}

/// One daemon, told three configurations: while its files are spoilt, mended, and spoilt again.
fn endure(lab: &Lab, router: &Router, kind: Kind, turn: Turn) -> Result<()> {
    let mut place = TestFolder::new(router.folder().join("d"), kind)?;
    for file in TURNS.concat() {
        place.mend(lab, file)?;
    }
    for file in turn {
        place.spoil(lab, *file)?;
    }
    let asked = healthy(router)?;
    let mut running =
        router.start_with(&Daemon::ours(), "d", &configuration(router, &place.folder, 0), &["-D", "-G"])?;
    running.wait_for_log("Startup complete", soon())?;
    let everything = |_: Use| true;
    complains(&running, &place, turn, 0, everything).context("at start")?;
    is_asked(&asked).context("after the start")?;
    dumps(&running, &place, turn)?;

    for file in turn.iter().filter(|(_, usage)| usage.at_reload()) {
        place.mend(lab, *file)?;
    }
    let said = running.log().len();
    reload(&running, &configuration(router, &place.folder, 1))?;
    is_asked(&asked).context("after a reload with all files in order")?;
    for (name, _) in turn.iter().filter(|(_, usage)| *usage == Use::Reads) {
        ensure!(!is_complained(&running, &place.path(name), said), "{name} is in order: {}", running.log());
    }

    for file in turn.iter().filter(|(_, usage)| usage.at_reload()) {
        place.spoil(lab, *file)?;
    }
    let said = running.log().len();
    reload(&running, &configuration(router, &place.folder, 2))?;
    complains(&running, &place, turn, said, Use::at_reload).context("at a reload")?;
    is_asked(&asked).context("after a reload")?;

    // the configuration itself, in the last moment: it is read at a reload, and the old one goes on
    let said = running.log().len();
    place.spoil(lab, ("keepalived.conf", Use::Reads))?;
    running.signal(Signal::HUP)?;
    if Use::Reads.refuses(kind) {
        let is_refused = || Ok(running.log().get(said..).is_some_and(|log| log.contains("Reload refused")));
        wait_until("the reload is refused", soon(), is_refused)?;
        ensure!(is_complained(&running, &place.path("keepalived.conf"), said), "{}", running.log());
        is_asked(&asked).context("after a reload that was refused")?;
    }

    running.signal(Signal::TERM)?;
    let status = running.wait(patience(Duration::from_secs(10)))?;
    ensure!(status.success(), "{status}");
    place.is_unharmed(lab, turn)
}

fn reload(running: &Running, text: &str) -> Result<()> {
    let said = running.log().len();
    running.reload(text)?;
    let is_taken = || Ok(running.log().get(said..).is_some_and(|log| log.contains("Reload: ")));
    wait_until("the reload is taken", soon(), is_taken)
}

fn is_complained(running: &Running, path: &Path, since: usize) -> bool {
    let (log, path) = (running.log(), path.display().to_string());
    let of = |line: &str| line.contains(&path) && COMPLAINTS.iter().any(|words| line.contains(words));
    log.get(since..).is_some_and(|log| log.lines().any(of))
}

/// It says of each file that it has to do without what is wrong with it.
fn complains(running: &Running, place: &TestFolder, turn: Turn, since: usize, of: impl Fn(Use) -> bool) -> Result<()> {
    let opened = turn.iter().filter(|(_, usage)| of(*usage) && *usage != Use::Replaces);
    for (name, _) in opened.filter(|(_, usage)| usage.refuses(place.kind)) {
        let is_said = || Ok(is_complained(running, &place.path(name), since));
        wait_until(&format!("it says what is wrong with {name}"), soon(), is_said)?;
    }
    Ok(())
}

/// The server that is well is asked again and again.
fn is_asked(asked: &AtomicUsize) -> Result<()> {
    let before = asked.load(Ordering::Relaxed);
    wait_until("a healthy server is asked", soon(), || Ok(asked.load(Ordering::Relaxed) >= before + 2))
}

/// Each dump is where it should be, or the reason why it is not.
fn dumps(running: &Running, place: &TestFolder, turn: Turn) -> Result<()> {
    let json = String::from_utf8(Command::new(Daemon::ours().program()).arg("--signum=JSON").output()?.stdout)?;
    for signal in ["USR1", "USR2", json.trim()] {
        let pid = running.pid().as_raw_nonzero().to_string();
        ensure!(Command::new("kill").args(["-s", signal, &pid]).status()?.success(), "kill -s {signal}");
    }
    for (name, usage) in turn.iter().filter(|(_, usage)| *usage == Use::Replaces) {
        let path = place.path(name);
        if usage.refuses(place.kind) {
            wait_until(&format!("{name} is refused"), soon(), || Ok(is_complained(running, &path, 0)))?;
            continue;
        }
        let is_written = || Ok(path.symlink_metadata().is_ok_and(|found| found.is_file() && found.len() > 20));
        wait_until(&format!("{name} is written"), soon(), is_written)?;
    }
    Ok(())
}

/// Kinds that this machine can make.
fn kinds() -> Vec<Kind> {
    // neither devices nor other users: said by `skipped`, and a failure in CI
    let can_make = !sandbox::inside();
    if !can_make {
        skipped("devices and foreign files", "only root of the machine makes them");
    }
    let always = |kind: &Kind| matches!(kind, Kind::Fifo | Kind::Link | Kind::Directory);
    KINDS.into_iter().filter(|kind| can_make || always(kind)).collect()
}

#[test]
fn whatever_stands_in_the_place_of_a_file_stops_nothing() {
    if !only_ours() {
        return; // 2.2.7 hangs
    }
    let kinds = kinds();
    let builder = Builder { routers: kinds.len() * TURNS.len(), segments: 1, filter: Filter::Heads };
    trial_in("files", builder, |lab| {
        certify(lab)?;
        let trials = kinds.iter().flat_map(|kind| TURNS.map(|turn| (*kind, turn)));
        std::thread::scope(|scope| {
            let running: Vec<_> = trials
                .enumerate()
                .map(|(index, (kind, turn))| {
                    let run = move || endure(lab, lab.router(index), kind, turn);
                    (kind, turn, scope.spawn(run))
                })
                .collect();
            for (kind, turn, thread) in running {
                let done = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                done.with_context(|| format!("{kind:?} in the place of {} and others", turn[0].0))?;
            }
            Ok(())
        })
    });
}

/// Without these files no daemon can run: it ends at once, and says why.
#[test]
fn whatever_stands_in_the_place_of_a_file_that_is_needed_is_said_at_the_start() {
    if !only_ours() {
        return;
    }
    let kinds = kinds();
    trial_in("needed files", Builder { routers: 1, segments: 1, filter: Filter::Heads }, |lab| {
        let router = lab.router(0);
        let text = Instance::new(Case::PLAIN, 200).alone(router, &[]);
        let good = lab.folder().join("good.conf");
        fs::write(&good, text)?;
        for kind in kinds {
            let mut place = TestFolder::new(router.folder().join(format!("{kind:?}")), kind)?;
            for (option, usage) in [("-f", Use::Reads), ("-g", Use::Writes), ("-p", Use::Writes)] {
                if !usage.refuses(kind) {
                    continue;
                }
                place.spoil(lab, ("file", usage))?;
                let path = place.path("file").display().to_string();
                let mut arguments = vec!["-n".into(), "-l".into(), "-D".into()];
                for (other, file) in [("-f", &*good), ("-p", &place.path("pid")), ("-r", &place.path("vrrp.pid"))] {
                    let file = if other == option { path.clone() } else { file.display().to_string() };
                    arguments.extend([other.to_owned(), file]);
                }
                if option == "-g" {
                    arguments.push(format!("-g{path}"));
                }
                let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
                let output = Daemon::ours().output(router.namespace(), &place.folder, &arguments)?;
                let said = String::from_utf8_lossy(&output.stderr);
                let is_said =
                    said.lines().any(|line| line.contains(&path) && COMPLAINTS.iter().any(|of| line.contains(of)));
                // 124 is that of timeout(1): it hangs
                let code = output.status.code();
                ensure!(!matches!(code, Some(0 | 124)) && is_said, "{kind:?} for {option}: {code:?} {said}");
            }
            place.is_unharmed(lab, &[])?;
        }
        Ok(())
    });
}
