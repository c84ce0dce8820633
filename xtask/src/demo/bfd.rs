//! `cargo xtask demo bfd`: the same two routers, which watch each other with BFD.

use super::{ADDRESS, build, built, keep, play, stay, texts, waits};
use crate::options::{Command as Spec, Given};
use crate::packages;
use crate::say::say;
use anyhow::Result;
use keepalived_lab::{Builder, Daemon, Filter, sandbox};

const CONFIGURATIONS: [&str; 2] = ["docs/examples/two-routers-bfd/a.conf", "docs/examples/two-routers-bfd/b.conf"];

pub(crate) const COMMAND: Spec = Spec {
    name: "demo bfd",
    about: "the same two routers with BFD: the backup does not wait for adverts",
    options: &[keep::OPTION],
};

pub(crate) fn run(options: &Given) -> Result<()> {
    if !sandbox::inside() {
        build()?;
        packages::ensure_installed(&["tcpdump", "iproute2", "iputils-ping", "util-linux"])?;
    }
    sandbox::reenter()?;
    let daemon = Daemon::built(built()?);
    daemon.check()?;
    let lab = Builder { routers: 3, segments: 1, filter: Filter::Everything }.build("demo-bfd", None)?;
    say!("Two routers and a client on one network. {daemon}: {}", daemon.version());
    say!("The address {ADDRESS} belongs to whichever router is master; the client pings it every 10 ms.");
    say!("The routers send each other BFD packets every 50 ms, and three may be missing.\n");
    let keeps = options.has(keep::OPTION.name);
    let texts = texts(CONFIGURATIONS, keeps)?;
    let (times, _running) = play(&lab, &daemon, &texts)?;
    times.print_rows(None);
    let (_, wait) = waits();
    say!(
        "\nWithout BFD router b waits {wait:.4} s after the last advert; BFD says after 0.15 s that router a is silent."
    );
    say!("It sent its first advert {:.1} ms after router a died,", times.b_advert.since(times.killed) * 1000.0);
    times.print_end();
    if keeps { stay(&lab, &daemon, &texts) } else { Ok(()) }
}
