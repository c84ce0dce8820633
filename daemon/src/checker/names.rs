//! Names of virtual and real servers in log lines and FIFOs (interfaces.md section 2): scripts read both.

use std::fmt::Write as _;

use keepalived_config::model::{Service, VirtualServer};
use keepalived_core::balance::{Place, Protocol};

/// `[192.0.2.1]:tcp:80`, `FWM 7`, `[group]:0`
pub(crate) fn of_service(service: &Service) -> String {
    match service {
        Service::Address { address, port, protocol } => {
            format!("[{address}]:{}:{}", word(Some(*protocol)), port.map_or(0, Into::into))
        }
        Service::Fwmark { mark, .. } => format!("FWM {mark}"),
        Service::Group { name, .. } => format!("[{name}]:0"),
    }
}

/// `[10.0.0.1]:tcp:80` of a virtual server.
pub(crate) fn of_server(server: &VirtualServer, place: Place) -> String {
    let protocol = match &server.service {
        Service::Address { protocol, .. } => Some(*protocol),
        Service::Group { protocol, .. } => *protocol,
        Service::Fwmark { .. } => None,
    };
    let mut name = format!("[{}]:{}:", place.address, word(protocol));
    // cannot fail: a String takes everything
    write!(name, "{}", place.port.map_or(0, Into::into)).ok();
    name
}

const fn word(protocol: Option<Protocol>) -> &'static str {
    match protocol {
        Some(Protocol::Tcp) => "tcp",
        Some(Protocol::Udp) => "udp",
        Some(Protocol::Sctp) => "sctp",
        None => "none",
    }
}
