//! `cargo xtask demo page`: one of everything for the status page and the terminal, and the pictures that README shows.

mod terminal;

use super::{build, built, keep};
use crate::listener::{Listener, Service};
use crate::options::{Command as Spec, Given, Known};
use crate::packages;
use crate::say::say;
use anyhow::{Context as _, Result, ensure};
use keepalived_kernel::process::NetworkNamespace;
use keepalived_lab::{Browser, Builder, Colours, Daemon, Filter, Lab, Running, patience, sandbox, wait_until};
use std::path::{Path, PathBuf};
use std::time::Duration;

const CONFIGURATIONS: [&str; 2] = ["docs/examples/everything/lb1.conf", "docs/examples/everything/lb2.conf"];
const PICTURES: &str = "docs/pictures";

/// README grows with each octet of them.
const LARGEST_PICTURE: usize = 150_000;

/// Real servers of the examples, all at lb2.
const SERVERS: [(u16, &str); 3] = [(8001, "a"), (8002, "b"), (8003, "c")];

pub(crate) const COMMAND: Spec = Spec {
    name: "demo page",
    about: "one of everything for the status page: routers, servers and a tracker, some of them not well",
    options: &[
        keep::OPTION,
        Known { name: "--pictures", value: "", about: "make the pictures that README shows, in docs/pictures" },
    ],
};

pub(crate) fn run(options: &Given) -> Result<()> {
    let pictures = options.has("--pictures");
    if !sandbox::inside() {
        build()?;
        let more: &[&str] = if pictures { &["chromium", "bsdutils"] } else { &[] };
        packages::ensure_installed(&[&["tcpdump", "iproute2", "nftables", "util-linux"], more].concat())?;
    }
    sandbox::reenter()?;
    let daemon = Daemon::built(built()?);
    daemon.check()?;
    let lab = Builder { routers: 2, segments: 2, filter: Filter::Everything }.build("demo-page", None)?;
    say!("Two load balancers, lb1 and lb2, and three web servers. {}\n", daemon.version());
    let [first, second] = play(&lab, &daemon)?;
    say!("{}", ctl(&lab, &first, "status --color never")?.trim_end());
    if pictures {
        take(&lab, &first)?;
    }
    if options.has(keep::OPTION.name) {
        return keep::until_interrupted(&lab, &[(0, "lb1"), (1, "lb2")]);
    }
    drop(second);
    Ok(())
}

/// Starts both, and lets some of it fail.
fn play(lab: &Lab, daemon: &Daemon) -> Result<[Running; 2]> {
    let wait = |what: &str, is: &dyn Fn() -> Result<bool>| wait_until(what, patience(Duration::from_secs(20)), is);
    let text = |path: &str| std::fs::read_to_string(path).context(path.to_owned());
    let mut servers = Vec::new();
    for (port, name) in SERVERS {
        servers.push(serve(lab, port, name)?);
    }
    let first = lab.router(0).start(daemon, "keepalived", &text(CONFIGURATIONS[0])?)?;
    let says = |word: &str| Ok(ctl(lab, &first, "status --color never").is_ok_and(|status| status.contains(word)));
    wait("lb1 serves", &|| says("3 of 3 up"))?;
    std::thread::sleep(Duration::from_secs(5));
    let second = lab.router(1).start(daemon, "keepalived", &text(CONFIGURATIONS[1])?)?;
    wait("lb2 takes its share", &|| says("BACKUP"))?;
    ctl(lab, &first, "drain 10.0.0.2:8002")?;
    servers.pop().context("three")?.close()?;
    wait("a server is out", &|| says("connection refused"))?;
    std::thread::sleep(Duration::from_secs(5));
    lab.pull(0, 1)?;
    wait("a cable is out", &|| says("FAULT"))?;
    std::thread::sleep(Duration::from_secs(15));
    // they serve until this program ends
    std::mem::forget(servers);
    Ok([first, second])
}

fn serve(lab: &Lab, port: u16, name: &'static str) -> Result<Listener> {
    let namespace = NetworkNamespace::named(lab.router(1).namespace().name())?;
    let serve = move || {
        namespace.enter()?;
        Listener::start(port, Service::Http(name))
    };
    std::thread::spawn(serve).join().expect("it does not panic")
}

fn control(running: &Running) -> Result<(PathBuf, PathBuf)> {
    Ok((built()?.with_file_name("keepalivedctl"), running.file("pid").with_extension("sock")))
}

/// What keepalivedctl says.
fn ctl(lab: &Lab, running: &Running, words: &str) -> Result<String> {
    let (program, socket) = control(running)?;
    let mut command = lab.router(0).namespace().command(program);
    let output = command.args(words.split_whitespace()).arg("--socket").arg(socket).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn take(lab: &Lab, running: &Running) -> Result<()> {
    let namespace = lab.router(0).namespace();
    let mut browser = Browser::start(namespace, &lab.folder().join("chromium"))?;
    browser.look([970, 800], Colours::Light)?;
    browser.open("http://127.0.0.1:9650/?still")?;
    browser.wait("it is drawn", "document.querySelectorAll('.sheet').length > 3")?;
    // a wide page in a picture as narrow as README
    browser.evaluate("document.body.style.zoom = 0.8")?;
    let end = browser.evaluate("Math.ceil(document.querySelector('footer').getBoundingClientRect().bottom)")?;
    let end = end.as_u64().and_then(|end| u32::try_from(end).ok()).context("no end")?;
    save("page.png", &browser.picture(Some([970, end]))?)?;
    let (program, socket) = control(running)?;
    let screen = terminal::screen(namespace, &program, &socket, [110, 34])?;
    let page = lab.folder().join("watch.html");
    std::fs::write(&page, terminal::page(&screen))?;
    browser.open(&format!("file://{}", page.display()))?;
    browser.wait("it is drawn", "document.querySelector('pre') !== null")?;
    let size = browser.evaluate("(() => { const at = document.querySelector('pre').getBoundingClientRect(); return [Math.ceil(at.width), Math.ceil(at.height)]; })()")?;
    let side = |place: usize| size[place].as_u64().and_then(|side| u32::try_from(side).ok()).context("no size");
    save("watch.png", &browser.picture(Some([side(0)?, side(1)?]))?)
}

fn save(name: &str, picture: &[u8]) -> Result<()> {
    std::fs::create_dir_all(PICTURES)?;
    let path = Path::new(PICTURES).join(name);
    let size = picture.len();
    ensure!(size < LARGEST_PICTURE, "{}: {size} octets are too many for a picture of README", path.display());
    std::fs::write(&path, picture)?;
    say!("{}: {size} octets", path.display());
    Ok(())
}
