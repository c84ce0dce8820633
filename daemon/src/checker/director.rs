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
    before: Option<Timeouts>,
}

impl Remembrance {
    /// Begins; the process before this one, which died, may have known what there was before it.
    pub(super) const fn new(before: Option<Timeouts>) -> Self {
        Self { before }
    }

    /// What there was before us, if anything was changed or is about to be.
    pub(super) const fn before(&self) -> Option<Timeouts> {
        self.before
    }

    /// Looks what there is before [`Self::apply`] changes it for the first time.
    pub(super) fn look(&mut self, balancing: &Balancing) {
        let Balancing { tcp_timeout, tcp_fin_timeout, udp_timeout, backend, .. } = *balancing;
        let says_something = [tcp_timeout, tcp_fin_timeout, udp_timeout].iter().any(Option::is_some);
        if self.before.is_none() && says_something && backend != Backend::Nftables {
            match within(balancing, Ipvs::open).and_then(|mut ipvs| ipvs.timeouts()) {
                Ok(timeouts) => self.before = Some(timeouts),
                Err(error) => tracing::error!("lvs_timeouts: {error}"),
            }
        }
    }

    /// Makes it what the configuration says.
    pub(super) fn apply(&self, balancing: &Balancing) {
        let Some(before) = self.before else { return };
        let wanted = Timeouts {
            tcp: balancing.tcp_timeout.unwrap_or(before.tcp),
            tcp_fin: balancing.tcp_fin_timeout.unwrap_or(before.tcp_fin),
            udp: balancing.udp_timeout.unwrap_or(before.udp),
        };
        if let Err(error) = set(balancing, wanted) {
            tracing::error!("lvs_timeouts: {error}");
        }
    }

    /// The end: as it was before us.
    pub(super) fn end(&mut self, balancing: &Balancing) {
        if let Some(before) = self.before.take()
            && let Err(error) = set(balancing, before)
        {
            tracing::error!("lvs_timeouts: what was there before could not be set: {error}");
        }
    }
}

fn set(balancing: &Balancing, timeouts: Timeouts) -> io::Result<()> {
    within(balancing, Ipvs::open)?.set_timeouts(timeouts)
}
