//! `cargo xtask demo`: two routers, one address, and the master dies.

pub(crate) mod balance;
pub(crate) mod bfd;
pub(crate) mod keep;
pub(crate) mod page;

use crate::options::{Command as Spec, Given, Known};
use crate::packages;
use crate::say::say;
use anyhow::{Context as _, Result, ensure};
use keepalived_lab::{Builder, Daemon, Event, Filter, Flavour, Kind, Lab, Mac, Running, Stamp, patience, sandbox};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

const CONFIGURATIONS: [&str; 2] = ["docs/examples/two-routers/a.conf", "docs/examples/two-routers/b.conf"];
const NAMES: [&str; 2] = ["router a", "router b"];
// what the example configurations say
const VRID: u8 = 51;
const ADDRESS: &str = "10.0.1.100";
const INTERVAL: f64 = 1.0;
const PRIORITY_OF_B: f64 = 100.0;
const CLIENT: usize = 2;

pub(crate) const COMMAND: Spec = Spec {
    name: "demo",
    about: "two routers, one address: the master dies, and you watch",
    options: &[
        Known { name: "--daemon", value: "ours|debian", about: "whose keepalived; ours unless said otherwise" },
        keep::OPTION,
    ],
};

pub(crate) fn run(options: &Given) -> Result<()> {
    let daemon = match options.one_of("--daemon", &["ours", "debian"])? {
        "ours" => Daemon::built(built()?),
        _debian => Daemon::debian(),
    };
    let keeps = options.has(keep::OPTION.name);
    ensure!(!keeps || daemon.flavour() == Flavour::Ours, "--keep shows the status page, which only ours has");
    // the second time round, inside the user namespace, there is no network to install from and nothing left to build
    if !sandbox::inside() {
        let mut packages = vec!["tcpdump", "iproute2", "iputils-ping", "util-linux"];
        if daemon.flavour() == Flavour::Debian {
            packages.push("keepalived");
        } else {
            build()?;
        }
        packages::ensure_installed(&packages)?;
    }
    sandbox::reenter()?;
    daemon.check()?;
    let lab = Builder { routers: 3, segments: 1, filter: Filter::Everything }.build("demo", None)?;
    say!("Two routers and a client on one network. {daemon}: {}", daemon.version());
    say!("The address {ADDRESS} belongs to whichever router is master; the client pings it every 10 ms.\n");
    let texts = texts(CONFIGURATIONS, keeps)?;
    let (times, _running) = play(&lab, &daemon, &texts)?;
    times.print();
    if keeps { stay(&lab, &daemon, &texts) } else { Ok(()) }
}

/// The configurations of both routers; with the status page if they stay up.
fn texts(paths: [&'static str; 2], keeps: bool) -> Result<[String; 2]> {
    let text = |path: &'static str| {
        let text = std::fs::read_to_string(path).context(path)?;
        anyhow::Ok(if keeps { keep::with_page(&text) } else { text })
    };
    Ok([text(paths[0])?, text(paths[1])?])
}

/// Starts router a again, and leaves all of it up.
fn stay(lab: &Lab, daemon: &Daemon, texts: &[String; 2]) -> Result<()> {
    lab.plug(0, 0)?;
    let _running = lab.router(0).start(daemon, "keepalived", &texts[0])?;
    say!("\nRouter a is started again.");
    keep::until_interrupted(lab, &[(0, NAMES[0]), (1, NAMES[1])])
}

/// Where [`build`] puts our daemon: in the target folder that this program itself is in.
pub(crate) fn built() -> Result<PathBuf> {
    let me = std::env::current_exe().context("where is this program?")?;
    let target = me.ancestors().nth(2).context("not in a target folder")?;
    Ok(target.join("release/keepalived"))
}

pub(crate) fn build() -> Result<()> {
    say!("building keepalived (release) ...");
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let status = command
        .args(["build", "--release", "--quiet", "--package", "keepalived-daemon", "--package", "keepalived-cli"])
        .status()?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}

/// What happened when.
struct Times {
    a_started: Stamp,
    a_master: Stamp,
    a_garp: Option<Stamp>,
    b_started: Stamp,
    last_advert: Stamp,
    killed: Stamp,
    last_answer: Stamp,
    b_advert: Stamp,
    b_garp: Stamp,
    answer: Stamp,
}

/// Both routers start with these configurations, and the first one dies. The second one goes on.
fn play(lab: &Lab, daemon: &Daemon, texts: &[String; 2]) -> Result<(Times, Running)> {
    let wire = lab.capture();
    let [a, b] = [lab.router(0), lab.router(1)];
    let wait = patience(Duration::from_secs(4));
    let a_started = Stamp::now();
    let running_a = a.start(daemon, "keepalived", &texts[0])?;
    let a_master = wire.wait_advert(0, a.mac(0), VRID, wait).context(running_a.log())?.at;
    let b_started = Stamp::now();
    let running_b = b.start(daemon, "keepalived", &texts[1])?;
    let mut ping = lab.router(CLIENT).namespace().command("ping");
    let mut ping =
        ping.args(["-n", "-q", "-i", "0.01", ADDRESS]).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    std::thread::sleep(Duration::from_millis(2500));

    // the death of a machine: no process speaks any more, and its kernel does not answer for the address either
    let mark = wire.mark()?;
    let killed = Stamp::now();
    running_a.kill();
    lab.pull(0, 0)?;
    let outcome = wire.wait_advert(mark, b.mac(0), VRID, wait).context(running_b.log());
    std::thread::sleep(Duration::from_millis(700));
    let _ = ping.kill();
    ping.wait()?;
    let b_advert = outcome?.at;

    let events = wire.events()?;
    let ours = |mac: Mac| move |event: &&Event| event.mac == mac;
    let advert = |event: &&Event| event.advert().is_some_and(|advert| advert.vrid == VRID && advert.priority > 0);
    let address: IpAddr = ADDRESS.parse()?;
    let garp = |event: &&Event| event.announces() == Some(address);
    let echo = |wanted: bool| move |event: &&Event| matches!(event.kind, Kind::Echo { reply, .. } if reply == wanted);
    let at = |event: &Event| event.at;
    let late = |event: &&Event| event.at > b_advert;
    let early = |event: &&Event| event.at < b_advert;
    let b_mac = b.mac(0);
    let answer = events.iter().filter(late).filter(ours(b_mac)).filter(echo(true)).map(at).next();
    let answer = answer.context("router b never answered a ping")?;
    let last_answer = events.iter().filter(early).rfind(echo(true)).map(at).context("no ping was answered at all")?;
    let times = Times {
        a_started,
        a_master,
        a_garp: events.iter().filter(ours(a.mac(0))).find(garp).map(at),
        b_started,
        last_advert: events.iter().filter(ours(a.mac(0))).rfind(advert).map(at).context("router a sent no advert")?,
        killed,
        last_answer,
        b_advert,
        b_garp: events.iter().filter(ours(b_mac)).find(garp).map(at).context("router b sent no gratuitous ARP")?,
        answer,
    };
    Ok((times, running_b))
}

impl Times {
    fn print(&self) {
        let (skew, wait) = waits();
        let may = (
            self.last_advert.since(self.killed) + wait,
            NAMES[1].to_owned(),
            "has heard nothing for 3 intervals + skew: it may take over now".to_owned(),
        );
        self.print_rows(Some(may));
        let milli = |seconds: f64| seconds * 1000.0;
        let silence = self.b_advert.since(self.last_advert);
        say!();
        say!("The protocol makes router b wait {wait:.4} s after the last advert it heard:");
        say!("   3 intervals of {INTERVAL} s + skew of (256 - {PRIORITY_OF_B}) / 256 x {INTERVAL} s = {skew:.4} s");
        say!("It sent its first advert after   {silence:.4} s: {:.2} ms beyond that,", milli(silence - wait));
        self.print_end();
    }

    /// What happened, in order; `more` is something that did not happen.
    fn print_rows(&self, more: Option<(f64, String, String)>) {
        let [a, b] = NAMES;
        let row = |at: Stamp, who: &str, what: &str| (at.since(self.killed), who.to_owned(), what.to_owned());
        let mut rows = vec![
            row(self.a_started, a, "started, priority 200"),
            row(self.a_master, a, "is master: sends its first advert"),
            row(self.b_started, b, "started, priority 100; hears adverts and stays backup"),
            row(self.last_advert, a, "sends what will have been its last advert"),
            row(self.killed, a, "DIES: kill -9 of all its processes, and its cable is out"),
            row(self.last_answer, "client", "gets its last answer from router a"),
            row(self.b_advert, b, "IS MASTER: sends its first advert"),
            row(self.b_garp, b, "sends its first gratuitous ARP: \"the address is here\""),
            row(self.answer, "client", "gets its first answer from router b"),
        ];
        rows.extend(self.a_garp.map(|at| row(at, a, "sends its first gratuitous ARP: \"the address is here\"")));
        rows.extend(more);
        rows.sort_by(|one, other| one.0.total_cmp(&other.0));
        say!("   seconds   who        what");
        for (at, who, what) in rows {
            say!("{at:+10.4}   {who:<10} {what}");
        }
    }

    /// From the first advert of the new master to the client.
    fn print_end(&self) {
        let milli = |seconds: f64| seconds * 1000.0;
        say!("the first gratuitous ARP came    {:.2} ms after that advert,", milli(self.b_garp.since(self.b_advert)));
        say!("the first answered ping          {:.2} ms after that.", milli(self.answer.since(self.b_garp)));
        say!("The client was without an answer for {:.3} s.", self.answer.since(self.last_answer));
    }
}

/// The skew of router b, and how long it waits for adverts.
const fn waits() -> (f64, f64) {
    let skew = (256.0 - PRIORITY_OF_B) / 256.0 * INTERVAL;
    (skew, 3.0 * INTERVAL + skew)
}
