//! Virtual addresses: set, kept, adopted, removed.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use keepalived_config::model::{Config, VipLost};
use keepalived_core::network::{Address, LinkIndex, NetworkEvent};
use keepalived_core::time::Instant;
use keepalived_core::vrrp::State;
use keepalived_kernel::fake::{FakeNetwork, FakePackets};
use keepalived_kernel::network::{Network, Refused, Secondaries};

use super::rig::{
    ETH0, ETH1, MILLI, Rig, VIP, configuration, instance, ip, machine, master, one, plain, with_addresses,
};
use crate::vrrp::engine::Engine;
use crate::vrrp::lifetime::AtExit;
use crate::vrrp::report::{LeftOver, Report};

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
    rig.turn();
    assert_eq!((rig.state("A"), rig.has(VIP)), (State::Master, true));
    rig.hear_only(&one(200), 200);
    rig.turn();
    assert_eq!((rig.state("A"), rig.has(VIP)), (State::Backup, false));
    rig.settle();
    rig.pass(Duration::from_secs(4));
    assert_eq!((rig.state("A"), rig.has(VIP)), (State::Master, true));
    assert!(!rig.reports.iter().any(|report| matches!(report, Report::AddressLost { .. })));
}

// where thousands of links come and go nothing that is read is of one moment
#[test]
fn what_could_not_be_read_in_one_moment_is_read_again_later() {
    for fails in [None, Some(12)] {
        let mut rig = master();
        rig.network().tear_inventory(true);
        rig.network().fail_inventory(fails);
        rig.network().overrun();
        rig.settle();
        // what the first look missed
        rig.network().remove_address(ETH0, ip(VIP), 24);
        rig.network().events(&mut Vec::new());
        rig.network().tear_inventory(false);
        rig.network().fail_inventory(None);
        rig.pass(Duration::from_secs(29));
        assert!(!rig.has(VIP));
        rig.pass(Duration::from_secs(2));
        assert_eq!((rig.state("A"), rig.has(VIP)), (State::Master, true));
    }
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

/// What was said of addresses that were there at the start.
fn left_overs(rig: &Rig) -> Vec<(String, LeftOver)> {
    let said = rig.reports.iter().filter_map(|report| match report {
        Report::LeftOver { address, fate, .. } => Some((address.to_string(), *fate)),
        _ => None,
    });
    said.collect()
}

/// An Ethernet link eth0 with these addresses, and lo as Linux has it since 5.18 (`IFAPROT_KERNEL_LO`) if `tells_who`.
fn machine_with(addresses: &[(&str, u8)], tells_who: bool) -> FakeNetwork {
    let mut network = FakeNetwork::new();
    network.set_link(FakeNetwork::ethernet(1, "lo").unwrap());
    network.set_link(FakeNetwork::ethernet(2, "eth0").unwrap());
    let mut loopback = plain(LinkIndex(1), "127.0.0.1", 8);
    loopback.protocol = u8::from(tells_who);
    network.add_address(loopback);
    for (address, protocol) in addresses {
        let mut address = plain(ETH0, address, 24);
        address.protocol = *protocol;
        network.add_address(address);
    }
    network.events(&mut Vec::new());
    network
}

// keepalived removes it
#[test]
fn the_only_address_of_the_machine_is_no_left_over() {
    for tells_who in [false, true] {
        let mut rig = Rig::on(machine_with(&[(VIP, 0)], tells_who), &one(100));
        rig.pass(Duration::from_secs(10));
        assert_eq!((rig.state("A"), rig.has(VIP)), (State::Fault, true), "there is no other to send from");
        assert_eq!(left_overs(&rig), [(VIP.to_owned(), LeftOver::Stays)]);
    }
}

#[test]
fn what_bears_our_mark_is_a_left_over_and_removing_it_is_said() {
    let mut rig = Rig::on(machine_with(&[("192.0.2.1", 0), (VIP, 18)], true), &one(100));
    assert_eq!((rig.state("A"), rig.has(VIP)), (State::Backup, false));
    assert_eq!(left_overs(&rig), [(VIP.to_owned(), LeftOver::Removed)]);
}

#[test]
fn what_bears_no_mark_stays_where_the_kernel_would_show_one() {
    for (tells_who, fate) in [(true, LeftOver::Stays), (false, LeftOver::Removed)] {
        let mut rig = Rig::on(machine_with(&[("192.0.2.1", 0), (VIP, 0)], tells_who), &one(100));
        assert_eq!((rig.state("A"), rig.has(VIP)), (State::Backup, fate == LeftOver::Stays));
        assert_eq!(left_overs(&rig), [(VIP.to_owned(), fate)]);
    }
}

// Linux before 5.18 does not say who set an address
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

// the supervisor removes the addresses of a dead vrrp process while the next one stands by
#[test]
fn a_removal_from_before_the_first_reading_is_nobody_s() {
    let mut network = machine();
    network.add_address(plain(ETH0, VIP, 24));
    network.remove_address(ETH0, ip(VIP), 24);
    let all = |config: &Config| keepalived_config::plan::keyed(&config.instances).map(|(key, _)| key).collect();
    let mut rig = Rig::with(network, &one(100), all);
    assert_eq!((rig.state("A"), rig.has(VIP)), (State::Master, true));
    assert!(!rig.reports.iter().any(|report| matches!(report, Report::AddressLost { .. })), "{:?}", rig.reports);
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

// a supervisor that dies while the next vrrp process starts
#[test]
fn masters_that_never_resumed_leave_nothing_behind() {
    for (at_exit, stays) in [(AtExit::Release, false), (AtExit::Keep, true)] {
        let mut network = machine();
        let mut ours = plain(ETH0, VIP, 24);
        ours.protocol = 18;
        network.add_address(ours);
        network.events(&mut Vec::new());
        let config = configuration(&one(100));
        let masters: BTreeSet<_> = keepalived_config::plan::keyed(&config.instances).map(|(key, _)| key).collect();
        let now = Instant::from_nanos(1_000_000_000_000);
        let mut rig = Rig::around(Engine::new(now, &config, masters, network, FakePackets::new()).unwrap(), now);
        rig.turn();
        rig.stop(at_exit);
        assert_eq!(rig.has(VIP), stays, "{at_exit:?}");
    }
}

#[test]
fn the_owners_own_address_stays_when_we_go() {
    let mut rig = Rig::new(&with_addresses("A", 51, 255, &["192.0.2.1/24"]));
    assert_eq!(rig.state("A"), State::Master);
    rig.stop(AtExit::Release);
    assert!(rig.has("192.0.2.1"));
}

#[test]
fn an_untracked_address_on_another_interface_waits_for_it() {
    let text = with_addresses("A", 51, 100, &["192.0.2.100/24", "198.51.100.1/24 dev eth7 no_track"]);
    let mut rig = Rig::new(&text);
    rig.pass(Duration::from_secs(4));
    assert_eq!((rig.has(VIP), rig.has("198.51.100.1")), (true, false));
    rig.network().set_link(FakeNetwork::ethernet(7, "eth7").unwrap());
    rig.settle();
    assert!(rig.has("198.51.100.1"));
}

/// Three addresses, and the one in the middle.
const SEVERAL: [&str; 3] = ["192.0.2.100/24", "192.0.2.101/24", "192.0.2.102/24"];
const MIDDLE: &str = "192.0.2.101";

#[test]
fn what_the_kernel_refuses_is_tried_again() {
    let mut network = machine();
    network.refuse(ip(MIDDLE), Some(Refused { errno: 12, message: None }));
    let mut rig = Rig::on(network, &with_addresses("A", 51, 100, &SEVERAL));
    rig.pass(Duration::from_secs(4));
    assert_eq!(rig.state("A"), State::Master);
    assert_eq!((rig.has("192.0.2.100"), rig.has(MIDDLE), rig.has("192.0.2.102")), (true, false, true));
    let refused = rig.reports.iter().filter_map(|report| match report {
        Report::AddressRefused { address, .. } => Some(*address),
        _ => None,
    });
    assert_eq!(refused.collect::<BTreeSet<_>>(), BTreeSet::from([ip(MIDDLE)]));
    rig.network().refuse(ip(MIDDLE), None);
    rig.announced();
    rig.pass(Duration::from_secs(60));
    assert!(rig.has(MIDDLE));
    assert!(rig.announced().contains(&Ipv4Addr::new(192, 0, 2, 101)));
}

// it is ours still: it is tried again, and the others are gone meanwhile
#[test]
fn an_address_that_cannot_be_removed_keeps_no_other() {
    let mut rig = Rig::new(&with_addresses("A", 51, 100, &SEVERAL));
    rig.pass(Duration::from_secs(4));
    rig.network().refuse(ip(MIDDLE), Some(Refused { errno: 12, message: None }));
    rig.hear(&one(200), 200);
    assert_eq!(rig.state("A"), State::Backup);
    assert_eq!((rig.has("192.0.2.100"), rig.has(MIDDLE), rig.has("192.0.2.102")), (false, true, false));
    rig.network().refuse(ip(MIDDLE), None);
    rig.hear_for(2, &one(200), 200);
    assert!(!rig.has(MIDDLE));
}

/// A master whose virtual address came before the machine's own ones in their network.
fn first_in_its_network() -> Rig {
    let text = instance("A", 51, "virtual_ipaddress {\n 192.0.2.100/24\n 198.51.100.100/24 dev eth1\n }");
    let mut rig = Rig::new(&text);
    rig.pass(Duration::from_secs(4));
    rig.network().add_address(plain(ETH1, "198.51.100.1", 24));
    rig.network().add_address(plain(ETH1, "198.51.100.2", 24));
    rig.settle();
    rig
}

/// Whether an address was away for a moment.
fn was_away(rig: &mut Rig, address: &str) -> bool {
    let mut events = Vec::new();
    rig.network().events(&mut events);
    events
        .iter()
        .any(|event| matches!(event, NetworkEvent::AddressRemoved { address: gone, .. } if *gone == ip(address)))
}

// keepalived loses them
#[test]
fn addresses_of_the_machine_stay_when_ours_that_was_there_first_goes() {
    let mut rig = first_in_its_network();
    rig.hear_only(&one(200), 200);
    rig.turn();
    assert_eq!((rig.state("A"), rig.has("198.51.100.100")), (State::Backup, false));
    assert!(rig.has("198.51.100.1") && rig.has("198.51.100.2"));
    assert!(!was_away(&mut rig, "198.51.100.1") && !was_away(&mut rig, "198.51.100.2"));
    assert_eq!(rig.network().secondaries(), [(ETH1, Secondaries::Promoted), (ETH1, Secondaries::Removed)]);
}

// a /proc/sys that is read-only, as in many containers
#[test]
fn where_the_kernel_cannot_be_asked_to_promote_them_they_are_put_back() {
    let mut rig = first_in_its_network();
    rig.network().fail_secondaries(Some(30));
    rig.hear(&one(200), 200);
    assert!(!rig.has("198.51.100.100") && rig.has("198.51.100.1") && rig.has("198.51.100.2"));
    assert_eq!(rig.reports.iter().filter(|report| matches!(report, Report::Unguarded { .. })).count(), 1);
}

#[test]
fn what_the_kernel_removes_with_an_address_of_ours_was_removed_by_nobody_else() {
    for proc_sys_is_readonly in [false, true] {
        let a = instance("A", 51, "virtual_ipaddress {\n 198.51.100.100/24 dev eth1\n }");
        let mut rig = Rig::new(&(a + &with_addresses("B", 52, 90, &["198.51.100.101/24 dev eth1"])));
        rig.pass(Duration::from_secs(4));
        assert_eq!((rig.state("A"), rig.state("B")), (State::Master, State::Master));
        rig.network().fail_secondaries(proc_sys_is_readonly.then_some(30));
        rig.hear(&one(200), 200);
        assert_eq!((rig.has("198.51.100.100"), rig.has("198.51.100.101")), (false, true));
        assert!(!rig.reports.iter().any(|report| matches!(report, Report::AddressLost { .. })));
        // and what does go by another hand is noticed as before
        rig.network().remove_address(ETH1, ip("198.51.100.101"), 24);
        rig.settle();
        assert!(rig.has("198.51.100.101"));
        assert!(rig.reports.iter().any(|report| matches!(report, Report::AddressLost { .. })));
    }
}

#[test]
fn a_network_that_is_ours_alone_goes_without_more_ado() {
    let lines = ["198.51.100.100/24 dev eth1", "198.51.100.101/24 dev eth1", "198.51.100.102/24 dev eth1"];
    let mut rig = Rig::new(&with_addresses("A", 51, 100, &lines));
    rig.pass(Duration::from_secs(4));
    rig.hear(&one(200), 200);
    assert!(!rig.has("198.51.100.100") && !rig.has("198.51.100.101") && !rig.has("198.51.100.102"));
    assert_eq!(rig.network().secondaries(), []);
}

// the new ones were asked for while the old ones were there, in another batch: the kernel kept those, and then they were removed
#[test]
fn many_ipv6_addresses_get_another_prefix_length() {
    let text = |length: u8| {
        let addresses: Vec<String> = (1..=40).map(|host| format!("2001:db8::{host}/{length}")).collect();
        let addresses = addresses.join("\n ");
        format!(
            "vrrp_instance A {{\n interface eth0\n virtual_router_id 51\n native_ipv6\n virtual_ipaddress {{\n fe80::51\n {addresses}\n }}\n}}\n"
        )
    };
    let mut rig = Rig::new(&text(64));
    rig.pass(Duration::from_secs(4));
    rig.reload(&text(120));
    rig.pass(Duration::from_secs(1));
    let global = |address: &&Address| address.prefix == 120;
    assert_eq!(rig.network().addresses().filter(global).count(), 40);
}

#[test]
fn a_refusal_that_ends_is_waited_for_at_a_stop() {
    let mut rig = master();
    rig.network().refuse(ip(VIP), Some(Refused { errno: 105, message: None }));
    rig.engine.stop(rig.now, AtExit::Release);
    rig.settle();
    assert!(rig.engine.owes_removals() && !rig.engine.owes_changes(), "it is still there");
    rig.network().refuse(ip(VIP), None);
    rig.stop(AtExit::Release);
    assert!(!rig.has(VIP));
}

#[test]
fn what_bears_our_mark_with_another_prefix_length_is_a_left_over_too() {
    for address in ["192.0.2.100", "2001:db8::100"] {
        let mut network = machine();
        network.add_address(Address { protocol: 18, ..plain(ETH0, address, 25) });
        // of the machine, or of another program
        network.add_address(plain(ETH1, "192.0.2.100", 26));
        let text = format!("virtual_ipaddress {{\n fe80::51\n }}\n virtual_ipaddress_excluded {{\n {address}/24\n }}");
        let text = if address.contains(':') { text } else { format!("virtual_ipaddress {{\n {address}/24\n }}") };
        let mut rig = Rig::on(network, &instance("A", 51, &text));
        assert!(
            !rig.network().addresses().any(|there| there.link == ETH0 && there.address == ip(address)),
            "{address}"
        );
        rig.pass(Duration::from_secs(4));
        let here: Vec<u8> = rig
            .network()
            .addresses()
            .filter(|there| there.link == ETH0 && there.address == ip(address))
            .map(|it| it.prefix)
            .collect();
        assert_eq!((here, rig.has("192.0.2.100")), (vec![24], true));
    }
}

#[test]
fn what_the_kernel_refuses_is_said_once_for_each_reason() {
    let refused = |errno| Some(Refused { errno, message: None });
    let mut network = machine();
    network.refuse(ip(VIP), refused(105));
    let mut rig = Rig::on(network, &one(100));
    let said = |rig: &Rig| {
        let lines = rig.reports.iter().filter(|report| report.to_string().contains("the kernel does not take"));
        lines.count()
    };
    rig.pass(Duration::from_secs(300));
    assert_eq!((rig.state("A"), said(&rig)), (State::Master, 1));
    rig.network().refuse(ip(VIP), refused(12));
    rig.pass(Duration::from_secs(300));
    assert_eq!(said(&rig), 2);
    rig.network().refuse(ip(VIP), None);
    rig.pass(Duration::from_secs(60));
    assert!(rig.has(VIP));
    rig.network().remove_address(ETH0, ip(VIP), 24);
    rig.network().refuse(ip(VIP), refused(12));
    rig.pass(Duration::from_secs(300));
    assert_eq!(said(&rig), 3);
}
