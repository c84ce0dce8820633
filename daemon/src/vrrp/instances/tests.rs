//! What the instances keep for themselves.

use std::time::Duration;

use keepalived_core::network::{Address, LinkIndex, NetworkTable};
use keepalived_kernel::fake::{FakeNetwork, FakePackets};
use keepalived_kernel::network::Network;

use super::*;
use crate::configuration::from_text;

const ETH0: LinkIndex = LinkIndex(2);

/// A machine with eth0, and the instances of `text`, which have begun.
struct Surroundings {
    now: Instant,
    network: FakeNetwork,
    packets: FakePackets,
    instances: Instances,
}

impl Surroundings {
    fn new(text: &str) -> Self {
        let now = Instant::from_nanos(1_000_000_000_000);
        let mut network = FakeNetwork::new();
        add_eth0(&mut network);
        let mut packets = FakePackets::new();
        let mut instances = Instances::new(NetworkTable::new(network.inventory().unwrap()), Inherited::default());
        instances.configure(now, &from_text(text), &mut network, &mut packets);
        let mut it = Self { now, network, packets, instances };
        it.settle();
        it.instances.begin(now);
        it
    }

    /// The kernel does what it is asked for.
    fn settle(&mut self) {
        while let Some(order) = self.instances.decide(self.now, 32, &mut self.network, &mut self.packets) {
            let answer = order.carry_out(&mut self.network);
            self.instances.answer(self.now, answer, &mut self.network, &mut self.packets);
        }
    }

    fn look(&mut self) {
        let mut events = Vec::new();
        self.network.events(&mut events);
        self.instances.look(self.now, &mut events, &mut self.network);
        self.settle();
    }
}

fn add_eth0(network: &mut FakeNetwork) {
    network.set_link(FakeNetwork::ethernet(ETH0.0, "eth0").unwrap());
    network.add_address(Address::plain(ETH0, IpAddr::from([192, 0, 2, 1]), 24));
}

fn instance(vrid: u8) -> String {
    format!(
        "vrrp_instance I{vrid} {{\n interface eth0\n virtual_router_id {vrid}\n virtual_ipaddress {{\n 198.51.100.{vrid}\n }}\n}}\n"
    )
}

// each of n members told all others, n times n in all
#[test]
fn a_group_leaves_in_as_many_steps_as_it_has_members() {
    let members = 100_u8;
    let names: String = (1..=members).map(|vrid| format!("I{vrid}\n")).collect();
    let text: String = (1..=members).map(instance).collect();
    let mut it = Surroundings::new(&(text + &format!("vrrp_sync_group G {{\n group {{\n{names} }}\n}}\n")));
    it.now += Duration::from_secs(10);
    while it.instances.expire(it.now, usize::MAX, true) > 0 {}
    let masters =
        |instances: &Instances| instances.states().into_iter().filter(|(_, _, state)| *state == State::Master).count();
    assert_eq!(masters(&it.instances), usize::from(members));

    it.instances.with_router(0, |router, effects| router.handle(it.now, Event::AddressLost, effects));
    it.instances.act(it.now, 0);
    let mut steps = 0;
    while let Some((index, _)) = it.instances.follow_ups.pop_front() {
        it.instances.with_router(index, |router, effects| router.handle(it.now, Event::GroupBackup, effects));
        it.instances.act(it.now, index);
        steps += 1;
    }
    assert_eq!((steps, masters(&it.instances)), (members - 1, 0));
}

/// As Debian's keepalived: `mail::instances_and_groups_are_mailed_in_keepalived_s_words`.
#[test]
fn a_group_goes_to_fault_at_once() {
    let group = "vrrp_sync_group G {\n group {\n I1\n I2\n I3\n }\n}\n";
    let third = instance(3).replace("eth0", "eth1");
    let mut it = Surroundings::new(&(instance(1) + &instance(2) + &third + group));
    it.network.set_link(FakeNetwork::ethernet(3, "eth1").unwrap());
    it.network.add_address(Address::plain(LinkIndex(3), IpAddr::from([203, 0, 113, 1]), 24));
    it.look();
    it.now += Duration::from_secs(10);
    while it.instances.expire(it.now, usize::MAX, true) > 0 {}
    it.now += Duration::from_secs(10);
    while it.instances.expire(it.now, usize::MAX, true) > 0 {}
    let said = |it: &mut Surroundings| -> Vec<String> {
        let reports = it.instances.reports(it.now);
        let states = reports.iter().filter_map(|report| match report {
            Report::Transition { name, transition, .. } => Some(format!("{name} {}", transition.to)),
            Report::Group { name, state, .. } => Some(format!("{name} {state}")),
            _ => None,
        });
        states.collect()
    };
    assert!(said(&mut it).contains(&"G MASTER".to_owned()));
    it.network.remove_link(ETH0);
    it.look();
    let states = said(&mut it);
    assert!(states.iter().all(|state| state.ends_with(" FAULT")), "{states:?}");
    assert_eq!(states.len(), 4, "{states:?}");
}

#[test]
fn a_channel_that_is_opened_again_and_again_leaves_nothing_behind() {
    let mut it = Surroundings::new(&(instance(1) + &instance(2)));
    for _ in 0..50 {
        it.network.remove_link(ETH0);
        it.look();
        assert_eq!(it.instances.channels.entries(), 0);
        add_eth0(&mut it.network);
        it.look();
        assert_eq!(it.instances.channels.entries(), 3);
    }
    let none = from_text("");
    it.instances.configure(it.now, &none, &mut it.network, &mut it.packets);
    it.settle();
    assert_eq!(it.instances.channels.entries(), 0);
}
