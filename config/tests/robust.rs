//! Any octets whatever: no panic, no hang, bounded answers.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

use std::path::Path;

use keepalived_config::syntax::{ExpandedLine, Parsed, parse, tokenize};
use keepalived_config::{AnyInterface, MemorySource, Options, exit_status, expand, format, load, plan, render};
use proptest::prelude::*;

fn survives(bytes: &[u8]) {
    let source = MemorySource::one("/k", bytes).with("/inc", bytes);
    let loaded = load(&source, Path::new("/k"), &AnyInterface);
    for finding in loaded.findings.iter().take(100) {
        assert!(render(finding, loaded.files()).len() < 20_000);
    }
    for mark in loaded.findings.iter().flat_map(|finding| finding.primary.iter().chain(&finding.secondary)) {
        let file = loaded.files().get(mark.span.file).unwrap();
        assert!(mark.span.start <= mark.span.end && mark.span.end <= file.bytes.len(), "{mark:?}");
    }
    assert!([0, 2, 4, 5, 6].contains(&exit_status(&loaded.findings)));
    assert!(plan(&loaded.config, &loaded.config).unwrap().is_empty());
    for (_, file) in loaded.files().iter() {
        let joined: Vec<u8> =
            tokenize(&file.bytes).iter().flat_map(|token| &file.bytes[token.range.clone()]).copied().collect();
        assert_eq!(joined, *file.bytes);
    }
}

fn read(text: &[u8]) -> Parsed {
    parse(&MemorySource::one("/k", text).with("/inc", text), Path::new("/k"), &Options::default())
}

/// Laid out, it says the same, and nothing is left to lay out.
fn formats(text: &[u8]) {
    let once = format(text);
    let shown = || format!("{}\n--- becomes\n{}", text.escape_ascii(), once.escape_ascii());
    assert_eq!(format(&once).escape_ascii().to_string(), once.escape_ascii().to_string(), "{}", shown());
    let read = |text: &[u8]| parse(&MemorySource::one("/k", text), Path::new("/k"), &Options::default()).tree;
    let (before, after) = (read(text), read(&once));
    let names = |tree: &keepalived_config::syntax::Tree| -> Vec<String> {
        tree.statements()
            .map(|node| node.words().map(|word| word.str().into_owned()).collect::<Vec<_>>().join(" "))
            .collect()
    };
    assert!(before == after, "{}\n{:?}\n{:?}", shown(), names(&before), names(&after));
}

/// Written out, it says the same, unless a line of what was written out would be understood once more.
fn expands(text: &[u8]) {
    let source = MemorySource::one("/k", text).with("/inc", "inc {\n\"a b\" # c\n}\n");
    let expanded = expand(&source, Path::new("/k"), &Options::default());
    let is_special = |line: &ExpandedLine| {
        let has = |octets: &[u8]| line.text.iter().any(|octet| octets.contains(octet));
        // octets outside ASCII: a byte order mark would be one again in the first line
        has(b"$#!\\\"\xef") || matches!(line.text.first(), Some(b'@' | b'~')) || line.text.starts_with(b"include")
    };
    if !expanded.lines.iter().any(is_special) {
        let again = read(&expanded.text());
        let same = again.tree.is_told_by_layout() || expanded.parsed.tree == again.tree;
        assert!(same, "{}\n{}", text.escape_ascii(), expanded.text().escape_ascii());
    }
}

/// Text that looks like a configuration from afar.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let words = [
        "vrrp_instance",
        "A",
        "{",
        "}",
        "\n",
        "\n",
        "\n",
        " ",
        " ",
        "interface",
        "eth0",
        "virtual_router_id",
        "5",
        "300",
        "priority",
        "state",
        "MASTER",
        "virtual_ipaddress",
        "10.0.0.1/24",
        "fe80::1",
        "dev",
        "label",
        "brd",
        "+",
        "unicast_peer",
        "authentication",
        "auth_type",
        "PASS",
        "auth_pass",
        "global_defs",
        "vrrp_strict",
        "advert_int",
        "0.01",
        "preempt_delay",
        "$A=",
        "$A",
        "${A}",
        "$A= \\\n",
        " \\\n",
        "{\n",
        "\n}\n",
        "'",
        "vrrp_script s {\n",
        "script ",
        "~LST({A, B}, {1, 2}) ",
        "include /i*",
        "@id",
        "@^id ",
        "~SEQ(A, 1, 2)",
        "include /inc",
        "include",
        "\"",
        "#",
        "!",
        "\\",
        "\r",
        "\t",
        "\0",
        "\u{feff}",
        "\u{202e}é",
        "vrrp_sync_group",
        "group",
        "garp_group",
        "interfaces",
        "umask",
        "IRUSR|",
        "nopreempt",
        "garp_extra_if",
        "all",
        "version",
        "3",
        "2",
        "-",
        "/",
        "min_ttl",
    ];
    proptest::collection::vec(proptest::sample::select(words.to_vec()), 0..200)
        .prop_map(|words| words.join(if words.len() % 2 == 0 { " " } else { "" }).into_bytes())
}

/// Lines of load balancing in any order, with the numbers at the ends of their ranges.
fn nearly_balanced() -> impl Strategy<Value = Vec<u8>> {
    let lines = [
        "virtual_server 10.0.0.1 80 {",
        "virtual_server ::1 {",
        "virtual_server fwmark 1 {",
        "virtual_server group G {",
        "virtual_server_group G {",
        "real_server 10.0.0.2 {",
        "real_server 10.0.0.3 65535 {",
        "real_server fe80::1 80 {",
        "sorry_server 10.0.0.2 80",
        "TCP_CHECK {",
        "HTTP_GET {",
        "SMTP_CHECK {",
        "host {",
        "url {",
        "UDP_CHECK {",
        "MISC_CHECK {",
        "BFD_CHECK {",
        "bfd_instance b {",
        "neighbor_ip 10.0.0.1",
        "name b",
        "}",
        "}",
        "}",
        "} }",
        "path /",
        "digest ",
        "status_code 100-599 - 5-",
        "regex_stack 1",
        "misc_path \"/bin/a 'b\"",
        "payload 0 x f0f",
        "require_reply x 0xX",
        "lvs_method TUN type gue port 5",
        "lvs_method DR",
        "protocol udp",
        "ops",
        "weight 2147483647",
        "weight 0",
        "quorum 4294967295",
        "hysteresis 4294967295",
        "retry 4294967295",
        "delay_loop 18446744073709.551614",
        "connect_timeout 4294.967295",
        "delay_before_retry 18446744073709.551614",
        "persistence_granularity 1",
        "persistence_granularity 128",
        "persistence_granularity 0.0.0.0",
        "10.0.0.1-255 80",
        "255.255.255.255-255.255.255.255",
        "0.0.0.0/1 0",
        "::/128",
        "ffff::1-ffff",
        "1.2.3.4/99999999999999999999",
        "fwmark 4294967295 inet6",
    ];
    proptest::collection::vec(proptest::sample::select(lines.to_vec()), 0..60)
        .prop_map(|lines| lines.join("\n").into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nearly_balanced_configurations_are_survived(bytes in nearly_balanced(), other in nearly_balanced()) {
        survives(&bytes);
        let config = |bytes: &[u8]| load(&MemorySource::one("/k", bytes), Path::new("/k"), &AnyInterface).config;
        let (one, other) = (config(&bytes), config(&other));
        prop_assert!(plan(&one, &one).unwrap().is_empty());
        // what only stands in another order is no change
        prop_assert!(one != other || plan(&one, &other).unwrap().is_empty());
    }

    #[test]
    fn arbitrary_octets_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..4000)) {
        survives(&bytes);
    }

    #[test]
    fn nearly_configurations_are_survived(bytes in nearly()) {
        survives(&bytes);
    }

    #[test]
    fn layout_changes_nothing(bytes in nearly()) {
        formats(&bytes);
    }

    #[test]
    fn what_is_written_out_says_the_same(bytes in nearly()) {
        expands(&bytes);
    }
}

/// Every configuration that the tests have.
fn samples() -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = std::fs::read(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    found
}

#[test]
fn samples_are_laid_out_and_written_out() {
    for (path, text) in samples() {
        println!("{}", path.display());
        formats(&text);
        expands(&text);
    }
}

/// A file that was cut off while it was written: only findings, each at a place.
#[test]
fn samples_that_are_cut_off_are_survived() {
    for (path, text) in samples() {
        // each octet of the first few thousand, then only some
        let step = text.len().div_ceil(100).max(17);
        let ends = (0..text.len()).filter(|end| *end < 1_000 || end % step == 0);
        for end in ends {
            let parsed = read(&text[..end]);
            let findings = parsed.findings.sorted();
            let is_placed = |finding: &keepalived_config::Finding| finding.primary.is_some();
            assert!(findings.iter().all(is_placed), "{} {end}", path.display());
        }
        for end in (0..text.len()).step_by(step) {
            survives(&text[..end]);
            let loaded = load(&MemorySource::one("/k", &text[..end]), Path::new("/k"), &AnyInterface);
            let nowhere = loaded.findings.iter().find(|finding| {
                // how many more there are has no place
                finding.primary.is_none() && finding.rule.id != "more-findings"
            });
            assert_eq!(nowhere.map(|finding| &finding.message), None, "{} {end}", path.display());
        }
    }
}

/// Prints how long 4000 instances take; `cargo test --release -p keepalived-config --test robust -- --nocapture four`.
#[test]
fn four_thousand_instances_load() {
    let text: String = (0..4000)
        .map(|n| {
            format!(
                "vrrp_instance VI_{n} {{\n    state BACKUP\n    interface eth{}\n    virtual_router_id {}\n    priority 100\n    \
                 advert_int 1\n    virtual_ipaddress {{\n        10.{}.{}.1/24 dev eth{} label eth{}:1\n    }}\n}}\n",
                n / 250, n % 250 + 1, n / 250, n % 250, n / 250, n / 250
            )
        })
        .collect();
    let start = std::time::Instant::now();
    let loaded = load(&MemorySource::one("/k", text), Path::new("/k"), &AnyInterface);
    let loading = start.elapsed();
    assert_eq!((loaded.config.instances.len(), loaded.findings.len()), (4000, 0));
    let start = std::time::Instant::now();
    assert!(plan(&loaded.config, &loaded.config).unwrap().is_empty());
    println!("4000 instances: load {loading:?}, plan {:?}", start.elapsed());
}

/// The longest lines of the worst kinds: what one costs grows with its length, not with its square, or this would take
/// minutes.
#[test]
fn long_lines_are_read_and_laid_out_soon() {
    for piece in [
        "{",
        "}",
        "{@a ",
        "{@^a ",
        "a{",
        "a}",
        "${",
        "$A",
        "{$A.",
        "{${A ",
        "~",
        "\"",
        "'\"",
        "\\",
        "{include{",
        "a ",
        "{~SEQ(1",
        "#",
    ] {
        for begin in ["", "$A=1\n$", "$A=x\n${A} "] {
            let line = begin.to_owned() + &piece.repeat(65_000 / piece.len()) + "\n";
            let text = line.repeat(8);
            let begun = std::time::Instant::now();
            read(text.as_bytes());
            let reading = begun.elapsed();
            let laid = format(&format(text.as_bytes()));
            println!(
                "{piece:?} after {begin:?}: {reading:?}, laid out {:?}, {} octets",
                begun.elapsed() - reading,
                laid.len()
            );
        }
    }
}

#[test]
fn a_large_file_that_is_no_configuration_ends() {
    let noise: Vec<u8> =
        (0_u32..3_000_000).map(|n| u8::try_from(n.wrapping_mul(2_654_435_761) >> 24).unwrap()).collect();
    let loaded = load(&MemorySource::one("/k", noise), Path::new("/k"), &AnyInterface);
    assert!(!loaded.findings.is_empty());
    let words = "abcdefgh ijk\n".repeat(100_000);
    assert_eq!(load(&MemorySource::one("/k", words), Path::new("/k"), &AnyInterface).findings.len(), 1_001);
}
