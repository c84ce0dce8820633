//! The engine on the fake kernel, configured with text as people write it.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use keepalived_config::facts::AnyInterface;
use keepalived_config::{MemorySource, fatal, load};
use keepalived_core::address::InterfaceName;
use keepalived_core::vrrp::{Cause, Fault, Faults};
use keepalived_kernel::fake::{FakeNetwork, FakePackets, ReceivedAdvert};
use keepalived_kernel::network::{Address, LinkIndex};

use super::*;

const ETH0: LinkIndex = LinkIndex(2);
const ETH1: LinkIndex = LinkIndex(3);
const MILLI: Duration = Duration::from_millis(1);

fn configuration(text: &str) -> Config {
    let loaded = load(&MemorySource::one("/k.conf", text), Path::new("/k.conf"), &AnyInterface);
    assert!(!fatal(&loaded.findings), "{:?}", loaded.findings);
    loaded.config
}

fn instance(name: &str, vrid: u8, rest: &str) -> String {
    format!("vrrp_instance {name} {{\n interface eth0\n virtual_router_id {vrid}\n {rest}\n}}\n")
}

fn with_addresses(name: &str, vrid: u8, priority: u8, addresses: &[&str]) -> String {
    let rest = format!("priority {priority}\n virtual_ipaddress {{\n {}\n }}", addresses.join("\n "));
    instance(name, vrid, &rest)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn plain(link: LinkIndex, address: &str, prefix: u8) -> Address {
    Address {
        link,
        address: ip(address),
        prefix,
        scope: 0,
        flags: 0,
        label: None,
        broadcast: None,
        peer: None,
        protocol: 0,
        preferred_lifetime: None,
    }
}

fn machine() -> FakeNetwork {
    let mut network = FakeNetwork::new();
    network.set_link(FakeNetwork::ethernet(2, "eth0").unwrap());
    network.set_link(FakeNetwork::ethernet(3, "eth1").unwrap());
    network.add_address(plain(ETH0, "192.0.2.1", 24));
    let mut link_local = plain(ETH0, "fe80::1", 64);
    link_local.scope = 253;
    network.add_address(link_local);
    network.events(&mut Vec::new());
    network
}

struct Rig {
    engine: Engine<FakeNetwork, FakePackets>,
    now: Instant,
    reports: Vec<Report>,
}

impl Rig {
    fn new(text: &str) -> Self {
        Self::on(machine(), text)
    }

    fn on(network: FakeNetwork, text: &str) -> Self {
        Self::with(network, text, |_| BTreeSet::new())
    }

    fn with(network: FakeNetwork, text: &str, masters: impl Fn(&Config) -> BTreeSet<InstanceKey>) -> Self {
        let now = Instant::from_nanos(1_000_000_000_000);
        let config = configuration(text);
        let mut engine = Engine::new(now, &config, masters(&config), network, FakePackets::new()).unwrap();
        engine.begin(now);
        let mut rig = Self { engine, now, reports: Vec::new() };
        rig.settle();
        rig
    }

    fn network(&mut self) -> &mut FakeNetwork {
        self.engine.kernel().0
    }

    fn packets(&mut self) -> &mut FakePackets {
        self.engine.kernel().1
    }

    /// Turns until there is nothing left to do right now.
    fn settle(&mut self) {
        for _ in 0..10_000 {
            let wake = self.engine.turn(self.now);
            self.reports.extend(self.engine.reports());
            if wake.is_none_or(|at| at > self.now) {
                return;
            }
        }
        panic!("the engine never rests");
    }

    /// Lets time pass, waking the engine when it asks to be woken.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.engine.turn(self.now).filter(|at| *at <= end) {
            self.now = at.max(self.now);
            self.settle();
        }
        self.now = end;
        self.settle();
    }

    fn reload(&mut self, text: &str) {
        self.engine.reload(self.now, &configuration(text));
        self.settle();
    }

    fn has(&mut self, address: &str) -> bool {
        self.network().has(ip(address))
    }

    fn states(&self) -> Vec<(String, State)> {
        self.engine.states().into_iter().map(|(_, name, state)| (name.to_owned(), state)).collect()
    }

    fn state(&self, name: &str) -> State {
        self.states().into_iter().find(|(known, _)| known == name).unwrap().1
    }

    /// Priorities of the adverts that were sent for `vrid` since the last call for any.
    fn sent(&mut self, vrid: u8) -> Vec<u8> {
        let sent = std::mem::take(&mut self.packets().sent);
        let messages =
            sent.iter().map(|advert| if advert.source.is_ipv4() { &advert.octets[20..] } else { &advert.octets[..] });
        messages.filter(|message| message[1] == vrid).map(|message| message[2]).collect()
    }

    /// Addresses that were announced by ARP since the last call.
    fn announced(&mut self) -> Vec<Ipv4Addr> {
        let frames = std::mem::take(&mut self.packets().announced);
        frames
            .iter()
            .filter(|frame| frame.octets.len() == 42)
            .map(|frame| Ipv4Addr::from(*frame.octets[28..].first_chunk().unwrap()))
            .collect()
    }

    /// An advert as `text`'s only instance would send it, from 192.0.2.2.
    fn hear(&mut self, text: &str, priority: u8) {
        self.hear_only(text, priority);
        self.settle();
    }

    /// The same, but the engine does not get to know yet.
    fn hear_only(&mut self, text: &str, priority: u8) {
        let config = configuration(text);
        let params = super::super::lower::params(&config.instances[0], 0);
        let keepalived_core::vrrp::Reach::Multicast(destination) = params.reach else { panic!("multicast only") };
        let mut octets = Vec::new();
        let source = ip("192.0.2.2");
        keepalived_core::vrrp::advert::encode(&mut octets, &params, priority, source, destination, 1);
        let advert = ReceivedAdvert { link: ETH0, source, destination, ttl: 255, received: self.now, octets };
        assert_eq!(self.packets().deliver(&advert), 1);
    }
}

const VIP: &str = "192.0.2.100";

fn one(priority: u8) -> String {
    with_addresses("A", 51, priority, &["192.0.2.100/24"])
}

fn master() -> Rig {
    let mut rig = Rig::new(&one(100));
    rig.pass(Duration::from_secs(4));
    assert_eq!(rig.state("A"), State::Master);
    rig
}

#[test]
fn a_master_advertises_then_holds_then_announces() {
    let mut rig = Rig::new(&one(100));
    assert!(!rig.has(VIP));
    rig.pass(Duration::from_millis(3_609));
    assert_eq!((rig.sent(51), rig.has(VIP)), (vec![], false));
    rig.pass(MILLI);
    assert_eq!((rig.sent(51), rig.has(VIP)), (vec![100], true));
    assert_eq!(rig.announced(), [Ipv4Addr::new(192, 0, 2, 100); 5]);
    rig.pass(Duration::from_secs(5));
    assert_eq!(rig.announced().len(), 5, "second burst after garp_master_delay");
}

#[test]
fn a_backup_that_hears_its_master_stays() {
    let mut rig = Rig::new(&one(100));
    for _ in 0..20 {
        rig.pass(Duration::from_secs(1));
        rig.hear(&one(200), 200);
    }
    assert_eq!((rig.state("A"), rig.has(VIP)), (State::Backup, false));
}

// the timer never fires on a router that has unread adverts
#[test]
fn what_arrived_while_we_were_not_scheduled_is_heard_before_the_timer_fires() {
    let mut rig = Rig::new(&one(100));
    rig.now += Duration::from_secs(60);
    rig.hear(&one(200), 200);
    assert_eq!(rig.state("A"), State::Backup);
}

#[test]
fn a_higher_priority_takes_the_addresses_and_the_announcements_away() {
    let mut rig = master();
    rig.announced();
    rig.pass(MILLI);
    rig.hear(&one(200), 200);
    assert_eq!((rig.state("A"), rig.has(VIP)), (State::Backup, false));
    for _ in 0..10 {
        rig.pass(Duration::from_secs(1));
        rig.hear(&one(200), 200);
    }
    assert!(rig.announced().is_empty());
}

#[test]
fn stop_says_farewell_and_removes() {
    let mut rig = master();
    rig.sent(51);
    let now = rig.now;
    rig.engine.stop(now, AtExit::Release);
    assert_eq!((rig.sent(51), rig.has(VIP), rig.has("192.0.2.1")), (vec![0], false, true));
}

#[test]
fn dont_release_vrrp_keeps_the_addresses() {
    let mut rig = master();
    let now = rig.now;
    rig.engine.stop(now, AtExit::Keep);
    assert!(rig.has(VIP));
}

// keepalived goes to BACKUP instead
#[test]
fn an_address_that_somebody_removes_is_put_back_and_announced() {
    let mut rig = master();
    rig.announced();
    rig.sent(51);
    rig.network().remove_address(ETH0, ip(VIP), 24);
    rig.settle();
    assert_eq!((rig.state("A"), rig.has(VIP)), (State::Master, true));
    assert!(rig.sent(51).is_empty());
    assert_eq!(rig.announced().len(), 5);
    assert!(matches!(rig.reports.last(), Some(Report::AddressLost { answer: VipLost::Restore, .. })));
}

use keepalived_config::model::VipLost;

#[test]
fn vip_lost_backup_does_as_keepalived_does() {
    let mut rig = Rig::new(&format!("global_defs {{\n vip_lost backup\n}}\n{}", one(100)));
    rig.pass(Duration::from_secs(4));
    rig.sent(51);
    rig.network().remove_address(ETH0, ip(VIP), 24);
    rig.settle();
    assert_eq!((rig.state("A"), rig.has(VIP), rig.sent(51)), (State::Backup, false, vec![0]));
    rig.pass(Duration::from_millis(610));
    assert_eq!((rig.state("A"), rig.has(VIP)), (State::Master, true));
}

#[test]
fn a_fight_over_an_address_does_not_keep_us_busy() {
    let mut rig = master();
    for _ in 0..100 {
        rig.network().remove_address(ETH0, ip(VIP), 24);
        rig.pass(Duration::from_millis(10));
    }
    let (changes, _) = rig.network().work();
    assert!(changes < 20, "{changes} changes in a second");
    rig.pass(Duration::from_secs(2));
    assert!(rig.has(VIP));
}

#[test]
fn our_own_removals_are_not_taken_for_somebody_elses() {
    let mut rig = master();
    for _ in 0..5 {
        rig.pass(MILLI);
        rig.hear(&one(200), 200);
        assert!(!rig.has(VIP));
        rig.hear(&one(200), 0);
        rig.pass(Duration::from_millis(700));
        assert_eq!((rig.state("A"), rig.has(VIP)), (State::Master, true));
    }
    assert!(!rig.reports.iter().any(|report| matches!(report, Report::AddressLost { .. })));
}

#[test]
fn an_interface_that_appears_while_events_are_lost_is_found() {
    let mut rig = master();
    rig.network().remove_link(ETH0);
    rig.network().overrun();
    rig.settle();
    assert_eq!(rig.state("A"), State::Fault);
    rig.network().set_link(FakeNetwork::ethernet(9, "eth0").unwrap());
    rig.network().add_address(plain(LinkIndex(9), "192.0.2.1", 24));
    rig.network().overrun();
    rig.settle();
    assert_eq!(rig.state("A"), State::Backup);
    rig.pass(Duration::from_secs(4));
    assert_eq!((rig.state("A"), rig.has(VIP)), (State::Master, true));
}

// what the kernel tells about a change of ours may come long after the next one
#[test]
fn news_of_our_own_that_is_stale_does_not_hide_a_missing_address() {
    let mut rig = Rig::new(&one(100));
    rig.pass(Duration::from_millis(3_609));
    for _ in 0..1_500 {
        rig.network().add_address(plain(ETH1, "198.51.100.7", 24));
        rig.network().remove_address(ETH1, ip("198.51.100.7"), 24);
    }
    rig.now += MILLI;
    rig.engine.turn(rig.now);
    assert_eq!((rig.state("A"), rig.has(VIP)), (State::Master, true));
    rig.hear_only(&one(200), 200);
    rig.engine.turn(rig.now);
    assert_eq!((rig.state("A"), rig.has(VIP)), (State::Backup, false));
    rig.settle();
    rig.pass(Duration::from_secs(4));
    assert_eq!((rig.state("A"), rig.has(VIP)), (State::Master, true));
    assert!(!rig.reports.iter().any(|report| matches!(report, Report::AddressLost { .. })));
}

#[test]
fn lost_events_lead_to_a_second_look() {
    let mut rig = master();
    rig.network().remove_address(ETH0, ip(VIP), 24);
    rig.network().overrun();
    rig.settle();
    assert!(rig.has(VIP));
    assert!(rig.reports.iter().any(|report| matches!(report, Report::Overrun)));
}

#[test]
fn what_an_earlier_run_left_behind_is_removed_with_its_prefix_only() {
    let mut network = machine();
    network.add_address(plain(ETH0, VIP, 24));
    network.add_address(plain(ETH0, VIP, 32));
    network.add_address(plain(ETH0, "192.0.2.77", 24));
    network.events(&mut Vec::new());
    let mut rig = Rig::on(network, &one(100));
    let left: Vec<_> = rig.network().addresses().map(|address| (address.address.to_string(), address.prefix)).collect();
    assert!(!left.contains(&(VIP.to_owned(), 24)) && left.contains(&(VIP.to_owned(), 32)), "{left:?}");
    assert!(rig.has("192.0.2.77"));
}

#[test]
fn a_master_that_comes_back_adopts_its_addresses() {
    let mut network = machine();
    let mut ours = plain(ETH0, VIP, 24);
    ours.protocol = 18;
    network.add_address(ours);
    network.events(&mut Vec::new());
    let all = |config: &Config| keepalived_config::plan::keyed(&config.instances).map(|(key, _)| key).collect();
    let mut rig = Rig::with(network, &one(100), all);
    let (changes, _) = rig.network().work();
    assert_eq!((rig.state("A"), rig.has(VIP), rig.sent(51), changes), (State::Master, true, vec![100], 0));
}

// simulator, seed 3178
#[test]
fn a_master_that_comes_back_without_its_cable_removes_its_addresses() {
    let mut network = machine();
    let mut ours = plain(ETH0, VIP, 24);
    ours.protocol = 18;
    network.add_address(ours);
    network.set_running(ETH0, false);
    network.events(&mut Vec::new());
    let all = |config: &Config| keepalived_config::plan::keyed(&config.instances).map(|(key, _)| key).collect();
    let mut rig = Rig::with(network, &one(100), all);
    assert_eq!((rig.state("A"), rig.has(VIP)), (State::Fault, false));
}

#[test]
fn the_owners_own_address_stays_when_we_go() {
    let mut rig = Rig::new(&with_addresses("A", 51, 255, &["192.0.2.1/24"]));
    assert_eq!(rig.state("A"), State::Master);
    let now = rig.now;
    rig.engine.stop(now, AtExit::Release);
    assert!(rig.has("192.0.2.1"));
}

#[test]
fn a_pulled_cable_is_a_fault_and_its_return_a_new_beginning() {
    let mut rig = master();
    rig.network().set_running(ETH0, false);
    rig.settle();
    assert_eq!((rig.state("A"), rig.has(VIP)), (State::Fault, false));
    assert!(!rig.reports.iter().any(|report| matches!(report, Report::AddressLost { .. })));
    rig.network().set_running(ETH0, true);
    rig.settle();
    assert_eq!(rig.state("A"), State::Backup);
    rig.pass(Duration::from_secs(4));
    assert_eq!((rig.state("A"), rig.has(VIP)), (State::Master, true));
}

#[test]
fn dont_track_primary_ignores_the_cable() {
    let mut rig = Rig::new(&instance("A", 51, "dont_track_primary\n virtual_ipaddress {\n 192.0.2.100\n }"));
    rig.pass(Duration::from_secs(4));
    rig.network().set_running(ETH0, false);
    rig.settle();
    assert_eq!(rig.state("A"), State::Master);
}

#[test]
fn without_an_address_to_send_from_there_is_a_fault() {
    let mut rig = master();
    rig.network().remove_address(ETH0, ip("192.0.2.1"), 24);
    rig.settle();
    assert_eq!(rig.state("A"), State::Fault);
    let causes: Vec<_> = rig
        .reports
        .iter()
        .filter_map(|report| match report {
            Report::Transition { transition, .. } => Some(transition.cause.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(causes.last(), Some(&Cause::Fault(Faults::NONE.with(Fault::NoSource))));
    rig.network().add_address(plain(ETH0, "192.0.2.5", 24));
    rig.settle();
    assert_eq!(rig.state("A"), State::Backup);
}

#[test]
fn an_interface_may_vanish_come_back_and_be_renamed() {
    let mut rig = master();
    rig.network().remove_link(ETH0);
    rig.settle();
    assert_eq!((rig.state("A"), rig.packets().channels().count()), (State::Fault, 0));
    rig.network().set_link(FakeNetwork::ethernet(9, "eth9").unwrap());
    rig.network().add_address(plain(LinkIndex(9), "192.0.2.1", 24));
    rig.settle();
    assert_eq!(rig.state("A"), State::Fault);
    rig.network().rename(LinkIndex(9), InterfaceName::new(b"eth0").unwrap());
    rig.settle();
    assert_eq!(rig.state("A"), State::Backup);
    rig.pass(Duration::from_secs(4));
    assert_eq!((rig.state("A"), rig.has(VIP)), (State::Master, true));
}

#[test]
fn an_address_on_another_interface_waits_for_it() {
    let text = with_addresses("A", 51, 100, &["192.0.2.100/24", "198.51.100.1/24 dev eth7"]);
    let mut rig = Rig::new(&text);
    rig.pass(Duration::from_secs(4));
    assert_eq!((rig.has(VIP), rig.has("198.51.100.1")), (true, false));
    rig.network().set_link(FakeNetwork::ethernet(7, "eth7").unwrap());
    rig.settle();
    assert!(rig.has("198.51.100.1"));
}

#[test]
fn what_the_kernel_refuses_is_tried_again() {
    let mut network = machine();
    network.refuse(ip(VIP), Some(keepalived_kernel::network::Refused { errno: 12, message: None }));
    let mut rig = Rig::on(network, &one(100));
    rig.pass(Duration::from_secs(4));
    assert_eq!((rig.state("A"), rig.has(VIP)), (State::Master, false));
    assert!(rig.reports.iter().any(|report| matches!(report, Report::AddressRefused { .. })));
    rig.network().refuse(ip(VIP), None);
    rig.pass(Duration::from_secs(60));
    assert!(rig.has(VIP));
    assert!(!rig.announced().is_empty());
}

#[test]
fn sockets_that_cannot_be_opened_are_a_fault_that_ends() {
    let mut rig = Rig::new(&one(100));
    rig.packets().refuse_open(Some(105));
    rig.network().remove_link(ETH0);
    rig.settle();
    rig.network().set_link(FakeNetwork::ethernet(2, "eth0").unwrap());
    rig.network().add_address(plain(ETH0, "192.0.2.1", 24));
    rig.settle();
    assert_eq!(rig.state("A"), State::Fault);
    rig.packets().refuse_open(None);
    rig.pass(Duration::from_secs(2));
    assert_eq!(rig.state("A"), State::Backup);
}

#[test]
fn an_unchanged_file_changes_nothing() {
    let mut rig = master();
    rig.sent(51);
    let due = rig.engine.turn(rig.now);
    let (changes, _) = rig.network().work();
    rig.reload(&one(100));
    assert_eq!((rig.sent(51), rig.engine.turn(rig.now)), (vec![], due));
    assert_eq!(rig.network().work().0, changes);
}

// keepalived 2.4.3 loses the address when it moves to an instance that stands earlier in the file
#[test]
fn an_address_that_moves_between_instances_is_never_away() {
    let (x, y, z) = ("192.0.2.101/24", "192.0.2.102/24", "192.0.2.103/24");
    let both = |a: &[&str], b: &[&str]| with_addresses("A", 51, 100, a) + &with_addresses("B", 52, 100, b);
    for (before, after) in [(both(&[x], &[y, z]), both(&[x, z], &[y])), (both(&[x, z], &[y]), both(&[x], &[y, z]))] {
        let mut rig = Rig::new(&before);
        rig.pass(Duration::from_secs(4));
        let (changes, _) = rig.network().work();
        rig.reload(&after);
        assert!(rig.has("192.0.2.103"));
        assert_eq!(rig.network().work().0, changes, "not even for a moment");
        rig.reload(&after);
        assert!(rig.has("192.0.2.103"));
    }
}

#[test]
fn a_reload_adds_removes_and_changes_addresses() {
    let mut rig = Rig::new(&with_addresses("A", 51, 100, &["192.0.2.101/24", "192.0.2.102/24"]));
    rig.pass(Duration::from_secs(20));
    rig.announced();
    rig.reload(&with_addresses("A", 51, 100, &["192.0.2.101/24"]));
    assert!(rig.has("192.0.2.101") && !rig.has("192.0.2.102"));
    assert!(rig.announced().is_empty(), "keepalived, observed: none if none was added");
    rig.reload(&with_addresses("A", 51, 100, &["192.0.2.101/24 label eth0:1", "192.0.2.103/24"]));
    assert!(rig.has("192.0.2.101") && rig.has("192.0.2.103"));
    let label = rig
        .network()
        .addresses()
        .find(|address| address.address == ip("192.0.2.101"))
        .and_then(|address| address.label);
    assert_eq!(label.map(|label| label.to_string()), Some("eth0:1".to_owned()));
    assert_eq!(rig.announced().len(), 10, "all of the instance");
    assert_eq!(rig.state("A"), State::Master);
}

#[test]
fn an_instance_that_is_removed_says_farewell_and_a_new_one_begins_as_at_first() {
    let mut rig = master();
    rig.sent(51);
    rig.reload(&with_addresses("B", 52, 100, &["192.0.2.102/24"]));
    assert_eq!(rig.sent(51), [0]);
    assert_eq!((rig.has(VIP), rig.states()), (false, vec![("B".to_owned(), State::Backup)]));
}

// keepalived, observed: matched by VRID and interface, not by name
#[test]
fn a_renamed_instance_keeps_its_state() {
    let mut rig = master();
    rig.reload(&with_addresses("Z", 51, 100, &["192.0.2.100/24"]));
    assert_eq!(rig.states(), [("Z".to_owned(), State::Master)]);
    assert!(rig.has(VIP));
}

#[test]
fn a_group_becomes_master_together_and_leaves_together() {
    let group = "vrrp_sync_group G {\n group {\n A\n B\n }\n}\n";
    let text = one(100) + &with_addresses("B", 52, 100, &["192.0.2.102/24"]) + group;
    let mut rig = Rig::new(&text);
    rig.pass(Duration::from_secs(2));
    rig.hear(&one(200), 200);
    rig.pass(Duration::from_secs(3));
    assert_eq!((rig.state("A"), rig.state("B")), (State::Backup, State::Backup), "A still hears a master");
    rig.pass(Duration::from_secs(5));
    assert_eq!((rig.state("A"), rig.state("B")), (State::Master, State::Master));
    rig.hear(&one(200), 200);
    assert_eq!((rig.state("A"), rig.state("B")), (State::Backup, State::Backup));
    assert!(!rig.has(VIP) && !rig.has("192.0.2.102"));
}

#[test]
fn a_fault_of_one_is_a_fault_of_its_group() {
    let group = "vrrp_sync_group G {\n group {\n A\n B\n }\n}\n";
    let b =
        "vrrp_instance B {\n interface eth1\n virtual_router_id 52\n virtual_ipaddress {\n 198.51.100.9/24\n }\n}\n";
    let mut network = machine();
    network.add_address(plain(ETH1, "198.51.100.1", 24));
    let mut rig = Rig::on(network, &(one(100) + b + group));
    rig.pass(Duration::from_secs(10));
    assert_eq!((rig.state("A"), rig.state("B")), (State::Master, State::Master));
    rig.network().set_running(ETH1, false);
    rig.settle();
    assert_eq!((rig.state("A"), rig.state("B")), (State::Fault, State::Fault));
    rig.network().set_running(ETH1, true);
    rig.settle();
    assert_eq!((rig.state("A"), rig.state("B")), (State::Backup, State::Backup));
}

#[test]
fn ipv6_adverts_leave_from_the_link_local_address() {
    let mut rig = Rig::new(&instance("A", 51, "virtual_ipaddress {\n fe80::100/64\n 2001:db8::100/64\n }"));
    rig.pass(Duration::from_secs(4));
    assert_eq!(rig.state("A"), State::Master);
    assert!(rig.packets().sent.iter().all(|advert| advert.source == ip("fe80::1") && advert.hop_limit == 255));
    let advertisements: Vec<_> = rig.packets().announced.iter().map(|frame| frame.octets[58]).collect();
    assert_eq!(advertisements, [0x20; 10], "override, and no router");
    let nodad = rig.network().addresses().filter(|address| address.flags & 2 != 0).count();
    assert_eq!(nodad, 2);
}

// a neighbour that is told "no router" drops its default route through that address
#[test]
fn a_machine_that_forwards_says_so_to_its_ipv6_neighbours() {
    let mut network = machine();
    network.forward_ipv6(ETH0);
    let mut rig = Rig::on(network, &instance("A", 51, "virtual_ipaddress {\n fe80::100/64\n }"));
    rig.pass(Duration::from_secs(4));
    let advertisements: Vec<_> = rig.packets().announced.iter().map(|frame| frame.octets[58]).collect();
    assert_eq!(advertisements, [0xa0; 5]);
}

#[test]
fn many_instances_spread_their_adverts_and_share_wake_ups() {
    let text: String = (1..=250)
        .map(|vrid| with_addresses(&format!("I{vrid}"), vrid, 100, &[&format!("198.18.0.{vrid}/24")]))
        .collect();
    let mut rig = Rig::new(&text);
    rig.pass(Duration::from_secs(5));
    assert!(rig.states().iter().all(|(_, state)| *state == State::Master));
    rig.packets().sent.clear();
    let (mut wakes, end) = (0, rig.now + Duration::from_secs(1));
    while let Some(at) = rig.engine.turn(rig.now).filter(|at| *at <= end) {
        rig.now = at.max(rig.now);
        wakes += 1;
        rig.settle();
    }
    assert_eq!(rig.packets().sent.len(), 250);
    assert!((60..=70).contains(&wakes), "{wakes} wake-ups for 250 adverts");
}

#[test]
fn adverts_for_unknown_vrids_are_counted() {
    let mut rig = master();
    rig.hear(&with_addresses("X", 99, 200, &["192.0.2.100/24"]), 200);
    let mut snapshot = Snapshot::empty(std::time::SystemTime::UNIX_EPOCH);
    rig.engine.view(rig.now, &mut snapshot);
    assert_eq!((snapshot.unknown_vrid, snapshot.instances.len()), (1, 1));
    assert!(snapshot.instances[0].addresses[0].set);
}

// spec: rfc9568/6.4.1: one announcement for each address; keepalived, observed: round by round, excluded ones last
#[test]
fn every_address_is_announced_round_by_round() {
    let body = "priority 100\n virtual_ipaddress {\n 192.0.2.101/24\n 192.0.2.100/24\n }\n \
                virtual_ipaddress_excluded {\n 192.0.2.99/24\n }";
    let mut rig = Rig::new(&instance("A", 51, body));
    rig.pass(Duration::from_secs(4));
    let round = [101, 100, 99].map(|last| Ipv4Addr::new(192, 0, 2, last));
    assert_eq!(rig.announced(), round.repeat(5));
}

// spec: rfc9568/8.2.2, errata 7947: source and target are the address itself, override is set, the option carries our MAC
#[test]
fn ipv6_addresses_are_announced_from_themselves() {
    let mut rig = Rig::new(&instance("A", 51, "virtual_ipaddress {\n fe80::100/64\n 2001:db8::100/64\n }"));
    rig.pass(Duration::from_secs(4));
    let mac =
        rig.engine.kernel().0.inventory().unwrap().links.iter().find(|link| link.index == ETH0).unwrap().mac.unwrap();
    let frames = std::mem::take(&mut rig.packets().announced);
    assert_eq!(frames.len(), 10);
    for (frame, address) in frames.iter().zip(["fe80::100", "2001:db8::100"].map(ip).iter().cycle()) {
        let IpAddr::V6(address) = address else { panic!("IPv6 only") };
        let octets = &frame.octets;
        assert_eq!((&octets[22..38], &octets[62..78]), (&address.octets()[..], &address.octets()[..]));
        assert_eq!((octets[58] & 0x20, &octets[80..86]), (0x20, &mac[..]));
    }
}

// spec: rfc9568/8.1.2, 8.2.2: no announcement before the address is in place
#[test]
fn nothing_is_announced_before_it_is_in_place() {
    let mut network = machine();
    network.refuse(ip(VIP), Some(keepalived_kernel::network::Refused { errno: 12, message: None }));
    let mut rig = Rig::on(network, &one(100));
    rig.pass(Duration::from_secs(10));
    assert_eq!((rig.state("A"), rig.announced()), (State::Master, vec![]));
    rig.network().refuse(ip(VIP), None);
    rig.pass(Duration::from_secs(30));
    assert!(rig.has(VIP) && !rig.announced().is_empty());
}

// the traps: lengths from the wire, an IP header taken for 20 octets, `unreachable!` on a peer's packet
#[test]
fn octets_that_are_no_advert_change_nothing() {
    let mut rig = Rig::new(&one(100));
    let due = rig.engine.turn(rig.now);
    let params = super::super::lower::params(&configuration(&one(200)).instances[0], 0);
    let (source, destination) = (ip("192.0.2.2"), ip("224.0.0.18"));
    let mut good = Vec::new();
    keepalived_core::vrrp::advert::encode(&mut good, &params, 200, source, destination, 1);
    let truncated = (0..good.len()).map(|length| good[..length].to_vec());
    let first_octet = (0..=255).filter(|octet| *octet != 0x45).map(|octet| [&[octet], &good[1..]].concat());
    let total_length = (0..=255).filter(|octet| usize::from(*octet) != good.len()).map(|octet| {
        let mut wrong = good.clone();
        wrong[3] = octet;
        wrong
    });
    for octets in truncated.chain(first_octet).chain(total_length) {
        let received = rig.now;
        rig.packets().deliver(&ReceivedAdvert { link: ETH0, source, destination, ttl: 255, received, octets });
        rig.settle();
    }
    assert_eq!((rig.state("A"), rig.engine.turn(rig.now)), (State::Backup, due));
}

// keepalived, observed: adverts are not read until the delay ends; ours lets an owner advertise at its end
#[test]
fn until_the_routers_begin_nothing_is_heard_and_nothing_is_said() {
    let now = Instant::from_nanos(1_000_000_000_000);
    let config = configuration(&with_addresses("A", 51, 255, &["192.0.2.100/24"]));
    let engine = Engine::new(now, &config, BTreeSet::new(), machine(), FakePackets::new()).unwrap();
    let mut rig = Rig { engine, now, reports: Vec::new() };
    rig.hear(&one(100), 0);
    rig.pass(Duration::from_secs(60));
    assert_eq!((rig.state("A"), rig.sent(51), rig.has(VIP)), (State::Init, vec![], false));
    let now = rig.now;
    rig.engine.begin(now);
    rig.settle();
    assert_eq!((rig.state("A"), rig.sent(51), rig.has(VIP)), (State::Master, vec![255], true));
}

#[test]
fn a_reload_that_changes_groups_changes_whose_fault_counts() {
    let group = "vrrp_sync_group G {\n group {\n A\n B\n }\n}\n";
    let b =
        "vrrp_instance B {\n interface eth1\n virtual_router_id 52\n virtual_ipaddress {\n 198.51.100.9/24\n }\n}\n";
    let apart = one(100) + b;
    let together = apart.clone() + group;
    // eth1 has no address: B is in fault
    let mut rig = Rig::new(&together);
    assert_eq!((rig.state("A"), rig.state("B")), (State::Fault, State::Fault));
    rig.reload(&apart);
    assert_eq!((rig.state("A"), rig.state("B")), (State::Backup, State::Fault));
    rig.pass(Duration::from_secs(4));
    assert_eq!(rig.state("A"), State::Master);
    rig.reload(&together);
    assert_eq!((rig.state("A"), rig.has(VIP)), (State::Fault, false));
}

#[test]
fn a_reload_forgets_no_announcement_that_waits_for_its_turn() {
    let paced = |rest: &str| format!("global_defs {{\n vrrp_garp_interval 1\n {rest}\n}}\n{}", one(100));
    let mut rig = Rig::new(&paced(""));
    rig.pass(Duration::from_millis(4_000));
    rig.announced();
    rig.reload(&paced("vip_lost backup"));
    rig.pass(Duration::from_millis(4_500));
    assert_eq!(rig.announced().len(), 4, "one at once, four a second apart");
}

#[test]
fn addresses_elsewhere_are_announced_one_an_interface() {
    let lines = "192.0.2.100/24\n 198.51.100.1/24 dev eth1\n 198.51.100.2/24 dev eth1";
    let text = instance("A", 51, &format!("garp_extra_if all 10\n virtual_ipaddress {{\n {lines}\n }}"));
    let mut rig = Rig::new(&text);
    rig.pass(Duration::from_secs(10));
    rig.announced();
    rig.pass(Duration::from_secs(10));
    assert_eq!(rig.announced(), [Ipv4Addr::new(198, 51, 100, 1)]);
}

#[test]
fn buffers_grow_with_the_instances() {
    let size = |rig: &mut Rig| {
        let id = rig.packets().channels().next().map(|(id, _)| id).unwrap();
        rig.packets().buffer(id).unwrap().0
    };
    let many = |count: u8| {
        (1..=count)
            .map(|vrid| with_addresses(&format!("I{vrid}"), vrid, 100, &[&format!("198.18.0.{vrid}")]))
            .collect::<String>()
    };
    let mut rig = Rig::new(&many(1));
    assert_eq!(size(&mut rig), 262_144);
    rig.reload(&many(250));
    assert_eq!(size(&mut rig), 250 * 2_048 * 8);
    let mut rig = Rig::new(&instance("A", 51, "kernel_rx_buf_size 1000000\n virtual_ipaddress {\n 192.0.2.100\n }"));
    assert_eq!(size(&mut rig), 1_000_000);
}
