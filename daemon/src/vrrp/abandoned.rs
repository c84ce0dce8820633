//! Addresses that a vrrp process left behind and that no process advertises any more: other routers have them by then.

use std::io;

use keepalived_config::model::Instance;
use keepalived_core::network::{Change, Key, NetworkTable};
use keepalived_kernel::network::{Network, Refused};

use super::batch::Batch;
use super::lower;

/// What an instance was when its process died.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Was {
    /// Master: it had its addresses.
    Master,
    /// Anything else.
    Other,
}

/// What became of abandoned addresses.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Removed {
    /// Addresses that are gone now.
    pub gone: Vec<std::net::IpAddr>,
    /// Addresses that the kernel did not give up.
    pub refused: Vec<(std::net::IpAddr, Refused)>,
}

/// Removes the addresses that instances bring, where they are there and ours: they bear our mark (`IFA_PROTO`). A kernel before
/// 5.18 tells no marks; there every address of a master is ours, except for an owner's. Who was no master any more may have died before
/// the kernel had removed its addresses. Other addresses of the same networks stay.
///
/// # Errors
/// The kernel does not say what is there.
pub fn remove<'a>(
    network: &mut impl Network,
    instances: impl Iterator<Item = (&'a Instance, Was)>,
) -> io::Result<Removed> {
    let table = NetworkTable::new(network.inventory()?);
    let mut gone = Vec::new();
    for (instance, was) in instances {
        let unmarked = was == Was::Master && !instance.settings.priority.is_owner();
        for line in lower::lines(instance) {
            let Some(link) = line.device.or(instance.interface).and_then(|name| table.by_name(&name)) else {
                continue;
            };
            let place = (link.index, line.address, line.prefix);
            let ours = |protocol| if table.tells_who() { protocol == lower::ADDRESS_PROTOCOL } else { unmarked };
            gone.extend(table.address(&place).filter(|there| ours(there.protocol)));
        }
    }
    // what is gone with its primary address would have to be looked for
    gone.sort_by_key(|address| !address.is_secondary());
    let changes = gone.into_iter().map(|address| Change::Absent(Key::Address(address.key()))).collect();
    let (batch, _none) = Batch::new(changes, &table, |_| false);
    let mut removed = Removed::default();
    for (change, result) in batch.carry_out(network).results {
        let Key::Address((_, address, _)) = change.key();
        match (result, change) {
            (Ok(()), Change::Present(_)) => {}
            (Ok(()), Change::Absent(_)) => removed.gone.push(address),
            (Err(refused), _) => removed.refused.push((address, refused)),
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use keepalived_config::model::Config;
    use keepalived_core::network::{Address, LinkIndex};
    use keepalived_kernel::fake::FakeNetwork;

    use super::*;
    use crate::configuration::from_text;

    const TWO: &str = "vrrp_instance A {\n interface eth0\n virtual_router_id 1\n virtual_ipaddress {\n 192.0.2.100/24\n 192.0.2.101/24\n }\n}\n\
                       vrrp_instance B {\n interface eth0\n virtual_router_id 2\n priority 255\n virtual_ipaddress {\n 192.0.2.1/24\n }\n}\n";

    fn address(text: &str, protocol: u8) -> Address {
        Address { protocol, ..Address::plain(LinkIndex(2), text.parse().unwrap(), 24) }
    }

    fn masters(config: &Config) -> impl Iterator<Item = (&Instance, Was)> {
        config.instances.iter().map(|instance| (instance, Was::Master))
    }

    fn machine(addresses: &[(&str, u8)]) -> FakeNetwork {
        let mut network = FakeNetwork::new();
        network.set_link(FakeNetwork::ethernet(2, "eth0").unwrap());
        addresses.iter().for_each(|(text, protocol)| network.add_address(address(text, *protocol)));
        network
    }

    fn left(network: &FakeNetwork) -> Vec<IpAddr> {
        network.addresses().map(|address| address.address).collect()
    }

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn what_bears_our_mark_goes_and_the_rest_stays() {
        // the second virtual address was put there by an administrator, the owner's own address too
        let mut network = machine(&[("192.0.2.1", 0), ("192.0.2.100", 18), ("192.0.2.101", 0), ("192.0.2.7", 18)]);
        let removed = remove(&mut network, masters(&from_text(TWO))).unwrap();
        assert_eq!(removed.gone, ips(&["192.0.2.100"]));
        assert_eq!(left(&network), ips(&["192.0.2.1", "192.0.2.7", "192.0.2.101"]));
    }

    #[test]
    fn a_kernel_without_marks_keeps_only_what_an_owner_has() {
        let mut network = machine(&[("192.0.2.1", 0), ("192.0.2.100", 0), ("192.0.2.7", 0)]);
        remove(&mut network, masters(&from_text(TWO))).unwrap();
        assert_eq!(left(&network), ips(&["192.0.2.1", "192.0.2.7"]));
    }

    // Linux removes the secondary addresses of a network together with its primary one
    #[test]
    fn an_address_of_the_machine_that_came_second_stays() {
        let mut network = machine(&[("192.0.2.100", 18), ("192.0.2.1", 0)]);
        remove(&mut network, masters(&from_text(TWO))).unwrap();
        assert_eq!(left(&network), ips(&["192.0.2.1"]));
    }

    #[test]
    fn one_that_is_refused_keeps_no_other() {
        let mut network = machine(&[("192.0.2.100", 18), ("192.0.2.101", 18)]);
        network.refuse("192.0.2.100".parse().unwrap(), Some(Refused { errno: 12, message: None }));
        let removed = remove(&mut network, masters(&from_text(TWO))).unwrap();
        assert_eq!(removed.gone, ips(&["192.0.2.101"]));
        assert_eq!(removed.refused.len(), 1);
        network.fail_inventory(Some(12));
        assert!(remove(&mut network, masters(&from_text(TWO))).is_err());
    }

    // it died before the kernel had removed them
    #[test]
    fn of_who_was_no_master_any_more_only_what_bears_our_mark_goes() {
        for (protocol, tells_who, left_over) in [(18, true, false), (0, true, true), (0, false, true)] {
            let mut network = machine(&[("192.0.2.100", protocol)]);
            if tells_who {
                network.add_address(Address {
                    protocol: 1,
                    ..Address::plain(LinkIndex(2), "127.0.0.1".parse().unwrap(), 8)
                });
            }
            let config = from_text(TWO);
            remove(&mut network, config.instances.iter().map(|instance| (instance, Was::Other))).unwrap();
            assert_eq!(network.has("192.0.2.100".parse().unwrap()), left_over, "{protocol} {tells_who}");
        }
    }
}
