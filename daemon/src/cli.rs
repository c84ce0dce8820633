//! The command line: keepalived's, option by option, with GNU's abbreviations and optional arguments.

use std::ffi::OsString;
use std::path::PathBuf;

mod table;

use table::Name;
pub use table::{OPTIONS, Row, Takes};

/// The text of `--help`.
pub fn help() -> String {
    table::help()
}

/// The request of a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Run.
    Run(Options),
    /// Check the configuration, and say so with the exit status (`-t`).
    Test(Options, Option<PathBuf>),
    /// Print the version (`-v`).
    Version,
    /// Print the options (`-h`).
    Help,
    /// Print the number of a signal (`--signum`).
    SignalNumber(String),
    /// Become genhash (`--genhash`).
    Genhash,
}

/// How to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// `-f`
    pub config: PathBuf,
    /// Whether `-f` was given.
    pub config_given: bool,
    /// `-C` clears it: run VRRP.
    pub vrrp: bool,
    /// Run the health checkers.
    pub checker: bool,
    /// Run BFD.
    pub bfd: bool,
    /// `--all`
    pub all: bool,
    /// `-n`
    pub foreground: bool,
    /// `-l`
    pub console: bool,
    /// `-D`, counted
    pub detail: u8,
    /// `-S`
    pub facility: Facility,
    /// `-g`: the file, or the default one
    pub log_file: Option<Option<PathBuf>>,
    /// `--flush-log-file`
    pub flush_log_file: bool,
    /// `-G`
    pub no_syslog: bool,
    /// `--log-json`, ours: console and file get JSON lines
    pub log_json: bool,
    /// `-u`
    pub umask: Option<u32>,
    /// `-V`: keep addresses at exit
    pub keep_addresses: bool,
    /// Keep the table of the load balancer at exit.
    pub keep_services: bool,
    /// `-R`
    pub no_respawn: bool,
    /// `-d`
    pub dump: bool,
    /// Serve all MIBs (`-x`).
    pub snmp: bool,
    /// Where the AgentX master is (`-A`).
    pub snmp_socket: Option<String>,
    /// `-p`
    pub pid_file: Option<PathBuf>,
    /// `-r`
    pub vrrp_pid_file: Option<PathBuf>,
    /// PID file of the checker process.
    pub checkers_pid_file: Option<PathBuf>,
    /// PID file of the bfd process.
    pub bfd_pid_file: Option<PathBuf>,
    /// `-s`
    pub namespace: Option<String>,
    /// `-m`, `-M`
    pub core_dump: bool,
    /// `-i`
    pub config_id: Option<String>,
    /// `-e`
    pub all_include_checks: bool,
    /// `--ignore-sigint`
    pub ignore_sigint: bool,
}

/// Syslog facility: its code (RFC 5424 §6.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facility(pub u8);

impl Facility {
    /// `daemon`
    pub const DAEMON: Self = Self(3);

    /// keepalived's spellings: 0 to 7, `local0` to `local7`, `user`, `daemon`.
    fn parse(text: &str) -> Option<Self> {
        match text {
            "user" => return Some(Self(1)),
            "daemon" => return Some(Self::DAEMON),
            _ => {}
        }
        let digit: u8 = text.strip_prefix("local").unwrap_or(text).parse().ok()?;
        (digit < 8).then_some(Self(16 + digit))
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            config: PathBuf::from("/etc/keepalived/keepalived.conf"),
            config_given: false,
            vrrp: true,
            checker: true,
            bfd: true,
            all: false,
            foreground: false,
            console: false,
            detail: 0,
            facility: Facility::DAEMON,
            log_file: None,
            flush_log_file: false,
            no_syslog: false,
            log_json: false,
            umask: None,
            keep_addresses: false,
            keep_services: false,
            no_respawn: false,
            dump: false,
            snmp: false,
            snmp_socket: None,
            pid_file: None,
            vrrp_pid_file: None,
            checkers_pid_file: None,
            bfd_pid_file: None,
            namespace: None,
            core_dump: false,
            config_id: None,
            all_include_checks: false,
            ignore_sigint: false,
        }
    }
}

/// Errors of a command line; the daemon exits with 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(pub Vec<String>);

/// A parsed command line, with remarks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// What to do.
    pub request: Request,
    /// Remarks, for the console.
    pub remarks: Vec<String>,
}

/// Reads a command line without its zeroth word.
///
/// # Errors
/// All the options that are unknown, ambiguous or lack their argument.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Parsed, Refused> {
    let mut reading = Reading::default();
    let mut parser = lexopt::Parser::from_args(arguments);
    loop {
        let option = match parser.next() {
            Ok(None) => break,
            Ok(Some(lexopt::Arg::Value(word))) => {
                reading.unexpected.push(word.to_string_lossy().into_owned());
                continue;
            }
            Ok(Some(lexopt::Arg::Short(letter))) => {
                table::by_letter(letter).ok_or_else(|| format!("unknown option -{letter}"))
            }
            Ok(Some(lexopt::Arg::Long(word))) => table::by_word(word),
            Err(error) => {
                reading.errors.push(error.to_string());
                continue;
            }
        };
        let row = match option {
            Ok(row) => row,
            Err(error) => {
                parser.optional_value();
                reading.errors.push(format!("{error}; see --help"));
                continue;
            }
        };
        let value = match row.takes {
            Takes::Nothing => None,
            Takes::Maybe(_) => parser.optional_value(),
            Takes::Value(_) => match parser.value() {
                Ok(value) if !value.is_empty() => Some(value),
                Ok(_) | Err(_) => {
                    reading.errors.push(format!("option --{} needs a value", row.long));
                    continue;
                }
            },
        };
        reading.apply(row, value);
    }
    reading.finish()
}

#[derive(Default)]
struct Reading {
    options: Options,
    test: Option<Option<PathBuf>>,
    instead: Option<Request>,
    unexpected: Vec<String>,
    remarks: Vec<String>,
    errors: Vec<String>,
    only_vrrp: bool,
    only_checker: bool,
}

impl Reading {
    fn apply(&mut self, row: &Row, value: Option<OsString>) {
        let options = &mut self.options;
        let path = || value.clone().map(PathBuf::from);
        let text = || value.as_ref().map(|value| value.to_string_lossy().into_owned());
        match row.name {
            Name::UseFile => {
                if let Some(path) = path() {
                    options.config = path;
                    options.config_given = true;
                }
            }
            Name::ReleaseVips | Name::AddressMonitoring => {}
            Name::NoBfd => options.bfd = false,
            Name::VrrpOnly => self.only_vrrp = true,
            Name::CheckOnly => self.only_checker = true,
            Name::All => options.all = true,
            Name::LogConsole => options.console = true,
            Name::LogDetail => options.detail = options.detail.saturating_add(1),
            Name::LogFacility => match text().as_deref().and_then(Facility::parse) {
                Some(facility) => options.facility = facility,
                None => self.remarks.push(format!(
                    "invalid log facility '{}': use 0-7, local0-local7, user or daemon",
                    text().unwrap_or_default()
                )),
            },
            Name::LogFile => options.log_file = Some(path()),
            Name::FlushLogFile => options.flush_log_file = true,
            Name::NoSyslog => options.no_syslog = true,
            Name::LogJson => options.log_json = true,
            Name::Umask => match text().as_deref().and_then(umask) {
                Some(mask) => options.umask = Some(mask),
                None => self
                    .remarks
                    .push(format!("invalid umask '{}': use a number up to 0777", text().unwrap_or_default())),
            },
            Name::DontReleaseVrrp => options.keep_addresses = true,
            Name::DontReleaseIpvs => options.keep_services = true,
            Name::DontRespawn => options.no_respawn = true,
            Name::DontFork => options.foreground = true,
            Name::DumpConf => options.dump = true,
            Name::Pid => options.pid_file = path(),
            Name::VrrpPid => options.vrrp_pid_file = path(),
            Name::CheckersPid => options.checkers_pid_file = path(),
            Name::BfdPid => options.bfd_pid_file = path(),
            Name::Snmp => options.snmp = true,
            Name::SnmpAgentSocket => options.snmp_socket = text(),
            Name::ConfigFd => {}
            Name::Namespace => options.namespace = text(),
            Name::CoreDump => options.core_dump = true,
            Name::AllConfig => options.all_include_checks = true,
            Name::ConfigId => options.config_id = text(),
            Name::IgnoreSigint => options.ignore_sigint = true,
            Name::Signum => self.instead = Some(Request::SignalNumber(text().unwrap_or_default())),
            Name::ConfigTest => self.test = Some(path()),
            Name::Genhash => self.instead = Some(Request::Genhash),
            Name::Version => self.instead = Some(Request::Version),
            Name::Help => self.instead = Some(Request::Help),
            Name::Unavailable => self
                .errors
                .push(format!("option --{} exists in special builds of keepalived only; leave it out", row.long)),
        }
    }

    fn finish(mut self) -> Result<Parsed, Refused> {
        if !self.errors.is_empty() {
            return Err(Refused(self.errors));
        }
        // both together are the same as neither
        self.options.vrrp = self.only_vrrp || !self.only_checker || self.options.all;
        self.options.checker = self.only_checker || !self.only_vrrp || self.options.all;
        if !self.unexpected.is_empty() {
            self.remarks.push(format!("Unexpected argument(s): {}", self.unexpected.join(" ")));
        }
        let request = match (self.instead, self.test) {
            (Some(instead), _) => instead,
            (None, Some(log)) => {
                (self.options.foreground, self.options.no_respawn, self.options.no_syslog) = (true, true, true);
                Request::Test(self.options, log)
            }
            (None, None) => Request::Run(self.options),
        };
        Ok(Parsed { request, remarks: self.remarks })
    }
}

/// A C number up to 0777.
fn umask(text: &str) -> Option<u32> {
    let mask = if let Some(hex) = text.strip_prefix("0x") {
        u32::from_str_radix(hex, 16)
    } else if text.starts_with('0') {
        u32::from_str_radix(text, 8)
    } else {
        text.parse()
    };
    mask.ok().filter(|mask| *mask <= 0o777)
}

#[cfg(test)]
mod tests;
