//! A fixed number of mutated inputs for each target, the same in every run.

use std::path::Path;

use keepalived_fuzz::mutation::{Random, mutant};
use keepalived_fuzz::{advert, advert_input, bfd, bfd_input, configuration, expansion, ipv4, layout};

/// Pieces of configurations.
const WORDS: &[&[u8]] = &[
    b"{\n",
    b"\n}\n",
    b"\"",
    b"'",
    b"#",
    b"!",
    b"\\\n",
    b"include /etc/*.conf\n",
    b"include /etc/k.conf\n",
    b"\xff",
    b"$A=x\n",
    b"$A",
    b"${A}",
    b"@id ",
    b"@^id ",
    b"~SEQ(A,1,9)",
    b"{a,b}",
    b"vrrp_instance V {\n",
    b"priority 0\n",
    b"virtual_ipaddress {\n",
    b"virtual_router_id 256\n",
    b"unicast_peer {\n",
    b"global_defs {\n",
    b"vrrp_strict\n",
    b"advert_int 0.001\n",
    b"version 2\n",
    b"nopreempt\n",
    b"18446744073709551616",
    b"-1",
    b"fe80::1/129",
    b"dev eth9",
    b"\0",
    b"\r\n",
    b"\xc3",
    b"\xe2\x80\xae",
    b"vrrp_sync_group G {\n",
    b"state MASTER\n",
    b"<SHM>",
    b"@include",
    b"$M= \\\n",
    b" \\\n",
    b"$M\n",
    b"~SEQ(B,9) ",
    b"~LST({A,B},{1,2},{,3}) ",
    b"${_RANDOM 1 9}",
    b"${_ENV HOME}",
    b"${_HASH}",
    b"\\#",
    b"script 'a",
    b"vrrp_script s {\n",
    b"include_check match\n",
    b"includea ",
];

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .expect("the corpus is in the tree")
        .map(|entry| entry.expect("it can be listed").path())
        .collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).expect("it can be read")).collect()
}

/// Prints the input that a target does not survive, so that it can be put into the corpus.
fn check(target: fn(&[u8]), name: &str, words: &[&[u8]], count: u64) {
    let corpus = corpus(name);
    assert!(!corpus.is_empty());
    corpus.iter().for_each(|input| target(input));
    let mut random = Random::new(1);
    for number in 0..count {
        let input = mutant(&mut random, &corpus, words);
        let survived = std::panic::catch_unwind(|| target(&input)).is_ok();
        assert!(survived, "{name}, input {number}: {}", input.escape_ascii());
    }
}

#[test]
fn no_advert_harms() {
    check(advert, "advert", &[], 200_000);
}

#[test]
fn no_neighbour_harms() {
    check(bfd, "bfd", &[], 40_000);
}

#[test]
fn no_packet_harms() {
    check(ipv4, "ipv4", &[], 200_000);
}

#[test]
fn no_configuration_harms() {
    check(configuration, "configuration", WORDS, 20_000);
}

#[test]
fn no_expansion_harms() {
    check(expansion, "expansion", WORDS, 20_000);
}

#[test]
fn no_layout_harms() {
    check(layout, "layout", WORDS, 40_000);
}

/// The corpus is what the format of the inputs makes it; `UPDATE_CORPUS=1` writes it after that has changed.
#[test]
fn the_corpus_of_adverts_is_up_to_date() {
    for kind in 0..=255_u8 {
        // of the last three bits each once is enough
        if kind & 0xe0 != 0 && kind & 0x1f != 0 {
            continue;
        }
        for priority in [0, 50, 100, 200] {
            let input = advert_input(kind, priority);
            compare("advert", &format!("{kind:02x}-{priority}"), &input);
            if kind & 1 == 0 && kind < 8 {
                compare("ipv4", &format!("{kind:02x}-{priority}"), &input[2..]);
            }
        }
    }
}

#[test]
fn the_corpus_of_neighbours_is_up_to_date() {
    for who in 0..4 {
        for kind in 0..8 {
            compare("bfd", &format!("{who}-{kind}"), &bfd_input(who, kind));
        }
    }
}

fn compare(target: &str, name: &str, input: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target).join(name);
    if std::env::var_os("UPDATE_CORPUS").is_some() {
        std::fs::write(&path, input).expect("the corpus can be written");
    }
    let there = std::fs::read(&path).expect("the corpus can be read");
    assert_eq!(there, input, "{}: run with UPDATE_CORPUS=1", path.display());
}
