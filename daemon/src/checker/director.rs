//! Which load balancer of the kernel is used, and how it is set up.

use std::io;

use keepalived_config::model::{Backend, Balancing, IpvsNamespace};
use keepalived_kernel::director::Director;
use keepalived_kernel::ipvs::{Ipvs, Timeouts};
use keepalived_kernel::nftables::Nftables;
use keepalived_kernel::process::NetworkNamespace;

/// Opens the load balancer that `balancing` asks for.
///
/// # Errors
/// The kernel has none, or does not let us.
pub(super) fn open(balancing: &Balancing) -> io::Result<Box<dyn Director>> {
    let here = match &balancing.namespace {
        IpvsNamespace::Ours | IpvsNamespace::Default => None,
        IpvsNamespace::Named(name) => {
            let here = NetworkNamespace::current()?;
            NetworkNamespace::named(name)?.enter()?;
            Some(here)
        }
    };
    let opened = choose(balancing);
    // sockets stay where they were opened; checks are made from where we are
    if let Some(here) = here {
        here.enter()?;
    }
    opened
}

fn choose(balancing: &Balancing) -> io::Result<Box<dyn Director>> {
    match balancing.backend {
        Backend::Ipvs => ipvs(balancing),
        Backend::Nftables => nftables(),
        Backend::Auto => ipvs(balancing).or_else(|error| {
            tracing::info!("IPVS: {error}; balancing by rules of nftables instead");
            nftables()
        }),
    }
}

fn ipvs(balancing: &Balancing) -> io::Result<Box<dyn Director>> {
    let mut ipvs = Ipvs::open()?;
    let Balancing { tcp_timeout, tcp_fin_timeout, udp_timeout, .. } = *balancing;
    if [tcp_timeout, tcp_fin_timeout, udp_timeout].iter().any(Option::is_some) {
        let there = ipvs.timeouts()?;
        ipvs.set_timeouts(Timeouts {
            tcp: tcp_timeout.unwrap_or(there.tcp),
            tcp_fin: tcp_fin_timeout.unwrap_or(there.tcp_fin),
            udp: udp_timeout.unwrap_or(there.udp),
        })?;
    }
    Ok(Box::new(ipvs))
}

fn nftables() -> io::Result<Box<dyn Director>> {
    Ok(Box::new(Nftables::open(Nftables::TABLE)?))
}
