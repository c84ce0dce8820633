//! Expected values: RFC 9568 §6.4, RFC 3768 §6.4, and keepalived 2.4.3 as observed (shared/reference/behaviour.md,
//! sections 1 and 2). Where keepalived was seen to fail, the test's name says what is right instead.

use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::time::Centis;
use crate::vrrp::cause::Fault;
use crate::vrrp::params::{ChecksumForm, Peer};
use crate::vrrp::receive::Refusal;
use crate::vrrp::types::AdvertInterval;
use crate::vrrp::{advert, ipv4};

const OURS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const LOWER_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 1, 255));
const THEIRS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18));

fn params(version: Version, priority: u8) -> Params {
    Params {
        priority: Priority::new(priority).unwrap(),
        initial: if priority == 255 { InitialState::Master } else { InitialState::Backup },
        ..Params::example(version)
    }
}

/// A router and a clock: each step returns what the router wants, as short words.
struct Rig {
    router: Router,
    now: Instant,
    peer: Params,
}

const SECOND: u64 = 1_000_000_000;
const MILLI: u64 = 1_000_000;

impl Rig {
    /// Started at 1000.5 s, so that a phase of 0 falls half a second later.
    fn new(params: Params) -> Self {
        let peer = params.clone();
        Self { router: Router::new(params), now: Instant::from_nanos(1_000 * SECOND + SECOND / 2), peer }
    }

    fn started(params: Params) -> Self {
        let mut rig = Self::new(params);
        rig.tell(Event::Ground { source: Some(OURS), faults: Faults::NONE });
        rig.tell(Event::Start);
        rig
    }

    /// A router that has just become master by silence.
    fn master(params: Params) -> Self {
        let mut rig = Self::started(params);
        rig.skip(rig.until_deadline());
        rig.expire();
        assert_eq!(rig.router.state(), State::Master);
        rig
    }

    fn tell(&mut self, event: Event<'_>) -> Vec<Effect> {
        let mut out = Vec::new();
        self.router.handle(self.now, event, &mut out);
        out
    }

    fn expire(&mut self) -> Vec<Effect> {
        let mut out = Vec::new();
        self.router.handle_timeout(self.now, &mut out);
        out
    }

    fn skip(&mut self, time: Duration) {
        self.now += time;
    }

    fn until_deadline(&self) -> Duration {
        self.router.next_deadline().unwrap().since(self.now)
    }

    /// An advert of `priority` from `source` with the peer's parameters arrives now.
    fn hear(&mut self, source: IpAddr, priority: u8) -> Vec<Effect> {
        let octets = packet(&self.peer, source, priority);
        self.hear_octets(source, 255, &octets)
    }

    fn hear_octets(&mut self, source: IpAddr, ttl: u8, octets: &[u8]) -> Vec<Effect> {
        self.hear_at(self.now, source, ttl, octets)
    }

    fn hear_at(&mut self, received: Instant, source: IpAddr, ttl: u8, octets: &[u8]) -> Vec<Effect> {
        let datagram = Datagram { source, destination: GROUP, ttl, received, message: octets };
        self.tell(Event::Datagram(&datagram))
    }
}

/// The message alone, as a machine gets it.
fn packet(params: &Params, source: IpAddr, priority: u8) -> Vec<u8> {
    let mut octets = Vec::new();
    advert::encode(&mut octets, params, priority, source, GROUP, 1);
    octets.split_off(ipv4::HEADER_LENGTH)
}

fn words(effects: &[Effect]) -> Vec<String> {
    effects
        .iter()
        .map(|effect| match effect {
            Effect::Advertise { priority } => format!("advertise {priority}"),
            Effect::Hold => "hold".into(),
            Effect::Release => "release".into(),
            Effect::Announce { rounds } => format!("announce {rounds}"),
            Effect::AnnounceElsewhere => "announce elsewhere".into(),
            Effect::AnnounceSource => "announce source".into(),
            Effect::AsksGroup => "asks".into(),
            Effect::Transition(transition) => format!("{} to {}", transition.from, transition.to),
            Effect::Note(note) => format!("note: {note}").split(':').next().unwrap_or_default().into(),
        })
        .collect()
}

fn with_interval(mut params: Params, centis: u16) -> Params {
    params.interval = AdvertInterval::new(params.version, Centis::new(centis)).unwrap();
    params
}

// spec: rfc9568/6.4.1
#[test]
fn an_owner_is_master_at_once() {
    let mut rig = Rig::new(params(Version::V3, 255));
    rig.tell(Event::Ground { source: Some(OURS), faults: Faults::NONE });
    assert_eq!(words(&rig.tell(Event::Start)), ["advertise 255", "INIT to MASTER", "hold"]);
}

// keepalived, observed: state MASTER with a priority below 255 waits as well
#[test]
fn everybody_else_waits_the_master_down_time() {
    for initial in [InitialState::Master, InitialState::Backup] {
        let mut rig = Rig::started(Params { initial, ..params(Version::V2, 100) });
        // RFC 3768 §6.1: 3 * 1 s + (256 - 100) / 256 s
        assert_eq!(rig.until_deadline(), Duration::from_nanos(3 * SECOND + 609_375_000));
        rig.skip(rig.until_deadline());
        assert_eq!(words(&rig.expire()), ["advertise 100", "BACKUP to MASTER", "hold"]);
    }
}

// keepalived, observed: 255 with state BACKUP waits too
#[test]
fn an_owner_that_begins_as_backup_waits() {
    let rig = Rig::started(Params { initial: InitialState::Backup, ..params(Version::V3, 255) });
    assert_eq!(rig.router.state(), State::Backup);
}

// spec: rfc9568/6.1 (Skew_Time from the interval; the trap of Holo: centiseconds taken as seconds, skew truncated)
#[test]
fn skew_follows_the_interval_in_version_3_and_a_second_in_version_2() {
    let skew_of = |version, centis, priority| {
        let params = with_interval(params(version, priority), centis);
        Rig::started(params.clone()).until_deadline() - params.interval.duration() * 3
    };
    assert_eq!(skew_of(Version::V3, 50, 100), Duration::from_nanos(304_687_500));
    assert_eq!(skew_of(Version::V3, 300, 100), Duration::from_nanos(1_828_125_000));
    assert_eq!(skew_of(Version::V3, 1, 254), Duration::from_nanos(78_125));
    assert_eq!(skew_of(Version::V2, 300, 100), Duration::from_nanos(609_375_000));
}

#[test]
fn down_timer_adverts_replaces_the_three() {
    let rig = Rig::started(Params { down_adverts: 5, ..params(Version::V2, 100) });
    assert_eq!(rig.until_deadline(), Duration::from_nanos(5 * SECOND + 609_375_000));
}

// spec: rfc9568/6.4.2-420
#[test]
fn a_farewell_shortens_the_wait_to_the_skew() {
    for preempt in [Preempt::Yes, Preempt::No] {
        let mut rig = Rig::started(Params { preempt, ..params(Version::V3, 100) });
        rig.hear(THEIRS, 200);
        assert_eq!(rig.hear(THEIRS, 0), []);
        assert_eq!(rig.until_deadline(), Duration::from_nanos(609_375_000));
        rig.skip(rig.until_deadline());
        let effects = rig.expire();
        let Some(Effect::Transition(transition)) = effects.get(1) else { panic!("{effects:?}") };
        assert_eq!(transition.cause, Cause::MasterLeft { master: THEIRS });
    }
}

// spec: rfc9568/6.4.2-440: interval learnt, skew and down interval computed from it
#[test]
fn a_backup_goes_by_the_masters_interval() {
    let mut rig = Rig::started(params(Version::V3, 100));
    rig.peer = with_interval(rig.peer.clone(), 300);
    rig.hear(THEIRS, 200);
    assert_eq!(rig.until_deadline(), Duration::from_nanos(9 * SECOND + 1_828_125_000));
    assert_eq!(rig.router.master().map(|master| master.interval.centis().count()), Some(300));
    // a farewell teaches nothing: the skew is that of the master which leaves
    rig.peer = with_interval(rig.peer.clone(), 10);
    rig.hear(THEIRS, 0);
    assert_eq!(rig.until_deadline(), Duration::from_nanos(1_828_125_000));
}

// keepalived 2.4.3 keeps a learnt interval in its timers after becoming master, unless it logs in detail
#[test]
fn a_learnt_interval_ends_with_the_backup_state() {
    let mut rig = Rig::started(params(Version::V3, 100));
    rig.peer = with_interval(rig.peer.clone(), 300);
    rig.hear(THEIRS, 200);
    rig.skip(rig.until_deadline());
    rig.expire();
    assert_eq!(rig.router.state(), State::Master);
    assert!(rig.until_deadline() <= Duration::from_secs(1));
    rig.tell(Event::AddressLost);
    assert_eq!(rig.until_deadline(), Duration::from_nanos(609_375_000), "the quick return goes by our own interval");
}

// keepalived 2.4.3 accepts an interval of 0 in version 3, which makes its master down time 0
#[test]
fn an_interval_of_zero_is_refused() {
    let mut rig = Rig::started(params(Version::V3, 100));
    let before = rig.router.next_deadline();
    let mut octets = packet(&rig.peer, THEIRS, 200);
    // the interval's 100 (0x64) is added to the checksum field instead
    (octets[4], octets[5]) = (0, 0);
    fix_checksum(&mut octets, 100);
    assert_eq!(words(&rig.hear_octets(THEIRS, 255, &octets)).len(), 1);
    assert_eq!(rig.router.counters().zero_interval_err, 1);
    assert_eq!(rig.router.next_deadline(), before);
}

/// Adds what was taken from a 16-bit word to the checksum, in one's complement (RFC 1624).
fn fix_checksum(octets: &mut [u8], taken: u16) {
    let field = u16::from_be_bytes([octets[6], octets[7]]);
    let (sum, carry) = field.overflowing_add(taken);
    octets[6..8].copy_from_slice(&(sum + u16::from(carry)).to_be_bytes());
}

// spec: rfc9568/6.4.2-450
#[test]
fn lower_adverts_are_discarded_and_the_timer_runs_on() {
    let mut rig = Rig::started(params(Version::V3, 100));
    rig.skip(Duration::from_secs(1));
    let before = rig.router.next_deadline();
    assert_eq!(rig.hear(THEIRS, 99), []);
    assert_eq!(rig.router.next_deadline(), before);
    rig.skip(rig.until_deadline());
    let effects = rig.expire();
    let Some(Effect::Transition(transition)) = effects.get(1) else { panic!("{effects:?}") };
    assert_eq!(transition.cause, Cause::Preempted { master: THEIRS, priority: 99 });
}

// keepalived, observed: equal priority is accepted whatever the address
#[test]
fn equal_priority_is_followed_by_a_backup() {
    for source in [THEIRS, LOWER_ADDRESS] {
        let mut rig = Rig::started(params(Version::V3, 100));
        rig.skip(Duration::from_secs(2));
        rig.hear(source, 100);
        assert_eq!(rig.until_deadline(), Duration::from_nanos(3 * SECOND + 609_375_000));
    }
}

// spec: rfc9568/6.4.2-440 (Preempt_Mode false)
#[test]
fn nopreempt_follows_a_lower_master_for_ever() {
    let mut rig = Rig::started(Params { preempt: Preempt::No, ..params(Version::V2, 200) });
    for _ in 0..100 {
        rig.skip(Duration::from_secs(1));
        assert_eq!(rig.expire(), []);
        rig.hear(THEIRS, 1);
    }
    assert_eq!(rig.router.state(), State::Backup);
}

// keepalived, observed: delay 3 s, master after 6 s
#[test]
fn preempt_delay_begins_with_the_first_lower_advert() {
    let mut rig = Rig::started(Params { preempt: Preempt::After(Duration::from_secs(3)), ..params(Version::V2, 200) });
    let start = rig.now;
    while rig.router.state() == State::Backup {
        rig.skip(Duration::from_millis(100));
        rig.expire();
        if rig.router.state() == State::Backup && (rig.now.since(start).as_millis()) % 1_000 == 500 {
            rig.hear(THEIRS, 100);
        }
        assert!(rig.now.since(start) < Duration::from_secs(10));
    }
    // heard first at 0.5 s; followed until 3.5 s, last at 2.5 s; then the down time of 3.21875 s
    assert_eq!(rig.now.since(start).as_millis(), 5_800);
}

#[test]
fn preempt_delay_is_cancelled_by_an_equal_or_higher_master() {
    let mut rig = Rig::started(Params { preempt: Preempt::After(Duration::from_secs(3)), ..params(Version::V2, 100) });
    rig.hear(THEIRS, 50);
    rig.skip(Duration::from_secs(2));
    rig.hear(THEIRS, 100);
    rig.skip(Duration::from_secs(2));
    // without the cancellation the delay would be over
    rig.hear(THEIRS, 50);
    assert_eq!(rig.until_deadline(), Duration::from_nanos(3 * SECOND + 609_375_000));
}

// keepalived, observed: with silence the instance is master after the plain master down time
#[test]
fn preempt_delay_does_not_delay_after_silence() {
    let rig = Rig::started(Params { preempt: Preempt::After(Duration::from_secs(300)), ..params(Version::V2, 100) });
    assert_eq!(rig.until_deadline(), Duration::from_nanos(3 * SECOND + 609_375_000));
}

// spec: rfc9568/6.4.3-700
#[test]
fn a_master_answers_a_farewell_with_an_advert_and_stays() {
    let mut rig = Rig::master(params(Version::V3, 100));
    rig.skip(Duration::from_millis(10));
    assert_eq!(words(&rig.hear(THEIRS, 0)), ["advertise 100"]);
}

// spec: rfc9568/6.4.3-725
#[test]
fn a_master_yields_to_a_higher_claim() {
    for (source, priority) in [(LOWER_ADDRESS, 101), (THEIRS, 101), (THEIRS, 100)] {
        let mut rig = Rig::master(params(Version::V3, 100));
        rig.skip(Duration::from_millis(10));
        assert_eq!(words(&rig.hear(source, priority)), ["release", "MASTER to BACKUP"], "{source} {priority}");
        assert_eq!(rig.until_deadline(), Duration::from_nanos(3 * SECOND + 609_375_000));
        assert_eq!(rig.router.master().map(|master| master.address), Some(source));
    }
}

#[test]
fn a_master_that_yields_learns_the_interval() {
    let mut rig = Rig::master(params(Version::V3, 100));
    rig.peer = with_interval(rig.peer.clone(), 200);
    rig.skip(Duration::from_millis(10));
    rig.hear(THEIRS, 200);
    assert_eq!(rig.until_deadline(), Duration::from_nanos(6 * SECOND + 1_218_750_000));
}

#[test]
fn higher_prio_send_advert_sends_a_last_one() {
    let mut rig = Rig::master(Params { higher_prio_send_advert: true, ..params(Version::V3, 100) });
    rig.skip(Duration::from_millis(10));
    assert_eq!(words(&rig.hear(THEIRS, 200)), ["advertise 100", "release", "MASTER to BACKUP"]);
}

// spec: rfc9568/6.4.3-760: discard and send an advert at once
#[test]
fn a_master_answers_a_lower_claim() {
    for (source, priority) in [(THEIRS, 99), (LOWER_ADDRESS, 100)] {
        let mut rig = Rig::master(params(Version::V3, 100));
        rig.skip(Duration::from_millis(10));
        let note = format!("note: {source} is master too, with the lower claim (priority {priority})");
        let words = words(&rig.hear(source, priority));
        assert_eq!(words, [note.split(':').next().unwrap(), "advertise 100", "announce 5"], "{source} {priority}");
        assert_eq!(rig.router.state(), State::Master);
    }
}

#[test]
fn lower_prio_no_advert_is_silent() {
    let mut rig = Rig::master(Params { lower_prio_no_advert: true, ..params(Version::V3, 100) });
    rig.skip(Duration::from_millis(10));
    assert!(!words(&rig.hear(THEIRS, 99)).contains(&"advertise 100".into()));
}

#[test]
fn a_flood_of_lower_claims_is_answered_once_an_interval_with_announcements() {
    let mut rig = Rig::master(params(Version::V3, 100));
    let mut bursts = 0;
    for _ in 0..1_000 {
        rig.skip(Duration::from_millis(1));
        bursts += words(&rig.hear(THEIRS, 99)).iter().filter(|word| word.starts_with("announce")).count();
    }
    assert_eq!(bursts, 1);
}

#[test]
fn an_advert_that_was_received_before_our_last_needs_no_answer() {
    let mut rig = Rig::master(params(Version::V3, 100));
    let before = Instant::from_nanos(rig.now.as_nanos() - MILLI);
    let octets = packet(&rig.peer, THEIRS, 99);
    assert_eq!(words(&rig.hear_at(before, THEIRS, 255, &octets)), ["note"]);
}

// keepalived 2.4.3: every packet for the VRID restarts its master's advert timer, even a rejected one
#[test]
fn no_packet_moves_a_masters_advert_timer() {
    let mut rig = Rig::master(params(Version::V3, 100));
    let due = rig.router.next_deadline();
    let good = packet(&rig.peer, THEIRS, 99);
    let mut bad = good.clone();
    bad[6] ^= 0xff;
    for _ in 0..50 {
        rig.skip(Duration::from_millis(1));
        rig.hear_octets(THEIRS, 255, &bad);
        rig.hear_octets(THEIRS, 64, &good);
        rig.hear_octets(THEIRS, 255, &[0x31]);
        rig.hear_octets(THEIRS, 255, &good);
    }
    assert_eq!(rig.router.next_deadline(), due);
    let counters = rig.router.counters();
    assert_eq!(
        (counters.checksum_err, counters.ip_ttl_err, counters.packet_len_err, counters.advert_rcvd),
        (50, 50, 50, 50)
    );
}

#[test]
fn adverts_keep_their_phase() {
    let mut rig = Rig::master(Params { phase: 16_384, ..params(Version::V3, 100) });
    for _ in 0..5 {
        let due = rig.router.next_deadline().unwrap();
        assert_eq!(due.as_nanos() % SECOND, SECOND / 4);
        assert!(rig.until_deadline() <= Duration::from_secs(1));
        // a wake-up that is a little late does not shift the next
        rig.now = due + Duration::from_millis(3);
        assert_eq!(words(&rig.expire()).first().map(String::as_str), Some("advertise 100"));
    }
}

#[test]
fn a_stall_is_not_made_up_for_by_a_series_of_adverts() {
    let mut rig = Rig::master(params(Version::V3, 100));
    rig.skip(Duration::from_secs(10));
    rig.expire();
    assert!(rig.router.next_deadline().unwrap() > rig.now);
}

// spec: rfc9568/6.4.3-655
#[test]
fn stop_says_farewell_then_releases() {
    let mut rig = Rig::master(params(Version::V3, 100));
    assert_eq!(words(&rig.tell(Event::Stop)), ["advertise 0", "release", "MASTER to STOP"]);
    assert_eq!(rig.tell(Event::Stop), []);
    assert_eq!(rig.router.next_deadline(), None);
    let mut backup = Rig::started(params(Version::V3, 100));
    assert_eq!(words(&backup.tell(Event::Stop)), ["BACKUP to STOP"]);
}

// keepalived sends two (observed)
#[test]
fn a_master_in_fault_says_farewell_once_and_comes_back_as_backup() {
    let mut rig = Rig::master(params(Version::V3, 255));
    let faults = Faults::NONE.with(Fault::InterfaceDown);
    assert_eq!(
        words(&rig.tell(Event::Ground { source: Some(OURS), faults })),
        ["advertise 0", "release", "MASTER to FAULT"]
    );
    assert_eq!(rig.router.next_deadline(), None);
    assert_eq!(rig.hear(THEIRS, 100), [], "nothing is heard in FAULT");
    let over = Event::Ground { source: Some(OURS), faults: Faults::NONE };
    assert_eq!(words(&rig.tell(over)), ["FAULT to BACKUP"], "an owner waits, too (observed)");
    assert_eq!(rig.until_deadline(), Duration::from_nanos(3 * SECOND + SECOND / 256));
}

#[test]
fn a_farewell_leaves_from_the_address_that_was_lost() {
    let mut rig = Rig::master(params(Version::V3, 100));
    rig.tell(Event::Ground { source: None, faults: Faults::NONE.with(Fault::NoSource) });
    assert_eq!(rig.router.source(), Some(OURS));
}

#[test]
fn fault_ends_when_the_last_reason_is_gone() {
    let mut rig = Rig::new(params(Version::V3, 100));
    let both = Faults::NONE.with(Fault::InterfaceDown).with(Fault::NoSource);
    rig.tell(Event::Ground { source: None, faults: both });
    assert_eq!(words(&rig.tell(Event::Start)), ["INIT to FAULT"]);
    assert_eq!(rig.tell(Event::Ground { source: None, faults: both.without(Fault::InterfaceDown) }), []);
    assert_eq!(words(&rig.tell(Event::Ground { source: Some(OURS), faults: Faults::NONE })), ["FAULT to BACKUP"]);
}

#[test]
fn a_unicast_router_announces_its_source_after_a_fault() {
    let peers = vec![Peer { address: THEIRS, min_ttl: 0, max_ttl: 255 }];
    let reach = Reach::Unicast { peers, ttl: 255, check_source: false };
    let mut rig = Rig::new(Params { reach, ..params(Version::V3, 100) });
    rig.tell(Event::Ground { source: None, faults: Faults::NONE.with(Fault::InterfaceDown) });
    rig.tell(Event::Start);
    let effects = rig.tell(Event::Ground { source: Some(OURS), faults: Faults::NONE });
    assert_eq!(words(&effects), ["announce source", "FAULT to BACKUP"]);
}

// keepalived 2.4.3: a second series of refreshes after each return to master, none of them cancelled
#[test]
fn announcements_end_with_the_master_state_and_do_not_add_up() {
    let mut params = params(Version::V3, 100);
    params.announce.refresh = Duration::from_secs(10);
    let mut rig = Rig::master(params);
    for _ in 0..3 {
        rig.tell(Event::InPlace);
        rig.skip(Duration::from_millis(10));
        rig.hear(THEIRS, 200);
        assert_eq!(rig.tell(Event::InPlace), [], "what comes late is nothing to a backup");
        rig.skip(rig.until_deadline());
        rig.expire();
    }
    assert_eq!(words(&rig.tell(Event::InPlace)), ["announce 5"]);
    let begin = rig.now;
    let mut announced = Vec::new();
    while rig.now.since(begin) < Duration::from_secs(36) {
        rig.skip(rig.until_deadline());
        for effect in rig.expire() {
            if let Effect::Announce { rounds } = effect {
                announced.push((rig.now.since(begin).as_secs(), rounds));
            }
        }
    }
    // second burst after 5 s, refreshes every 10 s from then on
    assert_eq!(announced, [(5, 5), (15, 1), (25, 1), (35, 1)]);
}

#[test]
fn a_changed_priority_moves_the_running_timer_by_the_difference_of_skew() {
    let mut rig = Rig::started(params(Version::V2, 100));
    rig.skip(Duration::from_secs(1));
    rig.tell(Event::Reconfigure(Box::new(params(Version::V2, 228))));
    assert_eq!(rig.until_deadline(), Duration::from_nanos(2 * SECOND + SECOND * 28 / 256));
}

// keepalived, observed: a master stays master whatever its priority becomes
#[test]
fn a_reconfigured_master_advertises_at_once() {
    let mut rig = Rig::master(params(Version::V2, 100));
    assert_eq!(words(&rig.tell(Event::Reconfigure(Box::new(params(Version::V2, 50))))), ["advertise 50", "hold"]);
    assert_eq!(rig.router.state(), State::Master);
}

#[test]
fn a_process_that_comes_back_goes_on_as_master() {
    let mut rig = Rig::new(params(Version::V3, 100));
    rig.tell(Event::Ground { source: Some(OURS), faults: Faults::NONE });
    assert_eq!(words(&rig.tell(Event::Resume)), ["advertise 100", "INIT to MASTER", "hold"]);
    let mut down = Rig::new(params(Version::V3, 100));
    down.tell(Event::Ground { source: None, faults: Faults::NONE.with(Fault::InterfaceDown) });
    assert_eq!(words(&down.tell(Event::Resume)), ["INIT to FAULT"]);
}

#[test]
fn a_grouped_router_asks_and_waits_another_down_time() {
    let mut rig = Rig::started(params(Version::V2, 100));
    rig.router.set_group(Group::Mixed);
    rig.skip(rig.until_deadline());
    assert_eq!(words(&rig.expire()), ["asks"]);
    assert!(rig.router.asks_group());
    assert_eq!(rig.until_deadline(), Duration::from_nanos(3 * SECOND + 609_375_000));
    assert_eq!(words(&rig.tell(Event::GroupMaster)), ["advertise 100", "BACKUP to MASTER", "hold"]);
    assert_eq!(words(&rig.tell(Event::GroupBackup)), ["release", "MASTER to BACKUP"]);
}

#[test]
fn each_kind_of_refusal_is_noted_once_until_the_state_changes() {
    let mut rig = Rig::started(params(Version::V3, 100));
    let octets = packet(&rig.peer, THEIRS, 200);
    let note = Effect::Note(Note::Refused { source: THEIRS, refusal: Refusal::Ttl(254) });
    assert_eq!(rig.hear_octets(THEIRS, 254, &octets), [note]);
    assert_eq!(rig.hear_octets(THEIRS, 253, &octets), []);
    rig.skip(rig.until_deadline());
    rig.expire();
    assert_eq!(rig.hear_octets(THEIRS, 254, &octets).len(), 1);
    assert_eq!(rig.router.counters().ip_ttl_err, 3);
}

// spec: rfc9568/8.3.2: a second owner is logged
#[test]
fn two_owners_are_noted_and_the_lower_address_yields() {
    let mut rig = Rig::started(params(Version::V3, 255));
    rig.skip(Duration::from_millis(10));
    assert_eq!(words(&rig.hear(THEIRS, 255)), ["note", "release", "MASTER to BACKUP"].map(String::from));
    let mut other = Rig::started(params(Version::V3, 255));
    other.skip(Duration::from_millis(10));
    let effects = other.hear(LOWER_ADDRESS, 255);
    assert!(matches!(effects.first(), Some(Effect::Note(Note::SecondOwner { .. }))), "{effects:?}");
    assert_eq!(other.router.state(), State::Master);
}

#[test]
fn our_own_advert_from_our_own_address_is_a_warning_only() {
    let mut rig = Rig::master(params(Version::V3, 100));
    rig.skip(Duration::from_millis(10));
    let effects = rig.hear(OURS, 100);
    assert_eq!(effects, [Effect::Note(Note::OwnAddress { source: OURS })]);
}

// the trap of Holo: a packet for a VRID that has not begun reaches `unreachable!`
#[test]
fn a_router_that_has_not_begun_ignores_packets() {
    let mut rig = Rig::new(params(Version::V3, 100));
    assert_eq!(rig.hear(THEIRS, 200), []);
    assert_eq!(rig.router.counters(), &Counters::default());
}

// spec: rfc9568/7.1: a different interval should be logged, at a bounded rate
#[test]
fn what_differs_in_an_accepted_advert_is_noted_and_then_known() {
    let mut rig = Rig::started(params(Version::V3, 100));
    let peer = with_interval(rig.peer.clone(), 200);
    let theirs = peer.interval;
    rig.peer = Params { checksum: ChecksumForm::Plain, addresses: vec![OURS], ..peer };
    assert_eq!(
        rig.hear(THEIRS, 200),
        [
            Effect::Note(Note::ChecksumForm { source: THEIRS, theirs: ChecksumForm::Plain }),
            Effect::Note(Note::AddressesDiffer { source: THEIRS }),
            Effect::Note(Note::IntervalDiffers { source: THEIRS, theirs }),
        ]
    );
    for _ in 0..10 {
        assert_eq!(rig.hear(THEIRS, 200), []);
    }
    assert_eq!((rig.router.counters().addr_list_err, rig.router.counters().checksum_plain), (11, 11));
}

// spec: rfc9568/6.4.2-440: without preemption a lower master is followed, in its interval
#[test]
fn a_lower_master_that_is_followed_teaches_its_interval() {
    let mut rig = Rig::started(Params { preempt: Preempt::No, ..params(Version::V3, 100) });
    rig.peer = with_interval(rig.peer.clone(), 50);
    rig.hear(THEIRS, 1);
    assert_eq!(rig.until_deadline(), Duration::from_nanos(SECOND * 3 / 2 + 304_687_500));
    // one that is not followed teaches nothing
    let mut rig = Rig::started(params(Version::V3, 100));
    rig.peer = with_interval(rig.peer.clone(), 50);
    rig.hear(THEIRS, 1);
    assert_eq!(rig.until_deadline(), Duration::from_nanos(3 * SECOND + 609_375_000));
}

// spec: rfc9568/6.4.3: the farewell is a master's alone
#[test]
fn a_router_in_fault_stops_without_a_word() {
    let mut rig = Rig::started(params(Version::V3, 100));
    rig.tell(Event::Ground { source: Some(OURS), faults: Faults::NONE.with(Fault::InterfaceDown) });
    assert_eq!(words(&rig.tell(Event::Stop)), ["FAULT to STOP"]);
}

// spec: rfc3768/6.4.3, rfc9568/6.4.3: an owner is no exception
#[test]
fn an_owner_answers_a_lower_claim_and_stays() {
    let mut rig = Rig::started(params(Version::V3, 255));
    rig.skip(Duration::from_millis(10));
    assert_eq!(words(&rig.hear(THEIRS, 254))[1..], ["advertise 255", "announce 5"]);
    assert_eq!(rig.router.state(), State::Master);
}
