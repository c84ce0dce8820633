//! Any octets whatever: no panic, no hang, bounded answers.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

use std::path::Path;

use keepalived_config::syntax::tokenize;
use keepalived_config::{AnyInterface, MemorySource, exit_status, load, plan, render};
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn arbitrary_octets_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..4000)) {
        survives(&bytes);
    }

    #[test]
    fn nearly_configurations_are_survived(bytes in nearly()) {
        survives(&bytes);
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

#[test]
fn a_large_file_that_is_no_configuration_ends() {
    let noise: Vec<u8> =
        (0_u32..3_000_000).map(|n| u8::try_from(n.wrapping_mul(2_654_435_761) >> 24).unwrap()).collect();
    let loaded = load(&MemorySource::one("/k", noise), Path::new("/k"), &AnyInterface);
    assert!(!loaded.findings.is_empty());
    let words = "abcdefgh ijk\n".repeat(100_000);
    assert_eq!(load(&MemorySource::one("/k", words), Path::new("/k"), &AnyInterface).findings.len(), 1_001);
}
