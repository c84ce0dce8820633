//! Each row of the keyword table: what is written reaches the model.
//!
//! A case is a statement in its block, a place in the model (JSON pointer), and what must stand there. Expected values
//! come from the manual of keepalived or from what it was seen to do (shared/reference), never from our own output.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

/// Pointers to the only virtual server, its first real server, that one's first and second check.
macro_rules! service {
    ($rest:literal) => {
        concat!("/virtual_servers/0/", $rest)
    };
}
macro_rules! real {
    ($rest:literal) => {
        concat!("/virtual_servers/0/real_servers/0/", $rest)
    };
}
macro_rules! checker {
    ($rest:literal) => {
        concat!("/virtual_servers/0/real_servers/0/checkers/0/", $rest)
    };
}
macro_rules! second {
    ($rest:literal) => {
        concat!("/virtual_servers/0/real_servers/0/checkers/1/", $rest)
    };
}

mod balance;
mod bfd;
mod checks;
mod defaults;
mod global;
mod lines;
mod root;
mod track;
mod vrrp;

use std::collections::BTreeSet;
use std::path::Path;

use keepalived_config::keywords::{self, Status, Twice};
use keepalived_config::{AnyInterface, Loaded, MemorySource, load};
use serde_json::Value;

/// Block, keyword, what is written, where it ends up in the model, and as what (JSON; empty if nothing may stand
/// there). Without a place nothing may come of it.
type Case = (&'static str, &'static str, &'static str, &'static str, &'static str);

/// Findings that a case may give: they are not about its value.
const HARMLESS: &[&str] = &[
    "not-effective",
    "old-spelling",
    "deprecated",
    "check-slow",
    "clients-stay",
    "script-unused",
    "tracker-unused",
    "repeated",
];

fn cases() -> impl Iterator<Item = &'static Case> {
    let tables = [
        balance::CASES,
        bfd::CASES,
        defaults::CASES,
        global::CASES,
        lines::CASES,
        root::CASES,
        track::CASES,
        vrrp::CASES,
    ];
    tables.into_iter().chain(checks::CASES.iter().copied()).flatten()
}

/// A configuration in which `text` stands in `block` and everything that is required is there.
fn around(block: &str, text: &str) -> String {
    let peers = "interface eth0\nvirtual_router_id 1\nvirtual_ipaddress {\n10.0.0.1\n}";
    let instance = |inside: &str| format!("vrrp_instance I {{\n{peers}\n{inside}\n}}\n");
    let server = |inside: &str| {
        format!("virtual_server 10.0.0.1 80 {{\nlvs_sched rr\nlvs_method NAT\nprotocol TCP\n{inside}\n}}\n")
    };
    let followed = [("one", 1), ("two", 2)].map(|(name, number)| {
        format!("track_file {name} {{\nfile /run/{name}\n}}\nbfd_instance {name} {{\nneighbor_ip 10.0.0.{number}\n}}\n")
    });
    let real = |inside: &str| followed.concat() + &server(&format!("real_server 10.0.1.1 80 {{\n{inside}\n}}"));
    match block {
        "(root)" => text.to_owned(),
        // a case may bring all that it needs
        _ if text.starts_with("global_defs ") || text.starts_with("vrrp_instance ") => text.to_owned(),
        "global_defs" | "garp_group" | "SSL" => format!("{block} {{\n{text}\n}}\n{}", instance("")),
        "vrrp_instance" => TRACKED.to_owned() + &instance(text),
        "vrrp_instance/unicast_peer" => instance(&format!("unicast_peer {{\n{text}\n}}")),
        "track_group" => instance("") + &format!("track_group T {{\n{text}\n}}\n"),
        // a case may bring the static block that it needs
        "<address line>" | "<route line>" | "<rule line>" if text.starts_with("static_") => {
            format!("{}track_group T {{\ngroup {{\nI\n}}\n}}\n{text}\n", instance(""))
        }
        "<address line>" => instance(&format!("virtual_ipaddress_excluded {{\n{text}\n}}")),
        "<route line>" => instance(&format!("virtual_routes {{\n{text}\n}}")),
        "<rule line>" => instance(&format!("virtual_rules {{\n{text}\n}}")),
        "<track line>" => TRACKED.to_owned() + &instance(&format!("track_script {{\n{text}\n}}")),
        "vrrp_sync_group" => {
            let second = instance("virtual_router_id 2").replace("vrrp_instance I", "vrrp_instance J");
            let second = second.replace("10.0.0.1", "10.0.0.2");
            let members = if text.contains("group {") { "" } else { "group {\nI\nJ\n}" };
            format!("{TRACKED}{}{second}vrrp_sync_group G {{\n{members}\n{text}\n}}\n", instance(""))
        }
        // a case may bring a server of its own
        "virtual_server" if text.starts_with("virtual_server ") => text.to_owned(),
        "virtual_server" => server(&format!("{text}\nreal_server 10.0.1.1 80 {{\nTCP_CHECK {{\n}}\n}}")),
        "virtual_server/real_server" => real(&format!("TCP_CHECK {{\n}}\n{text}")),
        "bfd_instance" => format!("bfd_instance b {{\nneighbor_ip 10.0.0.2\n{text}\n}}\n"),
        _ => match block.split('/').collect::<Vec<_>>().as_slice() {
            ["vrrp_instance", inner] => instance(&format!("{inner} {{\n{text}\n}}")),
            ["virtual_server", "real_server", checker] => {
                real(&format!("{checker} {{\n{}\n{text}\n}}", required(checker)))
            }
            ["virtual_server", "real_server", checker, inner] => {
                // a case for path brings it
                let required = if text.starts_with("path ") { "" } else { required(inner) };
                real(&format!("{checker} {{\n{inner} {{\n{required}\n{text}\n}}\n}}"))
            }
            _ => format!("{block} N {{\n{text}\n}}\n"),
        },
    }
}

/// Something of each kind to track.
const TRACKED: &str = "\
    vrrp_script s {\nscript /bin/s\nweight 5\n}\nvrrp_script t {\nscript /bin/t\nweight 6 reverse\n}\n\
    track_file f {\nfile /run/f\n}\ntrack_file g {\nfile /run/g\n}\nvrrp_track_process p {\nprocess p\n}\n\
    vrrp_track_probe q {\nping 10.0.0.4\n}\nbfd_instance b {\nneighbor_ip 10.0.0.3\nweight 8\n}\n";

/// What a block of checks cannot do without.
fn required(block: &str) -> &'static str {
    match block {
        "HTTP_GET" | "SSL_GET" | "HTTP2_GET" => "url {\npath /\n}",
        "url" => "path /",
        "MISC_CHECK" => "misc_path /bin/true",
        "FILE_CHECK" => "track_file one",
        "BFD_CHECK" => "name one",
        _ => "",
    }
}

fn read(text: &str) -> (Loaded, Value) {
    let loaded = load(&MemorySource::one("/k.conf", text), Path::new("/k.conf"), &AnyInterface);
    let model = serde_json::to_value(&loaded.config).unwrap();
    (loaded, model)
}

#[test]
fn what_is_written_reaches_the_model() {
    let mut wrong = Vec::new();
    for (block, keyword, text, pointer, expected) in cases() {
        let (loaded, model) = read(&around(block, text));
        if pointer.is_empty() {
            let lines = text.lines().filter(|line| line.split_whitespace().next() != Some(keyword));
            let without = lines.collect::<Vec<_>>().join("\n");
            assert_eq!(model, read(&around(block, &without)).1, "{block}: something comes of {text}");
            continue;
        }
        let seen = model.pointer(pointer);
        let wanted: Option<Value> = (!expected.is_empty()).then(|| serde_json::from_str(expected).unwrap());
        if seen != wanted.as_ref() {
            wrong.push(format!("{block}: {text}: {pointer} is {seen:?}, not {expected}"));
        }
        // the first word of some lines is a value
        if !keyword.contains(['[', '/']) && !text.split_whitespace().any(|word| word == *keyword) {
            wrong.push(format!("{block}: {text}: where is {keyword}?"));
        }
        let (_, without) = read(&around(block, ""));
        if without.pointer(pointer) == seen {
            wrong.push(format!("{block}: {text}: {pointer} is the same without it"));
        }
        let findings = loaded.findings.iter().filter(|finding| !HARMLESS.contains(&finding.rule.id));
        wrong.extend(findings.map(|finding| format!("{block}: {text}: {}: {}", finding.rule.id, finding.message)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_row_has_a_case() {
    let covered: BTreeSet<(&str, &str)> = cases().map(|(block, keyword, ..)| (*block, *keyword)).collect();
    let rows = keywords::all().filter(|row| row.is_modelled());
    let missing: Vec<_> = rows.map(|row| (row.block, row.name)).filter(|row| !covered.contains(row)).collect();
    assert!(missing.is_empty(), "{} rows have no case: {missing:?}", missing.len());
}

#[test]
fn every_case_has_a_row() {
    let rows: BTreeSet<(&str, &str)> = keywords::all().map(|row| (row.block, row.name)).collect();
    for (block, keyword, ..) in cases() {
        assert!(rows.contains(&(*block, *keyword)), "{block} {keyword}");
    }
}

/// What keepalived does with each was seen with 2.4.3, one run per keyword: `Twice` in the table.
#[test]
fn a_keyword_that_may_stand_once_is_said_where_it_stands_twice() {
    let mut wrong = Vec::new();
    for (block, keyword, text, ..) in cases() {
        let lines: Vec<_> = text.lines().filter(|line| line.split_whitespace().next() == Some(keyword)).collect();
        let row = keywords::lookup(block, keyword).filter(|row| !row.opens_block());
        // a case that brings its block with it cannot be doubled
        let (Some(row), [line]) = (row, lines.as_slice()) else { continue };
        if around(block, text) == *text {
            continue;
        }
        let (loaded, _) = read(&around(block, &format!("{text}\n{line}")));
        let is = |id: &str| loaded.findings.iter().any(|finding| finding.rule.id == id);
        let right = match row.twice {
            Twice::First => is("said-twice"),
            Twice::Last => is("said-again"),
            Twice::Silent => is("repeated") || matches!(row.status, Status::Obsolete { .. }),
            Twice::Each => !is("said-twice") && !is("said-again") && !is("repeated"),
        };
        if !right {
            wrong.push(format!("{block} {keyword}: {line}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
