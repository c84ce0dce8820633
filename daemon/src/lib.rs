//! The processes: supervisor, runner, observer, vrrp, checker and bfd.
#![forbid(unsafe_code)]
// what opens files otherwise may wait, or follow a link (clippy.toml); tests may
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;

mod alerts;
pub mod backlog;
pub mod backoff;
pub mod bfd;
pub mod changes;
pub mod checker;
pub mod child;
pub mod cli;
pub mod configuration;
mod connection;
mod deadlines;
pub mod exit;
pub mod files;
pub mod host;
pub mod local_service;
pub mod log;
pub mod message;
pub mod observer;
mod prober;
mod programs;
pub mod role;
pub mod runner;
pub mod schedule;
pub mod secrets;
pub mod seen;
pub mod supervisor;
mod track_files;
pub mod vrrp;

use cli::Request;
use keepalived_kernel::files::{Existing, create_regular};
use keepalived_kernel::signal::Signal;
use role::Role;
use supervisor::eprint_all;

/// The program: `arguments` with the zeroth; returns the exit status.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let mut arguments = arguments.into_iter();
    let own_name = arguments.next().unwrap_or_default();
    let mut arguments: Vec<OsString> = arguments.collect();
    if Path::new(&own_name).file_name().is_some_and(|name| name == "genhash") {
        return keepalived_checks::genhash("genhash", arguments);
    }
    if arguments.first().is_some_and(|first| first == "--genhash" || first == "-T") {
        return keepalived_checks::genhash("keepalived --genhash", arguments.into_iter().skip(1));
    }
    if arguments.first().is_some_and(|first| first == runner::CONNECTS) {
        return runner::connect(arguments.split_off(1));
    }
    if let Some(role) =
        Role::ALL.into_iter().find(|role| arguments.first().is_some_and(|first| first == role.argument()))
    {
        return match role {
            Role::Runner => runner::run(),
            Role::Observer => observer::run(),
            Role::Checker => checker::run(),
            Role::Vrrp => vrrp::run(),
            Role::Bfd => bfd::run(),
            Role::Prober => prober::run(),
        };
    }
    let parsed = match cli::parse(arguments) {
        Ok(parsed) => parsed,
        Err(cli::Refused(errors)) => {
            eprint_all(&errors.iter().map(|error| format!("keepalived: {error}\n")).collect::<String>());
            return exit::FATAL;
        }
    };
    for remark in &parsed.remarks {
        eprint_all(&format!("keepalived: {remark}\n"));
    }
    match parsed.request {
        Request::Run(options) => run(options),
        Request::Test(options, file) => test(&options, file.as_deref(), !parsed.remarks.is_empty()),
        Request::Version => {
            eprint_all(&version());
            exit::OK
        }
        Request::Help => {
            eprint_all(&cli::help());
            exit::OK
        }
        Request::SignalNumber(name) => signal_number(&name),
        Request::Genhash => {
            eprint_all("keepalived: --genhash has to come first\n");
            exit::FATAL
        }
    }
}

fn run(mut options: cli::Options) -> u8 {
    // a daemon in the background changes its directory, and reads the file again at a reload
    if let Ok(path) = std::path::absolute(&options.config) {
        options.config = path;
    }
    supervisor::run(&options)
}

/// `-t`. keepalived exits with 5 for an option value that it does not take.
fn test(options: &cli::Options, file: Option<&Path>, remarks: bool) -> u8 {
    let (text, status) = configuration::test(options);
    match file {
        None => eprint_all(&text),
        Some(path) => {
            let appended = create_regular(path, Existing::Append, 0o666);
            if let Err(error) = appended.and_then(|mut file| file.write_all(text.as_bytes())) {
                eprint_all(&format!("keepalived: cannot write {}: {error}\n", path.display()));
                return exit::FATAL;
            }
        }
    }
    if remarks && status == exit::OK { exit::QUESTIONABLE } else { status }
}

/// The version line has keepalived's form: scripts parse it, and the options. An exporter asks no daemon for JSON that was not
/// built with `--enable-json`.
fn version() -> String {
    format!(
        "Keepalived v2.4.3 (keepalived-rs v{})\n\n\
         A memory-safe replacement for keepalived; GPL-2.0-or-later\n\n\
         configure options: --enable-bfd --enable-json --enable-regex --enable-snmp\n\n\
         Config options:  NFTABLES LVS REGEX VRRP VRRP_AUTH VRRP_VMAC JSON BFD OLD_CHKSUM_COMPAT SNMP_VRRP SNMP_CHECKER SNMP_RFCV2 \
         SNMP_RFCV3 INIT=systemd SYSTEMD_NOTIFY\n\n\
         System options:  EPOLL_CREATE1 SIGNALFD TIMERFD PIDFD\n",
        env!("CARGO_PKG_VERSION")
    )
}

#[expect(clippy::print_stdout, reason = "the number is what scripts read from standard output")]
fn signal_number(name: &str) -> u8 {
    let signal = match name {
        "STOP" => Some(Signal::TERM),
        "RELOAD" => Some(Signal::HUP),
        "DATA" => Some(Signal::USR1),
        "STATS" => Some(Signal::USR2),
        "STATS_CLEAR" => Signal::before_rt_max(1),
        "JSON" => Signal::after_rt_min(2),
        _ => None,
    };
    match signal {
        Some(signal) => {
            println!("{}", signal.number());
            exit::OK
        }
        None => {
            eprint_all(&format!(
                "keepalived: unknown signal {name}; use STOP, RELOAD, DATA, STATS, STATS_CLEAR or JSON\n"
            ));
            exit::FATAL
        }
    }
}

#[cfg(test)]
mod tests {
    use super::version;

    /// mehdy/keepalived-exporter: the second word of the first line is the version behind a letter, and without `--enable-json`
    /// it asks for no JSON.
    #[test]
    fn an_exporter_finds_the_version_and_that_there_is_json() {
        let text = version();
        let word = text.lines().next().and_then(|line| line.split(' ').nth(1));
        assert_eq!(word, Some("v2.4.3"));
        assert!(text.contains("--enable-json"), "{text}");
    }
}
