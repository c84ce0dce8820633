//! A configuration, and how things are, in the words of keepalived's dumps: labels that scripts know, in the order that they know.
//!
//! Without a [`Now`] (`--dump-conf`) the state of things stays out, or has the value that it has at start. The format is that
//! of 2.4.3; docs/differences.md says where this departs from it.

mod balance;
mod bfd;
mod checks;
mod global;
mod links;
mod now;
mod router;
mod routing;
mod tracking;

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use keepalived_core::address::InterfaceName;
use keepalived_core::vrrp::Family;

pub use now::{CheckNow, LinkNow, MasterNow, Moment, Now, RouterNow, ServerNow, ServiceNow, TrackerNow, seconds};
pub use router::{InstanceWords, wants, words_of};

use crate::model::{Config, Script, ScriptGroup};

/// What the dump shows and a configuration does not say. It leaves out what is not known, or shows its name.
pub trait Host {
    /// The name of this machine up to its first dot.
    fn name(&self) -> Option<String> {
        None
    }

    /// Number and first group of a user.
    fn user(&self, name: &str) -> Option<(u32, u32)> {
        (name == "root").then_some((0, 0))
    }

    /// Number of a group.
    fn group(&self, name: &str) -> Option<u32> {
        (name == "root").then_some(0)
    }

    /// The address that adverts over an interface come from.
    fn source(&self, _interface: InterfaceName, _family: Family) -> Option<IpAddr> {
        None
    }

    /// Where the links in the path of a program lead, if there are any.
    fn program(&self, _path: &str) -> Option<String> {
        None
    }

    /// The number of an interface.
    fn index(&self, _interface: InterfaceName) -> Option<u32> {
        None
    }

    /// Links of this machine, in the order of their numbers.
    fn links(&self) -> Vec<LinkNow> {
        Vec::new()
    }

    /// What the clocks of this machine show, in the words of `ctime`, to the second: `Sat Nov 21 04:29:51`, and the year.
    fn date(&self, _time: Moment) -> Option<(String, i32)> {
        None
    }
}

/// No machine in particular.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Nowhere;

impl Host for Nowhere {}

/// Shows everything in `config`, one line each.
pub fn dump(config: &Config) -> String {
    dump_on(config, &Nowhere)
}

/// The same, with what `host` knows.
pub fn dump_on(config: &Config, host: &dyn Host) -> String {
    let mut page = Page::new(config, host, None);
    global::write(&mut page, Part::Vrrp);
    routing::write_static(&mut page);
    router::write(&mut page);
    tracking::write(&mut page);
    balance::write(&mut page);
    checks::write(&mut page);
    bfd::write(&mut page);
    page.text
}

/// `keepalived.data`: what the vrrp process is about, as it is now.
pub fn vrrp_data(config: &Config, host: &dyn Host, now: &Now) -> String {
    let mut page = Page::new(config, host, Some(now));
    global::write(&mut page, Part::Vrrp);
    routing::write_static(&mut page);
    router::write(&mut page);
    tracking::write(&mut page);
    links::write(&mut page);
    page.text
}

/// `keepalived_check.data`: what the checker process is about, as it is now.
pub fn checker_data(config: &Config, host: &dyn Host, now: &Now) -> String {
    let mut page = Page::new(config, host, Some(now));
    global::write(&mut page, Part::Other);
    balance::write(&mut page);
    checks::write(&mut page);
    page.text
}

/// `keepalived_parent.data`, and the beginning of what the other processes write.
pub fn parent_data(config: &Config, host: &dyn Host) -> String {
    let mut page = Page::new(config, host, None);
    global::write(&mut page, Part::Other);
    page.text
}

/// Whose file it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Vrrp,
    Other,
}

/// What has been written so far, and what it is about.
struct Page<'a> {
    text: String,
    config: &'a Config,
    host: &'a dyn Host,
    now: Option<&'a Now>,
}

impl<'a> Page<'a> {
    const fn new(config: &'a Config, host: &'a dyn Host, now: Option<&'a Now>) -> Self {
        Self { text: String::new(), config, host, now }
    }

    /// A time with its date in brackets.
    fn moment(&self, time: Moment) -> String {
        let date = self.host.date(time).map(|(date, year)| format!(" ({date}.{:06} {year})", time.subsec_micros()));
        seconds(time) + &date.unwrap_or_default()
    }

    /// Writes a line. Control characters, which a name may have, become question marks: a line stays a line.
    fn line(&mut self, line: fmt::Arguments<'_>) {
        let line = line.to_string();
        self.text.extend(line.chars().map(|c| if c.is_control() { '?' } else { c }));
        self.text.push('\n');
    }

    /// `UID:GID` of a script.
    fn owner(&self, script: &Script) -> String {
        match &script.user {
            Some(user) => self.ids(user, script.group.as_ref()),
            None => self.default_owner(),
        }
    }

    /// `UID:GID` of scripts that say nothing.
    fn default_owner(&self) -> String {
        let usual = "keepalived_script";
        match &self.config.global.scripts.user {
            Some(user) => self.ids(&user.name, user.group.as_ref()),
            None if self.host.user(usual).is_some() => self.ids(usual, None),
            None => self.ids("root", None),
        }
    }

    fn ids(&self, user: &str, group: Option<&ScriptGroup>) -> String {
        let number = |name: &str| name.parse::<u32>().ok();
        let known = self.host.user(user).or_else(|| number(user).map(|id| (id, id)));
        let uid = known.map_or_else(|| user.to_owned(), |(uid, _)| uid.to_string());
        let own_gid = || known.map_or_else(|| user.to_owned(), |(_, gid)| gid.to_string());
        let gid = match group.and_then(|group| group.name.as_deref()) {
            None => own_gid(),
            Some(name) => {
                self.host.group(name).or_else(|| number(name)).map_or_else(|| name.to_owned(), |gid| gid.to_string())
            }
        };
        format!("{uid}:{gid}")
    }

    /// What is run instead of the program that is written, if its path has links.
    fn program(&self, script: &Script) -> Option<String> {
        let follows = !self.config.global.scripts.symlink_paths;
        script.argv.first().filter(|_| follows).and_then(|path| self.host.program(path))
    }

    /// A command with its owner.
    fn command(&self, script: &Script) -> String {
        format!("{}, uid:gid {}", quoted(&script.argv), self.owner(script))
    }

    /// The same, after the program that is run instead.
    fn whole_command(&self, script: &Script) -> String {
        let program = self.program(script).map(|program| format!("{program}, params = ")).unwrap_or_default();
        program + &self.command(script)
    }
}

macro_rules! say {
    ($page:expr, $($words:tt)*) => { $page.line(format_args!($($words)*)) };
}
use say;

/// Words as a shell would take them.
pub fn quoted(argv: &[String]) -> String {
    let words: Vec<String> = argv.iter().map(|word| format!("'{}'", word.replace('\'', r"'\''"))).collect();
    words.join(" ")
}

/// Seconds with six places.
fn decimal(time: Duration) -> String {
    format!("{}.{:06}", time.as_secs(), time.subsec_micros())
}

const fn yes(on: bool) -> &'static str {
    if on { "yes" } else { "no" }
}

const fn on(on: bool) -> &'static str {
    if on { "ON" } else { "OFF" }
}

const fn enabled(on: bool) -> &'static str {
    if on { "enabled" } else { "disabled" }
}

const fn set(on: bool) -> &'static str {
    if on { "set" } else { "unset" }
}
