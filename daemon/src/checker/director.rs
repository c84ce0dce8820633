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
    within(balancing, || choose(balancing))
}

/// Opens something where the load balancer is.
fn within<T>(balancing: &Balancing, open: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let here = match &balancing.namespace {
        IpvsNamespace::Ours | IpvsNamespace::Default => None,
        IpvsNamespace::Named(name) => {
            let here = NetworkNamespace::current()?;
            NetworkNamespace::named(name)?.enter()?;
            Some(here)
        }
    };
    let opened = open();
    // sockets stay where they were opened; checks are made from where we are
    if let Some(here) = here {
        here.enter()?;
    }
    opened
}

fn choose(balancing: &Balancing) -> io::Result<Box<dyn Director>> {
    match balancing.backend {
        Backend::Ipvs => ipvs(),
        Backend::Nftables => nftables(),
        Backend::Auto => ipvs().or_else(|error| {
            tracing::info!("IPVS: {error}; balancing by rules of nftables instead");
            nftables()
        }),
    }
}

fn ipvs() -> io::Result<Box<dyn Director>> {
    Ok(Box::new(Ipvs::open()?))
}

fn nftables() -> io::Result<Box<dyn Director>> {
    Ok(Box::new(Nftables::open(Nftables::TABLE)?))
}

/// `lvs_timeouts`, and what the kernel had before us: that is there again at the end, and as soon as the configuration says
/// nothing.
#[derive(Debug, Default)]
pub(super) struct Remembrance {
    before: Option<(Ipvs, Timeouts)>,
}

impl Remembrance {
    /// Makes it what the configuration says.
    pub(super) fn apply(&mut self, balancing: &Balancing) {
        if let Err(error) = self.try_apply(balancing) {
            tracing::error!("lvs_timeouts: {error}");
        }
    }

    fn try_apply(&mut self, balancing: &Balancing) -> io::Result<()> {
        let Balancing { tcp_timeout, tcp_fin_timeout, udp_timeout, backend, .. } = *balancing;
        let says_something = [tcp_timeout, tcp_fin_timeout, udp_timeout].iter().any(Option::is_some);
        let (ipvs, before) = match &mut self.before {
            Some(known) => known,
            None if says_something && backend != Backend::Nftables => {
                let mut ipvs = within(balancing, Ipvs::open)?;
                let before = ipvs.timeouts()?;
                self.before.insert((ipvs, before))
            }
            None => return Ok(()),
        };
        ipvs.set_timeouts(Timeouts {
            tcp: tcp_timeout.unwrap_or(before.tcp),
            tcp_fin: tcp_fin_timeout.unwrap_or(before.tcp_fin),
            udp: udp_timeout.unwrap_or(before.udp),
        })
    }

    /// The end: as it was before us.
    pub(super) fn end(&mut self) {
        if let Some((mut ipvs, before)) = self.before.take()
            && let Err(error) = ipvs.set_timeouts(before)
        {
            tracing::error!("lvs_timeouts: what was there before could not be set: {error}");
        }
    }
}
