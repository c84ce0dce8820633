//! Reads the configuration of this machine and says whether it can be used.

mod programs;
mod route_names;

use std::cmp::Reverse;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use keepalived_checks::Pattern;
use keepalived_config::finding::rule;
use keepalived_config::model::{Config, ControlSocket, Regex};
use keepalived_config::{
    Finding, Loaded, Severity, exit_status, facts, fatal, fatal_without_routers, load_with, render,
    render_without_secrets,
};
use keepalived_core::address::InterfaceName;
use keepalived_core::network::{Inventory, Link};
use keepalived_kernel::files::{open_regular, read_text};
use keepalived_kernel::netlink::Rtnetlink;
use keepalived_kernel::network::Network;
use keepalived_kernel::pipe;
use keepalived_kernel::process::{self, NetworkNamespace};

use crate::cli::Options;
use crate::exit;
use crate::files::FileSource;
use crate::secrets::Secrets;
use route_names::RouteNames;

/// A configuration that can be used, with its findings.
#[derive(Debug)]
pub struct Checked {
    /// The configuration.
    pub config: Config,
    /// Findings for the log, with their severity: the worst ones, and how to see the others.
    pub findings: Vec<(Severity, String)>,
    /// What was read, as one text without secrets, for who may ask for it; none if nobody can.
    pub text: Option<OwnedFd>,
    /// What stands in files that it names.
    pub secrets: Secrets,
}

/// Whether the configuration can be used.
#[derive(Debug)]
pub enum Verdict {
    /// It can.
    Usable(Box<Checked>),
    /// It cannot.
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
        let text = logged(&loaded, options).into_iter().map(|(_, text)| text + "\n").collect();
        return Verdict::Unusable { text, status };
    }
    let findings = logged(&loaded, options);
    let global = &loaded.config.global;
    let text = match global.control.socket {
        ControlSocket::None if global.reload.save_directory.is_none() => None,
        // memory that no process shows: it costs nothing but its pages
        _ => pipe::memory("configuration", |out| loaded.tree.try_lines(|line| out.write_all(line))).ok(),
    };
    let mut config = loaded.config;
    let snmp = &mut config.global.snmp;
    if options.snmp {
        (snmp.vrrp, snmp.checker, snmp.rfc2787, snmp.rfc6527) = (true, true, true, true);
    }
    if options.snmp_socket.is_some() {
        snmp.socket.clone_from(&options.snmp_socket);
    }
    let secrets = Secrets::read(&config.global);
    Verdict::Usable(Box::new(Checked { config, findings, text, secrets }))
}

/// The same, for a thread of a running daemon: it gives way to the processes that move addresses.
pub fn check_politely(options: &Options) -> Verdict {
    // on Linux the nice value belongs to the thread; if it is refused, reading takes more of the processor
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

/// The most findings of one configuration that are logged: it may be read again and again.
const MOST_LOGGED: usize = 20;

/// The findings to log, in the order of the text: of many the worst ones, and how to see the others.
fn logged(loaded: &Loaded, options: &Options) -> Vec<(Severity, String)> {
    let mut findings: Vec<&Finding> = loaded.findings.iter().collect();
    if findings.len() > MOST_LOGGED {
        // its number is part of the last line
        findings.retain(|finding| finding.rule != &rule::MORE_FINDINGS);
        let mut worst: Vec<(usize, &Finding)> = findings.iter().copied().enumerate().collect();
        worst.sort_by_key(|(_, finding)| (!finding.rule.fatal, Reverse(finding.rule.severity)));
        worst.truncate(MOST_LOGGED);
        worst.sort_by_key(|(place, _)| *place);
        let more = findings.len().saturating_sub(worst.len()).saturating_add(loaded.left_out);
        let mut lines: Vec<(Severity, String)> = worst.into_iter().map(|(_, finding)| line(finding, loaded)).collect();
        if more > 0 {
            let path = options.config.display();
            let text = format!("{more} more findings are not shown here; keepalived -t -f {path} shows them");
            lines.push((Severity::Warning, text));
        }
        return lines;
    }
    findings.into_iter().map(|finding| line(finding, loaded)).collect()
}

fn line(finding: &Finding, loaded: &Loaded) -> (Severity, String) {
    (finding.rule.severity, render_without_secrets(finding, loaded.files()))
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

/// The network namespace of the interfaces.
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
    /// The namespace in which a daemon with these options would run.
    fn of(options: &'a Options) -> Self {
        options.namespace.as_deref().map_or(Self::Configured, Self::Named)
    }
}

/// The interfaces and programs of this machine.
#[derive(Clone, Debug)]
pub struct Machine {
    links: Vec<Link>,
    known: bool,
    /// The namespace does not exist.
    is_missing: bool,
    /// Whether the namespace of the configuration counts.
    follows_configuration: bool,
    route_names: RouteNames,
}

impl Machine {
    /// If the interfaces cannot be read, each counts as present: the vrrp process finds out later.
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
        // moves only this thread, which ends here
        let look = || namespace.enter().ok().and_then(|()| inventory());
        Self::with(std::thread::scope(|scope| scope.spawn(look).join()).ok().flatten())
    }

    fn with(inventory: Option<Inventory>) -> Self {
        let known = inventory.is_some();
        let links = inventory.map(|inventory| inventory.links).unwrap_or_default();
        Self { links, known, is_missing: false, follows_configuration: false, route_names: RouteNames::default() }
    }
}

/// Where names of routes are read.
struct FileSystem;

impl route_names::Directories for FileSystem {
    fn read(&self, path: &Path) -> Option<String> {
        read_text(path, LARGEST_TABLE).ok()
    }

    fn list(&self, path: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(path).into_iter().flatten();
        entries.take(MOST_TABLES).filter_map(|entry| Some(entry.ok()?.path())).collect()
    }
}

/// Whether something exists. It counts as existing if the lookup fails: the runner looks again, and in doubt does not run the script.
fn may_exist<T>(found: io::Result<Option<T>>) -> bool {
    found.map_or(true, |found| found.is_some())
}

fn inventory() -> Option<Inventory> {
    Rtnetlink::of_addresses_without_events().and_then(|mut network| network.inventory()).ok()
}

impl facts::Facts for Machine {
    fn interface(&self, name: InterfaceName) -> Option<facts::InterfaceFacts> {
        if !self.known {
            return Some(facts::InterfaceFacts::ETHERNET);
        }
        let link = self.links.iter().find(|link| link.name == name)?;
        Some(facts::InterfaceFacts { multicast: link.multicast, mtu: link.mtu, loopback: link.loopback })
    }

    fn route_name(
        &self,
        kind: facts::RouteName,
        name: &str,
        directories: facts::IprouteDirectories<'_>,
    ) -> Option<u32> {
        self.route_names.number((kind, name), directories, &FileSystem).or_else(|| kind.well_known(name))
    }

    fn regex(&self, regex: &Regex) -> Result<(), String> {
        Pattern::new(regex).map(drop).map_err(|problem| problem.to_string())
    }

    fn knows_user(&self, name: &str) -> bool {
        may_exist(process::find_user(name))
    }

    fn knows_group(&self, name: &str) -> bool {
        may_exist(process::find_group(name))
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

fn key_file(path: &str) -> io::Result<facts::KeyFile> {
    let file = open_regular(Path::new(path))?;
    let found = file.metadata()?;
    let mut content = Vec::new();
    file.take(LONGEST_KEY).read_to_end(&mut content)?;
    Ok(facts::KeyFile::Present { content, open: found.mode() & 0o077 != 0 })
}

/// Files of iproute2 that are read in one directory.
const MOST_TABLES: usize = 256;

/// The longest file of iproute2 that is read.
const LARGEST_TABLE: u64 = 1024 * 1024;

/// The longest key file that is read.
const LONGEST_KEY: u64 = 4096;

/// What `text` means on a machine with every interface; for tests.
#[cfg(test)]
pub(crate) fn from_text(text: &str) -> Config {
    let source = keepalived_config::MemorySource::one("/k.conf", text);
    let loaded = keepalived_config::load(&source, Path::new("/k.conf"), &facts::AnyInterface);
    assert!(!fatal(&loaded.findings), "{:?}", loaded.findings);
    loaded.config
}

#[cfg(test)]
mod tests {
    use keepalived_config::MemorySource;

    use super::*;

    #[test]
    fn of_many_findings_the_worst_are_logged_and_how_to_see_the_others() {
        let options = Options { config: "/etc/k.conf".into(), ..Options::default() };
        let logged = |text: String| {
            let loaded = keepalived_config::load(
                &MemorySource::one("/etc/k.conf", text),
                Path::new("/etc/k.conf"),
                &facts::AnyInterface,
            );
            logged(&loaded, &options)
        };
        assert_eq!(logged("foo\n".repeat(MOST_LOGGED)).len(), MOST_LOGGED);
        for (count, more) in [(21, "1 more findings"), (500, "480 more findings"), (100_000, "99980 more findings")] {
            let lines = logged("foo\n".repeat(count));
            assert_eq!(lines.len(), MOST_LOGGED + 1);
            let (_, last) = lines.last().unwrap();
            assert_eq!(*last, format!("{more} are not shown here; keepalived -t -f /etc/k.conf shows them"));
            let size: usize = lines.iter().map(|(_, text)| text.len()).sum();
            assert!(size < 20_000, "{size}");
        }
        // fatal findings are among them, wherever they are
        let lines = logged("foo\n".repeat(500) + "global_defs {\nvrrp_version\n}\n");
        assert!(lines.iter().any(|(_, text)| text.contains("missing-parameter")), "{lines:#?}");
    }
}
