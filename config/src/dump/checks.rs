//! Health checks, and what they follow.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU16;

use super::balance::{begins_failed, file_weight, named, real_named};
use super::{CheckNow, Page, decimal, on, quoted, say, set, yes};
use crate::model::{
    Checker, DnsQuery, Endpoint, GrpcCheck, HttpCheck, HttpProtocol, MiscCheck, RealServer, Regex, Schedule, Sni,
    StatusRange, UdpCheck, Url, VirtualServer,
};

pub(super) fn write(page: &mut Page<'_>) {
    let config = page.config;
    if checks(page).next().is_some() {
        say!(page, "------< Health checkers >------");
    }
    for (service, server) in config.virtual_servers.iter().enumerate() {
        for (place, real) in server.real_servers.iter().enumerate() {
            // those of a kind are in the order of the file
            let mut taken: HashMap<&str, usize> = HashMap::new();
            for checker in in_order(real) {
                let number = taken.entry(checker.keyword()).or_default();
                let now = result(page, (service, place), checker.keyword(), *number);
                *number += 1;
                check(page, server, real, checker, now);
            }
        }
    }
    files(page);
    let sessions: Vec<_> = config.bfd_instances.iter().filter(|session| session.tells_checkers).collect();
    if !config.virtual_servers.is_empty() && !sessions.is_empty() {
        say!(page, "------< Checker track BFDs >------");
        for session in sessions {
            say!(page, " Checker Track BFD = {}", session.name);
            say!(page, "   Tracking RS :");
            for (server, real, checker) in checks(page) {
                if matches!(checker, Checker::Bfd(check) if check.instance == session.name) {
                    say!(page, "   {}", real_named(real, &server.service));
                }
            }
        }
    }
}

/// What came of the check of a real server that is number `number` of its kind.
fn result(page: &Page<'_>, (service, server): (usize, usize), keyword: &str, number: usize) -> Option<CheckNow> {
    let checks = &page.now?.services.get(service)?.servers.get(server)?.checks;
    checks.iter().filter(|(of, _)| of == keyword).nth(number).map(|(_, check)| *check)
}

/// The files that checks follow.
fn files(page: &mut Page<'_>) {
    let mut followers: HashMap<&str, Vec<String>> = HashMap::new();
    for (server, real, checker) in checks(page) {
        if let Checker::File(check) = checker {
            let (service, weight) = (&server.service, file_weight(check.weight));
            let line = format!("{} -> {}, weight {weight}", named(service), real_named(real, service));
            followers.entry(&check.track_file).or_default().push(line);
        }
    }
    if !followers.is_empty() {
        say!(page, "------< Checker track files >------");
    }
    for file in &page.config.files {
        let Some(lines) = followers.get(file.name.as_str()) else { continue };
        say!(page, " Track file = {}", file.name);
        say!(page, "   File = {}", file.path);
        say!(page, "   Status = 0");
        say!(page, "   Weight = {}", super::tracking::shown(file.weight));
        say!(page, "   Tracking instances :");
        for line in lines {
            say!(page, "     {line}");
        }
    }
}

/// Every check, in the order of the file.
fn checks<'a>(page: &Page<'a>) -> impl Iterator<Item = (&'a VirtualServer, &'a RealServer, &'a Checker)> + use<'a> {
    let servers = &page.config.virtual_servers;
    servers.iter().flat_map(|server| {
        let real_servers = server.real_servers.iter();
        real_servers.flat_map(move |real| in_order(real).map(move |checker| (server, real, checker)))
    })
}

fn in_order(real: &RealServer) -> impl Iterator<Item = &Checker> + use<'_> {
    // files are followed once everything is read
    let (files, others): (Vec<_>, Vec<_>) =
        real.checkers.iter().partition(|checker| matches!(checker, Checker::File(_)));
    others.into_iter().chain(files)
}

fn check(page: &mut Page<'_>, server: &VirtualServer, real: &RealServer, checker: &Checker, now: Option<CheckNow>) {
    say!(page, " {} -> {}", named(&server.service), real_named(real, &server.service));
    say!(page, "   Enabled = yes");
    say!(page, "   Up = {}", yes(now.map_or_else(|| !begins_failed(checker), |now| now.up)));
    say!(page, "   Has run = {}", yes(now.map_or_else(|| matches!(checker, Checker::File(_)), |now| now.has_run)));
    say!(page, "   Current weight = 0");
    match (checker, checker.schedule()) {
        (_, Some(times)) => schedule(page, times, checker),
        // deviates: keepalived/dump-bfd-check. It shows times here that such a check does not have
        (Checker::Bfd(check), None) => {
            say!(page, "   Alpha = {}", yes(check.alpha));
            say!(page, "   Default delay before retry = 1000000 us");
        }
        _ => {}
    }
    let logs = checker.schedule().map_or(page.config.global.balancing.log_all_failures, |it| it.log_all_failures);
    say!(page, "   Log all failures = {}", yes(logs));
    if let Some(endpoint) = checker.endpoint() {
        connection(page, endpoint);
    }
    match checker {
        Checker::Tcp(_) => say!(page, "   Keepalive method = TCP_CHECK"),
        Checker::Http(check) => http(page, checker, check),
        Checker::Grpc(check) => grpc(page, check),
        Checker::Smtp(check) => {
            say!(page, "   Keepalive method = SMTP_CHECK");
            say!(page, "   helo = {}", check.helo_name);
        }
        Checker::Dns(check) => {
            say!(page, "   Keepalive method = DNS_CHECK");
            say!(page, "   Type = {}", query(check.query));
            // the root has no name
            say!(page, "   Name = {}", if check.name == "." { "" } else { check.name.as_str() });
        }
        Checker::Misc(check) => misc(page, check, server),
        Checker::Ping(_) => {
            say!(page, "   Keepalive method = PING_CHECK");
            say!(page, "     ICMP seq no = 0");
        }
        Checker::Udp(check) => udp(page, check),
        Checker::File(check) => {
            say!(page, "   Keepalive method = FILE_CHECK");
            say!(page, "     Tracked file = {}", check.track_file);
            say!(page, "     Reloaded = No");
        }
        Checker::Bfd(check) => {
            say!(page, "   Keepalive method = BFD_CHECK");
            say!(page, "   Name = {}", check.instance);
            say!(page, "   Alpha is {}", on(check.alpha));
        }
    }
}

fn schedule(page: &mut Page<'_>, schedule: &Schedule, checker: &Checker) {
    say!(page, "   Alpha = {}", yes(schedule.alpha));
    say!(page, "   Delay loop = {} us", schedule.delay_loop.get().as_micros());
    say!(page, "   Warmup = {} us", schedule.warmup.get().as_micros());
    say!(page, "   Retries = {}", schedule.retry);
    if schedule.retry > 0 {
        say!(page, "   Delay before retry = {} us", schedule.delay_before_retry.get().as_micros());
        // what is left at start: one failure is enough for the first verdict
        say!(page, "   Retries iterations = {}", schedule.retry);
    }
    let habit = match checker {
        Checker::Http(_) => 3_000_000,
        Checker::Dns(_) => 0,
        Checker::Tcp(_)
        | Checker::Smtp(_)
        | Checker::Grpc(_)
        | Checker::Misc(_)
        | Checker::Ping(_)
        | Checker::Udp(_)
        | Checker::File(_)
        | Checker::Bfd(_) => 1_000_000,
    };
    say!(page, "   Default delay before retry = {habit} us");
}

fn pair(address: IpAddr, port: Option<NonZeroU16>) -> String {
    format!("[{address}]:{}", port.map_or(0, NonZeroU16::get))
}

fn connection(page: &mut Page<'_>, endpoint: &Endpoint) {
    say!(page, "   Connection");
    say!(page, "     Dest = {}", pair(endpoint.address, endpoint.port));
    if let Some(origin) = endpoint.origin.as_deref() {
        let any: IpAddr =
            if endpoint.address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        if origin.address.is_some() || origin.port.is_some() {
            say!(page, "     Bind to = {}", pair(origin.address.unwrap_or(any), origin.port));
        }
        if let Some(interface) = origin.interface {
            say!(page, "     Bind i/f = {interface}");
        }
        if origin.fwmark != 0 {
            say!(page, "     Mark = {}", origin.fwmark);
        }
    }
    say!(page, "     Timeout = {}", decimal(endpoint.connect_timeout.get()));
}

fn http(page: &mut Page<'_>, checker: &Checker, check: &HttpCheck) {
    let protocol = match check.protocol {
        HttpProtocol::V1_0 => "1.0",
        HttpProtocol::V1_0Close => "1.0C",
        HttpProtocol::V1_1 => "1.1",
        HttpProtocol::V2 => "2",
    };
    say!(page, "   Keepalive method = {}, http protocol {protocol}", checker.keyword());
    if let Some(host) = &check.virtualhost {
        say!(page, "   Virtualhost = {host}");
    }
    say!(page, "   Enable SNI {}", set(check.sni != Sni::Off));
    say!(page, "   Fast recovery {}", set(check.fast_recovery));
    if checker.keyword() == "SSL_GET" {
        say!(page, "   tls_compliant {}", set(check.tls_compliant));
    }
    tls(page, check.protocol == HttpProtocol::V2, check.secure, check.verify);
    for it in &check.urls {
        url(page, it);
    }
}

/// What only our words say.
fn tls(page: &mut Page<'_>, is_choice: bool, secure: bool, verify: bool) {
    if is_choice {
        say!(page, "   TLS {}", set(secure));
    }
    if verify {
        say!(page, "   TLS verify set");
    }
}

fn grpc(page: &mut Page<'_>, check: &GrpcCheck) {
    say!(page, "   Keepalive method = GRPC_CHECK");
    if let Some(host) = &check.virtualhost {
        say!(page, "   Virtualhost = {host}");
    }
    if !check.service.is_empty() {
        say!(page, "   Service = {}", check.service);
    }
    say!(page, "   Enable SNI {}", set(check.sni != Sni::Off));
    tls(page, true, check.secure, check.verify);
}

fn url(page: &mut Page<'_>, url: &Url) {
    say!(page, "   Checked url = {}", url.path);
    if let Some(digest) = &url.digest {
        let digits: Vec<String> = digest.iter().map(|octet| format!("{octet:02x}")).collect();
        say!(page, "     digest = {}", digits.concat());
    }
    say!(page, "     tls_compliant {}", set(url.tls_compliant));
    say!(page, "     HTTP Status Code(s)");
    for StatusRange { first, last } in joined(&url.status_codes) {
        if first == last {
            say!(page, "       {first}");
        } else {
            say!(page, "       {first}-{last}");
        }
    }
    if let Some(host) = &url.virtualhost {
        say!(page, "     Virtual host = {host}");
    }
    if let Some(it) = &url.regex {
        regex(page, it);
    }
}

/// In order, and those that touch as one.
fn joined(ranges: &[StatusRange]) -> Vec<StatusRange> {
    let mut sorted = ranges.to_vec();
    sorted.sort_unstable_by_key(|range| range.first);
    let mut out: Vec<StatusRange> = Vec::new();
    for range in sorted {
        match out.last_mut().filter(|before| range.first <= before.last.saturating_add(1)) {
            Some(before) => before.last = before.last.max(range.last),
            None => out.push(range),
        }
    }
    out
}

fn regex(page: &mut Page<'_>, regex: &Regex) {
    say!(page, "     Regex = \"{}\"", regex.pattern);
    if regex.no_match {
        say!(page, "     Regex no match");
    }
    match (regex.min_offset, regex.max_offset) {
        (least, Some(most)) => say!(page, "     Regex min offset = {least}, max_offset = {most}"),
        (0, None) => {}
        (least, None) => say!(page, "     Regex min offset = {least}"),
    }
    // deviates: keepalived/dump-regex-options. It shows all that there are as soon as one is set
    let options: String = regex.options.iter().map(|option| format!(" {option}")).collect();
    say!(page, "     Regex options:{options}");
    if let Some((start, most)) = regex.stack {
        say!(page, "     Regex stack start {start}, max {most}");
    }
}

fn query(query: DnsQuery) -> &'static str {
    match query {
        DnsQuery::A => "A",
        DnsQuery::Ns => "NS",
        DnsQuery::Cname => "CNAME",
        DnsQuery::Soa => "SOA",
        DnsQuery::Mx => "MX",
        DnsQuery::Txt => "TXT",
        DnsQuery::Aaaa => "AAAA",
    }
}

fn misc(page: &mut Page<'_>, check: &MiscCheck, server: &VirtualServer) {
    say!(page, "   Keepalive method = MISC_CHECK");
    if let Some(program) = page.program(&check.script) {
        say!(page, "   path = {program}");
    }
    say!(page, "   script = {}", quoted(&check.script.argv));
    // the same as delay_loop is what it is without a word about it
    let said = Some(check.timeout).filter(|timeout| *timeout != server.settings.pace.delay_loop);
    say!(page, "   timeout = {}", said.unwrap_or_default().as_secs());
    say!(page, "   dynamic = {}", if check.dynamic { "YES" } else { "NO" });
    say!(page, "   uid:gid = {}", page.owner(&check.script));
    say!(page, "   Last status = 0");
}

fn udp(page: &mut Page<'_>, check: &UdpCheck) {
    say!(page, "   Keepalive method = UDP_CHECK");
    match &check.payload {
        Some(payload) => say!(page, "   Payload len = {}", payload.len()),
        None => say!(page, "   Payload specified = no"),
    }
    say!(page, "   Require reply = {}", yes(check.reply.is_some()));
    let Some(reply) = &check.reply else { return };
    say!(page, "     Min reply length = {}", reply.min_length);
    say!(page, "     Max reply length = {}", reply.max_length);
    say!(page, "     Reply data len = {}", reply.pattern.len());
    if !reply.pattern.is_empty() {
        let masked = reply.pattern.iter().any(|octet| octet.mask != u8::MAX);
        say!(page, "     Reply data mask = {}", yes(masked));
    }
}
