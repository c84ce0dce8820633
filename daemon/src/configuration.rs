//! Reads the configuration of this machine and says whether it can be used.

mod programs;

use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use keepalived_checks::Pattern;
use keepalived_config::finding::rule;
use keepalived_config::model::{Config, Regex};
use keepalived_config::{
    Finding, Loaded, Severity, exit_status, facts, fatal, fatal_without_routers, load_with, render,
};
use keepalived_core::address::InterfaceName;
use keepalived_core::network::{Inventory, Link};
use keepalived_kernel::files::{open_regular, read_text};
use keepalived_kernel::netlink::Rtnetlink;
use keepalived_kernel::network::Network;
use keepalived_kernel::process::{self, NetworkNamespace};

use crate::cli::Options;
use crate::exit;
use crate::files::FileSource;

/// A configuration that can be used, with what there is to say about it.
#[derive(Debug)]
pub struct Checked {
    /// What it means.
    pub config: Config,
    /// Rendered, with how bad each is.
    pub findings: Vec<(Severity, String)>,
}

/// Whether the configuration can be used.
#[derive(Debug)]
pub enum Verdict {
    /// It can.
    Usable(Box<Checked>),
    /// It cannot; the text says why, and the daemon would exit with the status.
    Unusable {
        /// For people.
        text: String,
        /// Exit status at start.
        status: u8,
    },
}

/// Reads and judges the configuration of a daemon that starts.
pub fn check(options: &Options) -> Verdict {
    judge(options, &Machine::look(Place::of(options)))
}

fn judge(options: &Options, machine: &Machine) -> Verdict {
    let loaded = read(options, machine);
    let unusable = if options.vrrp { fatal(&loaded.findings) } else { fatal_without_routers(&loaded.findings) };
    if unusable {
        let status = if missing(&loaded) { exit::NO_CONFIGURATION } else { exit::CONFIGURATION };
        return Verdict::Unusable { text: shown(&loaded), status };
    }
    let findings =
        loaded.findings.iter().map(|finding| (finding.rule.severity, render(finding, loaded.files()))).collect();
    Verdict::Usable(Box::new(Checked { config: loaded.config, findings }))
}

/// The same, for a thread of a daemon that runs: it gives way to the processes which move addresses.
pub fn check_politely(options: &Options) -> Verdict {
    // on Linux the nice value belongs to the thread; where it is refused, reading is merely less polite
    process::set_nice(POLITE).ok();
    // a daemon that runs is where it belongs
    judge(options, &Machine::look(Place::Here))
}

/// Nice value for reading while running.
const POLITE: i8 = 10;

/// `-t`: the text for people, and the exit status.
pub fn test(options: &Options) -> (String, u8) {
    let loaded = read(options, &Machine::look(Place::of(options)));
    (shown(&loaded), exit_status(&loaded.findings))
}

fn read(options: &Options, machine: &Machine) -> Loaded {
    let reading = keepalived_config::Options {
        config_id: options.config_id.clone().unwrap_or_else(host_name),
        check_includes: options.all_include_checks,
        seed: clock_seed(),
    };
    let mut loaded = load_with(&FileSource, &options.config, machine, &reading);
    if let (Some(name), true) = (&options.namespace, machine.is_missing) {
        let message = format!("there is no network namespace {name}");
        loaded.findings.insert(0, Finding::anywhere(&rule::NAMESPACE_MISSING, message));
    }
    loaded
}

/// Another one each time: `${_RANDOM}` without `random_seed`.
fn clock_seed() -> u64 {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    since.as_secs().rotate_left(32) ^ u64::from(since.subsec_nanos())
}

fn shown(loaded: &Loaded) -> String {
    loaded.findings.iter().map(|finding| render(finding, loaded.files()) + "\n").collect()
}

fn missing(loaded: &Loaded) -> bool {
    let about_files = |finding: &Finding| {
        let class = finding.rule.class;
        finding.rule.fatal
            && (class == keepalived_config::Class::FileNotFound || class == keepalived_config::Class::Security)
    };
    loaded.findings.iter().any(about_files)
}

/// The node name up to its first dot.
pub fn host_name() -> String {
    let name = read_text(Path::new("/proc/sys/kernel/hostname"), 256).unwrap_or_default();
    name.trim().split('.').next().unwrap_or_default().to_owned()
}

/// In which network namespace interfaces are looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place<'a> {
    /// That of the calling thread.
    Here,
    /// That of `net_namespace`, if the configuration has one, else that of the calling thread.
    Configured,
    /// This one.
    Named(&'a str),
}

impl<'a> Place<'a> {
    /// Where a daemon with these options would run.
    fn of(options: &'a Options) -> Self {
        options.namespace.as_deref().map_or(Self::Configured, Self::Named)
    }
}

/// The interfaces that there are: the facts of this machine.
#[derive(Clone, Debug)]
pub struct Machine {
    links: Vec<Link>,
    known: bool,
    /// The namespace to look at is not there.
    is_missing: bool,
    /// Whether the configuration may name a namespace to look at.
    follows_configuration: bool,
}

impl Machine {
    /// If the interfaces cannot be read, each is taken for present: the vrrp process will find out.
    pub fn look(place: Place<'_>) -> Self {
        match place {
            Place::Named(name) => Self::look_inside(name),
            Place::Here | Place::Configured => {
                Self { follows_configuration: place == Place::Configured, ..Self::with(inventory()) }
            }
        }
    }

    fn look_inside(namespace: &str) -> Self {
        let Ok(namespace) = NetworkNamespace::named(namespace) else {
            return Self { is_missing: true, ..Self::with(None) };
        };
        // only this thread is moved, and it ends here
        let look = || namespace.enter().ok().and_then(|()| inventory());
        Self::with(std::thread::scope(|scope| scope.spawn(look).join()).ok().flatten())
    }

    fn with(inventory: Option<Inventory>) -> Self {
        let known = inventory.is_some();
        let links = inventory.map(|inventory| inventory.links).unwrap_or_default();
        Self { links, known, is_missing: false, follows_configuration: false }
    }
}

fn inventory() -> Option<Inventory> {
    Rtnetlink::without_events().and_then(|mut network| network.inventory()).ok()
}

impl facts::Facts for Machine {
    fn interface(&self, name: InterfaceName) -> Option<facts::InterfaceFacts> {
        if !self.known {
            return Some(facts::InterfaceFacts::ETHERNET);
        }
        let link = self.links.iter().find(|link| link.name == name)?;
        Some(facts::InterfaceFacts { multicast: link.multicast, mtu: link.mtu, loopback: link.loopback })
    }

    fn route_name(&self, kind: facts::RouteName, name: &str) -> Option<u32> {
        let paths = ["/etc/iproute2", "/usr/share/iproute2", "/usr/lib/iproute2"]
            .map(|directory| Path::new(directory).join(kind.file()));
        let number = |path: &std::path::PathBuf| named(&read_text(path, LARGEST_TABLE).ok()?, name);
        paths.iter().find_map(number).or_else(|| kind.well_known(name))
    }

    fn regex(&self, regex: &Regex) -> Result<(), String> {
        Pattern::new(regex).map(drop).map_err(|problem| problem.to_string())
    }

    fn knows_user(&self, name: &str) -> bool {
        process::user(name).is_some()
    }

    fn knows_group(&self, name: &str) -> bool {
        process::group(name).is_some()
    }

    fn program(&self, program: &str, owner: facts::Owner<'_>) -> facts::Program {
        programs::look(program, owner)
    }

    fn has_directory(&self, path: &str) -> bool {
        Path::new(path).parent().is_none_or(|directory| directory.as_os_str().is_empty() || directory.is_dir())
    }

    fn key_file(&self, path: &str) -> facts::KeyFile {
        key_file(path).unwrap_or(facts::KeyFile::Missing)
    }

    fn inside(&self, name: &str) -> Option<facts::Inside> {
        let inside = self.follows_configuration.then(|| Self::look_inside(name))?;
        Some(facts::Inside { exists: !inside.is_missing, facts: Box::new(inside) })
    }
}

/// What `program` is now if `runner` runs it.
pub fn program(program: &str, runner: process::Account) -> facts::Program {
    programs::look_as(program, runner)
}

fn key_file(path: &str) -> std::io::Result<facts::KeyFile> {
    let file = open_regular(Path::new(path))?;
    let found = file.metadata()?;
    let mut content = Vec::new();
    file.take(LONGEST_KEY).read_to_end(&mut content)?;
    Ok(facts::KeyFile::Present { content, open: found.mode() & 0o077 != 0 })
}

/// A file of iproute2 that is longer is none.
const LARGEST_TABLE: u64 = 1024 * 1024;

/// More of a key file is not read; keys are shorter.
const LONGEST_KEY: u64 = 4096;

/// The number of `name` in a file of iproute2: a number and a name in each line, `#` begins a comment.
fn named(text: &str, name: &str) -> Option<u32> {
    text.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let (number, found) = (words.next()?, words.next()?);
        let number = match number.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16).ok()?,
            None => number.parse().ok()?,
        };
        (found == name).then_some(number)
    })
}

/// What `text` means on a machine with every interface; for tests.
#[cfg(test)]
pub(crate) fn from_text(text: &str) -> Config {
    let source = keepalived_config::MemorySource::one("/k.conf", text);
    let loaded = keepalived_config::load(&source, Path::new("/k.conf"), &facts::AnyInterface);
    assert!(!fatal(&loaded.findings), "{:?}", loaded.findings);
    loaded.config
}
