//! Parts of `global_defs`: scripts, FIFOs, mail, SNMP, D-Bus, reload, how processes run.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::reading::{Reading, one_of};
use super::security::{self, ScriptOwner};
use super::settings::process_name;
use super::statements::Statements;
use crate::finding::{Finding, rule};
use crate::model::{
    AutoPriority, Buffer, Buffers, Control, ControlSocket, Dbus, Fifo, Fifos, Global, Log, LogFormat, LogLevel, Mail,
    MailServer, MailTls, ProcessSettings, Reload, ReloadFile, SUBSYSTEMS, Scripts, Snmp, VmacNames, Webhook,
};
use crate::syntax::{Node, Word};

/// Reads the settings of all processes.
pub(super) fn read(reading: &mut Reading<'_>, blocks: &Statements<'_>, global: &mut Global) {
    global.scripts = scripts(reading, blocks);
    global.fifos = fifos(reading, blocks);
    global.mail = mail(reading, blocks);
    global.control = control(reading, blocks);
    global.snmp = snmp(reading, blocks);
    global.dbus = dbus(reading, blocks);
    global.log = log(reading, blocks);
    global.webhook = webhook(reading, blocks.last("webhook"));
    global.reload = reload(reading, blocks);
    global.vrrp = process(reading, blocks, "vrrp", "keepalived_vrrp");
    global.checker = process(reading, blocks, "checker", "keepalived_lvs");
    global.bfd = process(reading, blocks, "bfd", "keepalived_bfd");
    global.auto_priority = auto_priority(reading, blocks);
    global.buffers = buffers(reading, blocks);
    global.vmac_names = vmac_names(reading, blocks);
}

fn scripts(reading: &mut Reading<'_>, blocks: &Statements<'_>) -> Scripts {
    let usual = Scripts::default();
    let mut timeout = |name| reading.integer(blocks.last(name)).map(Duration::from_secs);
    let (startup_timeout, shutdown_timeout) = (timeout("startup_script_timeout"), timeout("shutdown_script_timeout"));
    Scripts {
        user: security::begin(reading, blocks),
        security: blocks.has("enable_script_security"),
        startup: reading.first_script(blocks, "startup_script"),
        startup_timeout: startup_timeout.unwrap_or(usual.startup_timeout),
        shutdown: reading.first_script(blocks, "shutdown_script"),
        shutdown_timeout: shutdown_timeout.unwrap_or(usual.shutdown_timeout),
        symlink_paths: reading.switch(blocks.last("use_symlink_paths")).unwrap_or(false),
        supplementary_groups: reading.switch(blocks.last("set_supplementary_groups")).unwrap_or(false),
    }
}

fn fifos(reading: &mut Reading<'_>, blocks: &Statements<'_>) -> Fifos {
    Fifos {
        all: fifo(reading, blocks, ["notify_fifo", "notify_fifo_script"]),
        vrrp: fifo(reading, blocks, ["vrrp_notify_fifo", "vrrp_notify_fifo_script"]),
        lvs: fifo(reading, blocks, ["lvs_notify_fifo", "lvs_notify_fifo_script"]),
        states_on_reload: blocks.has("fifo_write_vrrp_states_on_reload"),
    }
}

/// `PATH [user [group]]`, and the command that reads it.
fn fifo(reading: &mut Reading<'_>, blocks: &Statements<'_>, [fifo, script]: [&str; 2]) -> Fifo {
    let node = blocks.first(fifo);
    let owner = node.and_then(|node| Some(reading.owner(node, node.arguments().split_first()?.1)));
    let (user, usable) = match owner {
        Some(ScriptOwner::User(user)) => (Some(user), true),
        Some(ScriptOwner::Unknown) => (None, false),
        None | Some(ScriptOwner::Nobody) => (None, node.is_none_or(|node| reading.has_owner(node))),
    };
    let path = reading.text(node.filter(|_| usable));
    let script = reading.first_script(blocks, script);
    if let (None, Some(_)) = (node, &script) {
        let message = format!("{fifo}_script has no {fifo} to read");
        reading.report_at(&rule::FIFO_WITHOUT_PATH, blocks.last(&format!("{fifo}_script")), message);
    }
    Fifo { path, user, script }
}

fn mail(reading: &mut Reading<'_>, blocks: &Statements<'_>) -> Mail {
    let usual = Mail::default();
    let words = blocks.all("notification_email").flat_map(|block| block.children()).flat_map(|line| line.words());
    let to: Vec<String> = words.map(|word| word.str().into_owned()).collect();
    for block in blocks.all("notification_email").filter(|block| block.children().next().is_none()) {
        reading.report_at(&rule::MAIL_EMPTY, Some(block), "notification_email lists no address");
    }
    let server = blocks.last("smtp_server");
    let mail = Mail {
        server: mail_server(reading, server),
        helo: reading.text(blocks.last("smtp_helo_name")),
        from: sender(reading, blocks.last("notification_email_from")),
        to,
        timeout: reading.integer(blocks.last("smtp_connect_timeout")).map_or(usual.timeout, Duration::from_secs),
        alert: reading.switch(blocks.last("smtp_alert")),
        alert_vrrp: reading.switch(blocks.last("smtp_alert_vrrp")),
        alert_checker: reading.switch(blocks.last("smtp_alert_checker")),
        no_faults: blocks.has("no_email_faults"),
        no_checkers: reading.switch(blocks.last("no_checker_emails")).unwrap_or(false),
        tls: match reading.choice(blocks.last("smtp_tls")) {
            Some("starttls") => MailTls::StartTls,
            Some("tls") => MailTls::Tls,
            _ => MailTls::None,
        },
        user: reading.text(blocks.last("smtp_user")),
        password_file: reading.text(blocks.last("smtp_password_file")),
    };
    login(reading, blocks, &mail);
    let half = match (mail.server.is_some(), mail.to.is_empty()) {
        (true, true) => Some((server, "smtp_server without notification_email: no mail has a recipient")),
        (false, false) => {
            Some((blocks.last("notification_email"), "notification_email without smtp_server: no mail is sent"))
        }
        _ => None,
    };
    if let Some((node, message)) = half {
        reading.report_at(&rule::MAIL_INCOMPLETE, node, message);
    }
    mail
}

/// What is wrong with the login at the mail server.
fn login(reading: &mut Reading<'_>, blocks: &Statements<'_>, mail: &Mail) {
    let (keyword, message) = match (&mail.user, &mail.password_file) {
        (Some(_), None) => ("smtp_user", "smtp_user without smtp_password_file: there is no login"),
        (None, Some(_)) => ("smtp_password_file", "smtp_password_file without smtp_user: there is no login"),
        (Some(_), Some(_)) if mail.tls == MailTls::None => {
            ("smtp_user", "smtp_user without smtp_tls: everybody on the way to the server can read the password")
        }
        _ => return,
    };
    reading.report_at(&rule::MAIL_LOGIN, blocks.last(keyword), message);
}

fn mail_server(reading: &mut Reading<'_>, node: Option<Node<'_>>) -> Option<MailServer> {
    let mut words = node?.arguments();
    let host = words.next()?.str().into_owned();
    let port = match words.next() {
        None => 25,
        Some(word) => reading.number_word("the port of smtp_server", word, 1..=65_535)?,
    };
    Some(MailServer { host, port: u16::try_from(port).ok()? })
}

/// One address, perhaps with a name; what follows it is ignored, as it is in keepalived.
fn sender(reading: &mut Reading<'_>, node: Option<Node<'_>>) -> Option<String> {
    let node = node?;
    let from = reading.text(Some(node));
    if let Some(extra) = node.arguments().get(1) {
        let message = format!("notification_email_from is one address; {} is ignored", extra.str());
        let finding = Finding::at(&rule::MAIL_SENDER, extra.span, message);
        reading.report(finding.help("quote a name together with its address: \"Name <user@host>\""));
    }
    from
}

fn control(reading: &mut Reading<'_>, blocks: &Statements<'_>) -> Control {
    let control = Control {
        socket: match reading.text(blocks.last("control_socket")) {
            None => ControlSocket::Usual,
            Some(path) if path == "none" => ControlSocket::None,
            Some(path) => ControlSocket::Path(path),
        },
        group: reading.text(blocks.last("control_group")),
        user: reading.text(blocks.last("observer_user")),
        token_file: reading.text(blocks.last("page_token_file")),
        http: listener(reading, blocks.last("metrics_listen")),
    };
    let message = match (&control.token_file, control.http) {
        (Some(_), None) => "page_token_file without metrics_listen: there is no page",
        (Some(_), Some(address)) if !address.ip().is_loopback() => {
            "metrics_listen has no encryption: everybody on the way to the page can read its token"
        }
        _ => return control,
    };
    reading.report_at(&rule::PAGE_TOKEN, blocks.last("page_token_file"), message);
    control
}

/// `[ADDRESS] PORT`: on this machine only unless the address says otherwise.
fn listener(reading: &mut Reading<'_>, node: Option<Node<'_>>) -> Option<SocketAddr> {
    let words: Vec<_> = node?.arguments().collect();
    let (address, port) = match words.as_slice() {
        [port] => (IpAddr::from(Ipv4Addr::LOCALHOST), port),
        [address, port, ..] => match address.str().parse() {
            Ok(parsed) => (parsed, port),
            Err(_) => {
                let message = format!("metrics_listen: {} is no address", address.str());
                let help = "write `metrics_listen 9650`, or an address of this machine before the port";
                reading.report(Finding::at(&rule::METRICS_LISTEN, address.span, message).help(help));
                return None;
            }
        },
        [] => return None,
    };
    let port = reading.number_word("the port of metrics_listen", *port, 1..=65_535)?;
    Some(SocketAddr::new(address, u16::try_from(port).ok()?))
}

fn log(reading: &mut Reading<'_>, blocks: &Statements<'_>) -> Log {
    let format = match reading.choice(blocks.last("log_format")) {
        Some("json") => LogFormat::Json,
        _ => LogFormat::Text,
    };
    let mut levels = BTreeMap::new();
    for node in blocks.all("log_level") {
        let words: Vec<Word<'_>> = node.arguments().collect();
        let Some((last, subsystems)) = words.split_last() else { continue };
        let level = match last.text {
            b"error" => LogLevel::Error,
            b"warning" => LogLevel::Warning,
            b"info" => LogLevel::Info,
            b"debug" => LogLevel::Debug,
            _ => {
                let message = format!("log_level: {} is no level", last.str());
                let finding = Finding::at(&rule::LOG_LEVEL, last.span, message);
                reading.report(finding.help("write error, warning, info or debug at the end"));
                continue;
            }
        };
        if subsystems.is_empty() {
            levels.extend(SUBSYSTEMS.map(|subsystem| (subsystem.to_owned(), level)));
        }
        for word in subsystems {
            if SUBSYSTEMS.iter().any(|subsystem| subsystem.as_bytes() == word.text) {
                levels.insert(word.str().into_owned(), level);
            } else {
                let message = format!("log_level: {} is no subsystem", word.str());
                let finding = Finding::at(&rule::LOG_LEVEL, word.span, message);
                reading
                    .report(finding.help(format!("subsystems are {}", one_of(&SUBSYSTEMS).replace(" or ", " and "))));
            }
        }
    }
    Log { format, levels }
}

/// `http://HOST[:PORT]/PATH`, or with https
fn webhook(reading: &mut Reading<'_>, node: Option<Node<'_>>) -> Option<Webhook> {
    let word = node?.argument()?;
    let text = word.str();
    let schemes = [("http://", false), ("https://", true)];
    let found = schemes.into_iter().find_map(|(scheme, tls)| Some(receiver(text.strip_prefix(scheme)?, tls)));
    match found.unwrap_or(Err(USUAL_WEBHOOK)) {
        Ok(webhook) => Some(webhook),
        Err(help) => {
            // it may have a secret, so it is not said
            let message = "webhook: this URL cannot be used; no event is sent";
            reading.report(Finding::at(&rule::WEBHOOK, word.span, message).help(help));
            None
        }
    }
}

const USUAL_WEBHOOK: &str = "write `webhook https://HOST:PORT/PATH`, or http; an IPv6 address stands in brackets";

/// What stands behind the scheme.
fn receiver(text: &str, tls: bool) -> Result<Webhook, &'static str> {
    let (place, path) = text.split_at(text.find(['/', '?', '#']).unwrap_or(text.len()));
    if place.contains('@') {
        return Err("a login in the URL is not understood: a secret can be in the path");
    }
    let bracketed = place.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (host, port, is_host) = match bracketed {
        Some((host, rest)) => (host, rest, host.parse::<Ipv6Addr>().is_ok()),
        None => {
            let (host, rest) = place.split_at(place.find(':').unwrap_or(place.len()));
            let is_of_name = |octet: u8| octet.is_ascii_alphanumeric() || b"-._".contains(&octet);
            (host, rest, !host.is_empty() && host.bytes().all(is_of_name))
        }
    };
    let port = match port.strip_prefix(':') {
        Some(number) => number.parse().ok().filter(|port| *port != 0),
        None => port.is_empty().then_some(if tls { 443 } else { 80 }),
    };
    // RFC 3986 §3.3 and §3.4
    let is_of_path = |octet: u8| octet.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:@/?".contains(&octet);
    match port {
        Some(port) if is_host && path.bytes().all(is_of_path) => {
            let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
            Ok(Webhook { tls, host: host.to_owned(), port, path })
        }
        _ => Err(USUAL_WEBHOOK),
    }
}

fn snmp(reading: &mut Reading<'_>, blocks: &Statements<'_>) -> Snmp {
    let usual = Snmp::default();
    let both = blocks.has("enable_snmp_rfc");
    let node = blocks.first("snmp_socket");
    let extra = node.and_then(|node| node.arguments().get(1));
    if let Some(extra) = extra {
        let message = format!("snmp_socket is one word; {} is one too many", extra.str());
        reading.report(Finding::at(&rule::SNMP_SOCKET, extra.span, message).note("snmp_socket is ignored"));
    }
    let node = node.filter(|_| extra.is_none());
    let interval = reading.duration(blocks.last("snmp_vs_stats_update_interval"));
    let interval = interval.unwrap_or(usual.virtual_server_interval);
    Snmp {
        socket: reading.text(node),
        traps: blocks.has("enable_traps"),
        vrrp: blocks.has("enable_snmp_vrrp") || blocks.has("enable_snmp_keepalived"),
        rfc2787: both || blocks.has("enable_snmp_rfcv2"),
        rfc6527: both || blocks.has("enable_snmp_rfcv3"),
        checker: blocks.has("enable_snmp_checker"),
        virtual_server_interval: interval,
        real_server_interval: reading.duration(blocks.last("snmp_rs_stats_update_interval")).unwrap_or(interval),
    }
}

fn dbus(reading: &mut Reading<'_>, blocks: &Statements<'_>) -> Dbus {
    Dbus {
        enabled: blocks.has("enable_dbus"),
        service_name: reading.text(blocks.last("dbus_service_name")).unwrap_or(Dbus::default().service_name),
        no_interface_name: reading.text(blocks.last("dbus_no_interface_name")),
    }
}

fn reload(reading: &mut Reading<'_>, blocks: &Statements<'_>) -> Reload {
    let check = blocks.last("reload_check_config");
    let file = blocks.last("reload_file");
    let node = blocks.first("tmp_config_directory");
    if blocks.has("reload_repeat") && !blocks.has("reload_time_file") {
        let message = "reload_repeat without reload_time_file: there is no time to repeat";
        reading.report_at(&rule::RELOAD_TIME, blocks.last("reload_repeat"), message);
    }
    Reload {
        check: check.is_some(),
        check_log: reading.text(check),
        time_file: reading.single_text(blocks.last("reload_time_file")),
        repeat: blocks.has("reload_repeat"),
        file: match (file, reading.text(file)) {
            (None, _) => ReloadFile::None,
            (Some(_), None) => ReloadFile::Usual,
            (Some(_), Some(path)) => ReloadFile::Path(path),
        },
        save_directory: reading.text(blocks.last("config_save_dir")),
        temporary_directory: reading.text(node),
    }
}

/// The settings of a process whose keywords begin with `prefix`.
fn process(reading: &mut Reading<'_>, blocks: &Statements<'_>, prefix: &str, usual_name: &str) -> ProcessSettings {
    let node = |name: &str| blocks.last(&format!("{prefix}_{name}"));
    let old_name = if prefix == "checker" { "lvs_process_name" } else { "" };
    let name = blocks.last_of(&format!("{prefix}_process_name"), old_name);
    let rttime = blocks.last_of(&format!("{prefix}_rlimit_rttime"), &format!("{prefix}_rlimit_rtime"));
    ProcessSettings {
        name: process_name(reading, name).or_else(|| blocks.has("process_names").then(|| usual_name.to_owned())),
        nice: reading.integer(node("priority")),
        rt_priority: reading.integer(node("rt_priority")),
        no_swap: node("no_swap").is_some(),
        // one microsecond would kill the process at once
        rlimit_rttime: reading.integer(rttime).map(|micros: u64| micros.max(2)),
        cpu_affinity: reading.cpus(node("cpu_affinity")),
    }
}

impl Reading<'_> {
    /// Numbers of processors after the keyword of `node`.
    pub(super) fn cpus(&mut self, node: Option<Node<'_>>) -> Vec<u32> {
        let Some(node) = node else { return Vec::new() };
        let name = node.name();
        let words: Vec<Word<'_>> = node.arguments().collect();
        let numbers = words.into_iter().filter_map(|word| self.number_word(&name, word, 0..=4095));
        numbers.filter_map(|number| u32::try_from(number).ok()).collect()
    }
}

/// The highest priority of realtime scheduling.
const HIGHEST: i8 = 99;

fn auto_priority(reading: &mut Reading<'_>, blocks: &Statements<'_>) -> AutoPriority {
    let usual = AutoPriority::default();
    let most = blocks.last("max_auto_priority").map(|node| match node.argument() {
        None => HIGHEST,
        Some(_) => reading.integer(Some(node)).unwrap_or(usual.most),
    });
    let lateness = reading.integer(blocks.last("min_auto_priority_delay")).map(Duration::from_micros);
    AutoPriority { most: most.unwrap_or(usual.most), lateness: lateness.unwrap_or(usual.lateness) }
}

fn buffers(reading: &mut Reading<'_>, blocks: &Statements<'_>) -> Buffers {
    let mut buffer = |name: &str| Buffer {
        size: reading.integer(blocks.last(name)),
        force: reading.switch(blocks.last(&format!("{name}_force"))).unwrap_or(false),
    };
    Buffers {
        vrrp_command: buffer("vrrp_netlink_cmd_rcv_bufs"),
        vrrp_monitor: buffer("vrrp_netlink_monitor_rcv_bufs"),
        process_monitor: buffer("process_monitor_rcv_bufs"),
        lvs_command: buffer("lvs_netlink_cmd_rcv_bufs"),
        lvs_monitor: buffer("lvs_netlink_monitor_rcv_bufs"),
    }
}

fn vmac_names(reading: &mut Reading<'_>, blocks: &Statements<'_>) -> VmacNames {
    let node = blocks.first("vmac_prefix");
    let prefix = reading.text(node).unwrap_or(VmacNames::default().prefix);
    let node = blocks.first("vmac_addr_prefix");
    VmacNames { prefix, address_prefix: reading.text(node) }
}
