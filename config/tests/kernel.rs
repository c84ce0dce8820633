//! What the model says must be in the kernel is what keepalived 2.4.3 put there (data/observed/p2.ipvsadm).
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU16;

use keepalived_config::model::{
    Config, Forwarding, Granularity, GroupEntry, Protocol, RealServer, Scheduler, Service, ServiceSettings, Tunnel,
    TunnelChecksum,
};
use support::text;

/// One service of the kernel: its name for ipvsadm, and its port if it has addresses.
fn services(config: &Config, service: &Service) -> Vec<(String, Option<u16>)> {
    let protocol = |protocol: &Protocol| match protocol {
        Protocol::Tcp => "-t",
        Protocol::Udp => "-u",
        Protocol::Sctp => "--sctp-service",
    };
    let number = |port: &Option<NonZeroU16>| port.map_or(0, NonZeroU16::get);
    match service {
        Service::Address { address, port, protocol: of } => {
            vec![(format!("{} {address}:{}", protocol(of), number(port)), Some(number(port)))]
        }
        Service::Fwmark { mark, .. } => vec![(format!("-f {mark}"), None)],
        Service::Group { name, protocol: of, .. } => {
            let group = config.virtual_server_groups.iter().find(|group| group.name == *name).unwrap();
            let entry = |entry: &GroupEntry| match entry {
                GroupEntry::Fwmark { mark, .. } => vec![(format!("-f {mark}"), None)],
                GroupEntry::Addresses { first: IpAddr::V4(first), last: IpAddr::V4(last), port } => {
                    let addresses = (first.to_bits()..=last.to_bits()).map(Ipv4Addr::from_bits);
                    let service = |address| format!("{} {address}:{}", protocol(of.as_ref().unwrap()), number(port));
                    addresses.map(|address| (service(address), Some(number(port)))).collect()
                }
                GroupEntry::Addresses { .. } => panic!("the sample has IPv4 ranges only"),
            };
            group.entries.iter().flat_map(entry).collect()
        }
    }
}

fn service_options(service: &Service, settings: &ServiceSettings) -> String {
    let mut out = String::new();
    if matches!(service, Service::Fwmark { family: keepalived_core::vrrp::Family::V6, .. }) {
        out += " -6";
    }
    out += &format!(" -s {}", settings.scheduler.name());
    if let Some(timeout) = settings.persistence_timeout {
        out += &format!(" -p {}", timeout.as_secs());
    }
    if let Some(Granularity::V4(mask)) = settings.persistence_granularity {
        out += &format!(" -M {mask}");
    }
    if settings.one_packet {
        out += " -o";
    }
    if settings.scheduler == Scheduler::Sh && settings.flags.flag_2 {
        out += " -b sh-port";
    }
    out
}

fn server(real: &RealServer, port: Option<u16>, is_group: bool) -> String {
    let address = match real.address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    };
    // without NAT a server behind a group has the port of each member
    let of_service = port.filter(|_| is_group && !real.settings.forwarding.translates_ports());
    let port = of_service.unwrap_or(real.port.map_or(0, NonZeroU16::get));
    let (flag, options) = match real.settings.forwarding {
        Forwarding::Nat => ("-m", String::new()),
        Forwarding::Dr => ("-g", String::new()),
        Forwarding::Tun(Tunnel::Ipip) => ("-i", " --tun-type ipip".to_owned()),
        Forwarding::Tun(Tunnel::Gue { port, checksum: TunnelChecksum::None }) => {
            ("-i", format!(" --tun-type gue --tun-port {port} --tun-nocsum"))
        }
        Forwarding::Tun(_) => panic!("not in the sample"),
    };
    format!("-r {address}:{port} {flag} -w {}{options}", real.settings.weight)
}

#[test]
fn the_table_is_the_one_that_keepalived_made() {
    let config = text(include_str!("data/observed/p2.conf")).config;
    let mut seen = Vec::new();
    for virtual_server in &config.virtual_servers {
        let is_group = matches!(virtual_server.service, Service::Group { .. });
        for (name, port) in services(&config, &virtual_server.service) {
            seen.push(format!("-A {name}{}", service_options(&virtual_server.service, &virtual_server.settings)));
            let servers = virtual_server.real_servers.iter().map(|real| server(real, port, is_group));
            seen.extend(servers.map(|server| format!("-a {name} {server}")));
        }
    }
    seen.sort_unstable();
    let table = include_str!("data/observed/p2.ipvsadm");
    // ipvsadm repeats the family of a mark with each of its servers
    let mut expected: Vec<String> = table.lines().map(|line| line.replace("-a -f 8 -6", "-a -f 8")).collect();
    expected.sort_unstable();
    assert_eq!(seen, expected);
}
