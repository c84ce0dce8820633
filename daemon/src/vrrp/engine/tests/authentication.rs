//! Adverts that are signed, and those that are believed. What is on the wire: the tests of `core`.

use std::time::Duration;

use keepalived_core::vrrp::{State, advert};

use super::rig::{Rig, message, under};

const KEY: &str = "0123456789abcdef0123456789abcdef";
const OTHER_KEY: &str = "fedcba9876543210fedcba9876543210";
/// Silence that makes a backup master.
const LONG: u64 = 6;

fn signed(lines: &str) -> String {
    under("", &format!("version 3\n auth_hmac {{\n {lines}\n }}"))
}

/// The state of a router with `ours` after it has heard a master with `theirs` and priority 200 for a while.
fn state_beside(ours: &str, theirs: &str) -> State {
    let mut rig = Rig::new(ours);
    rig.hear_for(LONG, theirs, 200);
    rig.state("A")
}

#[test]
fn adverts_are_signed_with_the_active_key_and_believed_with_any() {
    let one = signed(&format!("key 1 {KEY}\n active_key 1"));
    let both = signed(&format!("key 1 {KEY}\n key 2 {OTHER_KEY}\n active_key 2"));
    let other = signed(&format!("key 1 {OTHER_KEY}\n active_key 1"));
    assert_eq!(state_beside(&one, &one), State::Backup);
    assert_eq!(state_beside(&both, &one), State::Backup, "a key that is not the active one");
    assert_eq!(state_beside(&one, &both), State::Master, "a key that we do not have");
    assert_eq!(state_beside(&one, &other), State::Master, "another key of the same number");

    let mut rig = Rig::new(&both);
    rig.pass(Duration::from_secs(LONG));
    let sent = std::mem::take(&mut rig.packets().sent);
    let trailer = &message(&sent[0])[advert::HEADER_LENGTH + 4..];
    assert_eq!((trailer.len(), &trailer[..4]), (28, &[1, 2, 0, 0][..]), "type, key, reserved");
    let numbers: Vec<&[u8]> = sent.iter().map(|advert| &message(advert)[16..24]).collect();
    assert!(numbers.len() > 2 && numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
}

#[test]
fn an_advert_that_is_sent_again_is_refused() {
    let text = signed(&format!("key 1 {KEY}\n active_key 1"));
    let mut rig = Rig::new(&text);
    rig.hear(&text, 200);
    let now = rig.now;
    // the octets are the same as long as the clock stands
    for _ in 0..3 {
        rig.hear(&text, 200);
    }
    assert_eq!(rig.now, now);
    let counters = rig.engine.view(rig.now, std::time::SystemTime::UNIX_EPOCH).instances[0].counters;
    assert_eq!((counters.advert_rcvd, counters.auth_ext_replay), (1, 3));
}

#[test]
fn a_signature_from_another_time_is_refused() {
    let state = |lines: &str| {
        let text = signed(&format!("key 1 {KEY}\n active_key 1\n {lines}"));
        let mut rig = Rig::new(&text);
        rig.others_ahead = Duration::from_secs(60);
        rig.hear_for(LONG, &text, 200);
        rig.state("A")
    };
    assert_eq!(state(""), State::Master, "5 s at 1 s between adverts");
    assert_eq!(state("time_window 59"), State::Master);
    assert_eq!(state("time_window 60"), State::Backup);
    assert_eq!(state("anti_replay monotonic"), State::Backup);
}

#[test]
fn a_signature_does_not_grow_old_while_it_waits_to_be_read() {
    let text = signed(&format!("key 1 {KEY}\n active_key 1\n time_window 5"));
    let mut rig = Rig::new(&text);
    rig.hear_only(&text, 200);
    rig.now += Duration::from_secs(20);
    rig.settle();
    let counters = rig.engine.view(rig.now, std::time::SystemTime::UNIX_EPOCH).instances[0].counters;
    assert_eq!((counters.advert_rcvd, counters.auth_ext_stale), (1, 0));
}

#[test]
fn without_signature_adverts_count_until_they_are_enforced() {
    let keys = format!("key 1 {KEY}\n active_key 1");
    let plain = under("", "version 3");
    for (mode, believes, signs) in [("enforce", false, true), ("permissive", true, true), ("receive-only", true, false)]
    {
        let text = signed(&format!("{keys}\n mode {mode}"));
        let expected = if believes { State::Backup } else { State::Master };
        assert_eq!(state_beside(&text, &plain), expected, "{mode}");
        let other = signed(&format!("key 1 {OTHER_KEY}\n active_key 1"));
        assert_eq!(state_beside(&text, &other), State::Master, "{mode}: what is signed must be right");
        let mut rig = Rig::new(&text);
        rig.pass(Duration::from_secs(LONG));
        let length = message(&rig.packets().sent[0]).len();
        assert_eq!(length, advert::HEADER_LENGTH + 4 + if signs { 28 } else { 0 }, "{mode}");
    }
}

#[test]
fn an_authentication_header_is_sent_and_wanted() {
    let with = |lines: &str| under("", &format!("authentication {{\n {lines}\n }}"));
    let ours = with("auth_type AH\n auth_pass secret");
    assert_eq!(state_beside(&ours, &ours), State::Backup);
    assert_eq!(state_beside(&ours, &with("auth_type AH\n auth_pass another")), State::Master);

    let mut rig = Rig::new(&ours);
    rig.pass(Duration::from_secs(LONG));
    let sent = std::mem::take(&mut rig.packets().sent);
    assert!(sent.len() > 2);
    for (number, advert) in (1_u32..).zip(&sent) {
        assert_eq!(advert.octets[9], 51, "protocol AH");
        assert_eq!(advert.octets[28..32], number.to_be_bytes(), "numbers from 1 on");
        assert_eq!(advert.octets[44..50], [0x21, 51, 100, 1, 2, 1], "the message, with type AH");
    }
}

// else the other routers refuse its numbers, and two are master
#[test]
fn a_master_with_authentication_header_does_not_resume() {
    let text = under("", "authentication {\n auth_type AH\n auth_pass secret\n }");
    let keys = |config: &keepalived_config::model::Config| {
        keepalived_config::plan::keyed(&config.instances).map(|(key, _)| key).collect()
    };
    let mut rig = Rig::with(super::rig::machine(), &text, keys);
    assert_eq!(rig.state("A"), State::Backup);
    rig.pass(Duration::from_secs(LONG));
    assert_eq!(rig.state("A"), State::Master);
}
