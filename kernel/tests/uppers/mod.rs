//! Links on others, and the settings that come with them.

use keepalived_core::address::InterfaceName;
use keepalived_core::network::{
    ArpSetting, ArpSettings, Change, Key, Link, LinkIndex, NetworkEvent, NetworkTable, Object, Setting, UpperKind,
    UpperLink,
};
use keepalived_core::vrrp::Family;
use keepalived_kernel::firewall::Firewall;
use keepalived_kernel::network::Network;

use super::{Machine, must, wish};

fn upper(parent: LinkIndex, vrid: u8, family: Family) -> UpperLink {
    let number = if family == Family::V4 { 1 } else { 2 };
    UpperLink {
        tells_below: false,
        parent,
        name: InterfaceName::new(format!("vrrp{number}.{vrid}").as_bytes()).unwrap(),
        kind: UpperKind::Macvlan,
        mac: Some([0, 0, 0x5e, 0, number, vrid]),
        group: 0,
        master: None,
        family,
    }
}

fn there(link: &UpperLink) -> Change {
    Change::Present(Object::Upper(Box::new(link.clone())))
}

fn gone(link: &UpperLink) -> Change {
    Change::Absent(link.key())
}

fn find(machine: &mut impl Machine, name: InterfaceName) -> Option<Link> {
    machine.network().inventory().unwrap().links.into_iter().find(|link| link.name == name)
}

/// On `link`, which is up and runs.
pub(crate) fn suite(machine: &mut impl Machine, link: &Link) {
    they_are_made_taken_over_and_removed(machine, link.index);
    they_change_in_place_or_are_refused(machine, link.index);
    they_go_with_their_parent_and_stop_with_it(machine);
    many_go_at_once_and_no_others_with_them(machine, link.index);
    the_link_below_is_told_of_if_that_is_asked_for(machine, link.index);
    settings_are_put_back(machine, link.index);
    the_packet_filter_is_set_up_again_and_again(machine, link);
}

fn they_are_made_taken_over_and_removed(machine: &mut impl Machine, parent: LinkIndex) {
    for family in [Family::V4, Family::V6] {
        let wanted = upper(parent, 51, family);
        for _ in 0..2 {
            must(machine, &[there(&wanted)]);
            let link = find(machine, wanted.name).unwrap();
            assert_eq!((link.parent, link.upper, link.mac), (Some(parent), Some(UpperKind::Macvlan), wanted.mac));
            assert!(link.up && link.multicast && !link.loopback, "{link:?}");
            assert_eq!(link.arp.ignore, 1);
        }
        let is_it = |event: &NetworkEvent| matches!(event, NetworkEvent::Link(link) if link.name == wanted.name);
        machine.until(|event| is_it(event) && matches!(event, NetworkEvent::Link(link) if link.up && link.running));
        let index = find(machine, wanted.name).unwrap().index;
        // nobody has given it an address, the kernel neither
        let addresses = machine.network().inventory().unwrap().addresses;
        assert!(addresses.iter().all(|address| address.link != index), "{addresses:?}");
        let address = wish(index, if family == Family::V4 { "192.0.2.77/24" } else { "2001:db8:77::1/64" });
        must(machine, &[Change::Present(Object::Address(address))]);
        for _ in 0..2 {
            must(machine, &[gone(&wanted)]);
            assert_eq!(find(machine, wanted.name), None);
        }
        machine.until(|event| *event == NetworkEvent::LinkRemoved(index));
    }
}

fn they_change_in_place_or_are_refused(machine: &mut impl Machine, parent: LinkIndex) {
    let wanted = upper(parent, 52, Family::V4);
    must(machine, &[there(&wanted)]);
    let before = find(machine, wanted.name).unwrap();
    let other = UpperLink { group: 9, ..wanted.clone() };
    must(machine, &[there(&other)]);
    let after = find(machine, wanted.name).unwrap();
    assert_eq!((after.index, after.group), (before.index, 9));
    let refusals = [
        UpperLink { mac: Some([2, 0, 0, 0, 0, 9]), ..wanted.clone() },
        UpperLink { parent: LinkIndex(4_000_000), name: InterfaceName::new(b"nowhere").unwrap(), ..wanted.clone() },
    ];
    let outcome = machine.network().change(&[there(&refusals[0]), there(&refusals[1]), there(&wanted)]);
    let errnos: Vec<_> = outcome.iter().map(|outcome| outcome.as_ref().err().map(|refused| refused.errno)).collect();
    assert_eq!(errnos, [Some(libc::EEXIST), Some(libc::ENODEV), None]);
    // another name with the same MAC address: of these the kernel takes up one
    let double = UpperLink { name: InterfaceName::new(b"double").unwrap(), ..wanted.clone() };
    let outcome = machine.network().change(&[there(&double)]);
    assert_eq!(outcome[0].as_ref().map_err(|refused| refused.errno), Err(libc::EADDRINUSE));
    must(machine, &[gone(&double)]);
    // the same name with another MAC address: removed and made in one go
    must(machine, &[gone(&wanted), there(&refusals[0])]);
    assert_eq!(find(machine, wanted.name).unwrap().mac, refusals[0].mac);
    must(machine, &[gone(&refusals[0])]);
}

fn they_go_with_their_parent_and_stop_with_it(machine: &mut impl Machine) {
    machine.add_link("low0");
    machine.until(|event| matches!(event, NetworkEvent::Link(link) if link.name.as_bytes() == b"low0" && link.running));
    let parent = machine.link("low0").index;
    let wanted = upper(parent, 53, Family::V4);
    must(machine, &[there(&wanted)]);
    let running = |name: InterfaceName, wanted: bool| move |event: &NetworkEvent| matches!(event, NetworkEvent::Link(it) if it.name == name && it.running == wanted);
    machine.until(running(wanted.name, true));
    machine.cable("low0", false);
    machine.until(running(wanted.name, false));
    assert!(find(machine, wanted.name).unwrap().up);
    machine.cable("low0", true);
    machine.until(running(wanted.name, true));
    let index = find(machine, wanted.name).unwrap().index;
    machine.remove_link("low0");
    machine.until(|event| *event == NetworkEvent::LinkRemoved(index));
    assert_eq!(find(machine, wanted.name), None);
    must(machine, &[gone(&wanted)]);
}

fn many_go_at_once_and_no_others_with_them(machine: &mut impl Machine, parent: LinkIndex) {
    let links: Vec<UpperLink> = (60..80).map(|vrid| upper(parent, vrid, Family::V4)).collect();
    let stays = upper(parent, 80, Family::V6);
    let made: Vec<Change> = links.iter().chain([&stays]).map(there).collect();
    must(machine, &made);
    must(machine, &links.iter().map(gone).collect::<Vec<_>>());
    let left = machine.network().inventory().unwrap().links.into_iter().filter(|link| link.upper.is_some());
    assert_eq!(left.map(|link| link.name).collect::<Vec<_>>(), [stays.name]);
    must(machine, &[gone(&stays)]);
    machine.network().events(&mut Vec::new());
}

/// So that programs which follow links by netlink learn of what the kernel changes about the link below without a message (2.4.3: when a virtual
/// MAC comes and when it goes).
fn the_link_below_is_told_of_if_that_is_asked_for(machine: &mut impl Machine, parent: LinkIndex) {
    fn told(machine: &mut impl Machine, change: Change, parent: LinkIndex) -> usize {
        while !machine.network().events(&mut Vec::new()) {}
        must(machine, &[change]);
        let mut events = Vec::new();
        while !machine.network().events(&mut events) {}
        events.iter().filter(|event| matches!(event, NetworkEvent::Link(link) if link.index == parent)).count()
    }
    let group = |machine: &mut _| find_group(machine, parent);
    let (quiet, before) = (upper(parent, 93, Family::V4), group(machine));
    let loud = UpperLink { tells_below: true, ..quiet.clone() };
    let usual = (told(machine, there(&quiet), parent), told(machine, gone(&quiet), parent));
    let with = (told(machine, there(&loud), parent), told(machine, gone(&loud), parent));
    assert_eq!(with, (usual.0 + 1, usual.1 + 1));
    assert_eq!(group(machine), before);
    let again = told(machine, there(&loud), parent);
    assert_eq!(again, with.0);
    assert_eq!(told(machine, there(&loud), parent), 0, "it is there already");
    must(machine, &[gone(&loud)]);
}

fn find_group(machine: &mut impl Machine, index: LinkIndex) -> u32 {
    machine.network().inventory().unwrap().links.into_iter().find(|link| link.index == index).unwrap().group
}

fn the_packet_filter_is_set_up_again_and_again(machine: &mut impl Machine, link: &Link) {
    let own = upper(link.index, 90, Family::V4);
    must(machine, &[there(&own)]);
    let index = find(machine, own.name).unwrap().index;
    let named = Some((index, own.name));
    let firewall = Firewall {
        table: "contract".to_owned(),
        priority: -1,
        virtual_macs: [Family::V4, Family::V6].map(|family| ((family, index), link.index)).into(),
        shared_link_local: [("fe80::1".parse().unwrap(), (index, own.name))].into(),
        closed_v4: ["192.0.2.7".parse().unwrap()].into(),
        closed_v6: [("2001:db8::7".parse().unwrap(), None), ("fe80::7".parse().unwrap(), named)].into(),
        ..Firewall::default()
    };
    machine.network().watch_firewall("contract");
    for (by_index, counters) in [(false, false), (true, true)] {
        let wish = Firewall { by_index, counters, ..firewall.clone() };
        while !machine.network().events(&mut Vec::new()) {}
        let mut events = Vec::new();
        for _ in 0..2 {
            assert_eq!(machine.network().set_firewall(&wish), Ok(()));
            while !machine.network().events(&mut events) {}
        }
        let is_lost = |event: &NetworkEvent| matches!(event, NetworkEvent::FirewallLost(_));
        assert!(!events.iter().any(is_lost), "our own transactions");
        machine.flush_firewall("contract");
        machine.until(|event| *event == NetworkEvent::FirewallLost(Family::V4));
        assert_eq!(machine.network().set_firewall(&wish), Ok(()));
        // a family without anything has no table
        let v4 =
            Firewall { closed_v6: [].into(), shared_link_local: [].into(), virtual_macs: [].into(), ..wish.clone() };
        assert_eq!(machine.network().set_firewall(&v4), Ok(()));
        machine.until(|event| *event == NetworkEvent::FirewallLost(Family::V6));
        let nothing = Firewall { table: "contract".to_owned(), ..Firewall::default() };
        assert_eq!(machine.network().set_firewall(&nothing), Ok(()));
    }
    must(machine, &[gone(&own)]);
}

fn settings_are_put_back(machine: &mut impl Machine, link: LinkIndex) {
    let settings = ArpSetting::ALL.map(|setting| Setting::Arp { link, setting, before: 0 });
    fn seen(machine: &mut impl Machine, link: LinkIndex) -> ArpSettings {
        let table = NetworkTable::new(machine.network().inventory().unwrap());
        table.by_index(link).map(|link| link.arp).unwrap()
    }
    assert_eq!(seen(machine, link), ArpSettings::default());
    for _ in 0..2 {
        must(machine, &settings.map(|setting| Change::Present(Object::Setting(setting))));
        assert_eq!(seen(machine, link), ArpSettings { ignore: 1, filter: 1, announce: 2 });
    }
    must(machine, &settings.map(|setting| Change::Absent(Key::Setting(setting))));
    assert_eq!(seen(machine, link), ArpSettings::default());
    let (all, default) = machine.network().reverse_path_filter().unwrap();
    let none = Setting::NoReversePathFilter { all, default };
    must(machine, &[Change::Present(Object::Setting(none))]);
    assert_eq!(machine.network().reverse_path_filter().unwrap(), (0, default.max(all)));
    must(machine, &[Change::Absent(Key::Setting(none))]);
    assert_eq!(machine.network().reverse_path_filter().unwrap(), (all, default));
}
