//! The same servers asked by our daemon and by Debian's, on IPVS: both come to the same verdicts.

use std::time::Duration;

use anyhow::Result;
use keepalived_lab::balancing::{Pair, Site};

use crate::rig::{Case, Room, down, up, url};
use crate::{mail, names, web};

#[test]
fn debians_keepalived_comes_to_the_same_verdicts() {
    keepalived_lab::uml::ignored_tests_at_once(Duration::from_secs(300), 2);
}

/// Asks on both, and compares with what is expected.
fn same(serve: impl Fn(Room<'_>) -> Result<Vec<crate::rig::Server>>, cases: &[Case]) {
    let mut pair = Pair::new().unwrap_or_else(|error| panic!("no sites: {error:#}"));
    let mut servers = Vec::new();
    let done = pair.both(|site| {
        site.own(&["10.1.1.1", "10.1.1.2", "10.1.1.3", "10.1.1.4", "fd00:1::1"])?;
        servers.extend(serve(Room { namespace: site.namespace(), folder: site.folder() })?);
        let text: String = (1..).zip(cases).map(|(port, case)| case.text(port)).collect();
        site.start(&text, &[])
    });
    let expected = cases.iter().map(|case| if case.succeeds() { "up " } else { "down " }).collect::<String>();
    pair.agree_when("verdicts", |site| verdicts(site, cases), |said| said == expected);
    let done = done.and_then(|()| explain(&pair, cases));
    if let Err(error) = pair.finish(done) {
        panic!("{error:#}");
    }
}

/// Fails with what is said of the cases that have come out otherwise.
fn explain(pair: &Pair, cases: &[Case]) -> Result<()> {
    let mut said = String::new();
    for site in pair.sites() {
        let log = site.running()?.log();
        for ((port, case), verdict) in (1..).zip(cases).zip(verdicts(site, cases).split_whitespace()) {
            if (verdict == "up") != case.succeeds() {
                let its =
                    |line: &&str| line.contains(&format!("]:tcp:{port}")) || line.contains(&format!("]:udp:{port}"));
                let lines = log.lines().filter(its).take(5).collect::<Vec<_>>().join("\n");
                said += &format!("{port} is {verdict}: {case:?}\n{lines}\n");
            }
        }
    }
    anyhow::ensure!(said.is_empty(), "{said}");
    Ok(())
}

/// Which cases have a server in the table.
fn verdicts(site: &Site, cases: &[Case]) -> String {
    let table = site.table().unwrap_or_default();
    let served = |port: usize| {
        let services = ["198.51.100.1", "[2001:db8::1]"].map(|vip| format!(" {vip}:{port} -r "));
        services.iter().any(|service| table.contains(service))
    };
    (1..=cases.len()).map(|port| if served(port) { "up " } else { "down " }).collect()
}

#[test]
#[ignore = "needs IPVS"]
fn pages() {
    let get = |lines: &str| up(web::HTTP, "HTTP_GET", lines);
    let bad = |lines: &str, reason: &str| down(web::HTTP, "HTTP_GET", lines, reason);
    let mut cases = web::statuses(&get, &bad);
    for protocol in ["1.0", "1.0C", "1.1"] {
        for path in ["/text", "/none", "/small", "/large", "/chunked"] {
            cases.push(get(&format!("http_protocol {protocol}\n {}", url(path, ""))));
        }
    }
    cases.extend(web::regexes(&get, &bad));
    let (host, text) = ("virtualhost secure.example", url("/text", ""));
    let secure = |at: &str, lines: &str| up(at, "SSL_GET", &format!("{lines}\n {text}"));
    let insecure = |at: &str, lines: &str| down(at, "SSL_GET", &format!("{lines}\n {text}"), "");
    cases.extend([
        insecure(web::TLS, ""),
        insecure(web::TLS, host),
        secure(web::TLS, &format!("enable_sni\n {host}")),
        secure(web::TLS, "enable_sni\n virtualhost expired.example"),
        insecure(web::TLS, "enable_sni\n virtualhost elsewhere.example"),
        insecure(web::TLS_STRICT, host),
        secure(web::TLS_STRICT, &format!("enable_sni\n {host}")),
        insecure(web::TLS_CLIENTS, ""),
        secure(web::TLS12, ""),
        secure(web::TLS13, ""),
        insecure(web::HTTP, ""),
        down(web::TLS, "HTTP_GET", &text, ""),
        down("10.1.1.4:80", "HTTP_GET", &text, ""),
    ]);
    same(|room| Ok(vec![web::nginx(room)?]), &cases);
}

#[test]
#[ignore = "needs IPVS"]
fn names_and_mail() {
    let ask = |lines: &str| up(names::ZONES, "DNS_CHECK", lines).udp();
    let bad = |at: &str, lines: &str| down(at, "DNS_CHECK", lines, "").udp();
    let mut cases = vec![
        bad(names::ZONES, ""),
        bad(names::ZONES, "type A\n name www.example.com"),
        bad(names::ZONES, "type A\n name www.broken.example"),
        bad(names::ZONES, "type A\n name nowhere.example.org"),
        bad(names::ZONES, "type A\n name lost.example.org"),
        bad(names::CLOSED, "type A\n name www.example.org"),
        ask("type TXT\n name long.example.org"),
        ask("type A\n name alias.example.org"),
        up(mail::PLAIN, "SMTP_CHECK", ""),
        up(mail::PLAIN, "SMTP_CHECK", "helo_name check.example"),
        down("10.1.1.3:25", "SMTP_CHECK", "", ""),
    ];
    for kind in ["A", "NS", "CNAME", "SOA", "MX", "TXT", "AAAA"] {
        cases.extend(["example.org", "www.example.org"].map(|name| ask(&format!("type {kind}\n name {name}"))));
    }
    // replies of several lines are a difference on purpose (docs/differences.md). Observed: a code with nothing after
    // it, which RFC 5321 §4.2 allows, is a failure for Debian's
    for (mood, at, verdict) in mail::moods() {
        if ["banner", "hello", "bare"].contains(&mood) {
            continue;
        }
        let lines = if mood == "silent" { "connect_timeout 2" } else { "" };
        cases.push(
            verdict.map_or_else(|| up(&at, "SMTP_CHECK", lines), |reason| down(&at, "SMTP_CHECK", lines, reason)),
        );
    }
    let open = mail::can_open();
    if open {
        cases.extend(mail::open_cases());
    }
    let serve = |room: Room<'_>| -> Result<Vec<_>> {
        let mut servers = vec![names::zones(room)?, mail::plain(room, mail::PLAIN)?, mail::moody(room)?];
        if open {
            servers.push(mail::opensmtpd(room)?);
        }
        Ok(servers)
    };
    same(serve, &cases);
}
