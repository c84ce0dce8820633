//! Which load balancer of the kernel is used, and how it is set up.

use std::io;

use keepalived_config::model::{Backend, Balancing, Config, Global, IpvsNamespace, RealServerSettings};
use keepalived_core::balance::Unsupported;
use keepalived_kernel::director::Director;
use keepalived_kernel::ipvs::{Expiry, Ipvs, Timeouts};
use keepalived_kernel::marks;
use keepalived_kernel::nftables::Nftables;
use keepalived_kernel::process::NetworkNamespace;
use keepalived_kernel::shortage::is_shortage;

use super::names;
use crate::message::Cleanup;

/// Opens the load balancer that `config` asks for.
///
/// # Errors
/// The kernel has none, or does not let us.
pub(super) fn open(config: &Config) -> io::Result<Box<dyn Director>> {
    within(&config.global.balancing, || choose(config))
}

/// Opens something in the network namespace of the load balancer.
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
    // a socket stays in the namespace where it was opened; checks run in ours
    if let Some(here) = here {
        here.enter()?;
    }
    opened
}

/// Removes what marked packets for a checker process that has ended without doing so.
///
/// # Errors
/// The kernel refuses.
pub(crate) fn remove_marks(global: &Global) -> io::Result<()> {
    match super::marks::table(global) {
        Some(table) if global.balancing.backend != Backend::Nftables => {
            within(&global.balancing, || marks::remove(&table))
        }
        _ => Ok(()),
    }
}

fn choose(config: &Config) -> io::Result<Box<dyn Director>> {
    match config.global.balancing.backend {
        Backend::Ipvs => ipvs(config),
        Backend::Nftables => nftables(),
        Backend::Auto => ipvs(config).or_else(|error| {
            // the error says nothing about IPVS, and its table may be full
            if is_shortage(&error) {
                return Err(error);
            }
            match needs_ipvs(config) {
                None => tracing::info!("IPVS: {error}; balancing by rules of nftables instead"),
                Some(what) => tracing::warn!("IPVS: {error}; balancing by rules of nftables instead, and {what}"),
            }
            nftables()
        }),
    }
}

/// Something in this configuration that nftables cannot do, in words.
fn needs_ipvs(config: &Config) -> Option<String> {
    let Balancing { sync_daemon, tcp_timeout, tcp_fin_timeout, udp_timeout, expire_failed, .. } =
        &config.global.balancing;
    if sync_daemon.is_some() {
        return Some("lvs_sync_daemon needs IPVS".to_owned());
    }
    if [tcp_timeout, tcp_fin_timeout, udp_timeout].iter().any(|timeout| timeout.is_some()) {
        return Some("lvs_timeouts needs IPVS".to_owned());
    }
    if *expire_failed == Some(true) {
        return Some("lvs_expire_failed needs IPVS".to_owned());
    }
    config.virtual_servers.iter().find_map(|service| {
        let settings = &service.settings;
        let servers = || service.real_servers.iter().map(|server| &server.settings);
        let in_server = |server: &RealServerSettings| {
            Unsupported::in_server(server.forwarding, [server.upper_threshold, server.lower_threshold])
        };
        let what = Unsupported::in_service(settings.one_packet, settings.persistence_engine.as_deref())
            .or_else(|| servers().find_map(in_server))
            .or_else(|| Unsupported::in_servers(servers().map(|server| server.forwarding)))?;
        Some(format!("{what} (virtual_server {})", names::of_service(&service.service)))
    })
}

fn ipvs(config: &Config) -> io::Result<Box<dyn Director>> {
    let mut ipvs = Ipvs::open()?;
    if let Some(table) = super::marks::table(&config.global)
        && let Err(error) = ipvs.marks_in(&table)
    {
        tracing::warn!("nftables_ipvs: {error}; each address of a group is a service");
    }
    Ok(Box::new(ipvs))
}

fn nftables() -> io::Result<Box<dyn Director>> {
    Ok(Box::new(Nftables::open(Nftables::TABLE)?))
}

/// The kernel's values of `lvs_timeouts` and `lvs_expire_failed` from before us. They are restored at the end, and as soon as the
/// configuration sets nothing.
#[derive(Debug)]
pub(super) struct KernelSettings {
    timeouts: Option<Timeouts>,
    expiry: Option<Expiry>,
}

impl KernelSettings {
    /// Begins with the values that a process before this one has found, if it died.
    pub(super) const fn new(cleanup: &Cleanup) -> Self {
        Self { timeouts: cleanup.timeouts, expiry: cleanup.expiry }
    }

    /// Puts the values from before us into `cleanup`.
    pub(super) const fn add_to(&self, cleanup: &mut Cleanup) {
        cleanup.timeouts = self.timeouts;
        cleanup.expiry = self.expiry;
    }

    /// Reads the kernel's values before [`Self::apply`] changes them for the first time.
    pub(super) fn look(&mut self, balancing: &Balancing) {
        let Balancing { tcp_timeout, tcp_fin_timeout, udp_timeout, backend, expire_failed, .. } = *balancing;
        if backend == Backend::Nftables {
            return;
        }
        let says_something = [tcp_timeout, tcp_fin_timeout, udp_timeout].iter().any(Option::is_some);
        if self.timeouts.is_none() && says_something {
            let timeouts = within(balancing, Ipvs::open).and_then(|mut ipvs| ipvs.timeouts());
            self.timeouts = timeouts.map_err(|error| tracing::error!("lvs_timeouts: {error}")).ok();
        }
        if self.expiry.is_none() && expire_failed == Some(true) {
            let expiry = within(balancing, Expiry::read);
            self.expiry = expiry.map_err(|error| tracing::error!("lvs_expire_failed: {error}")).ok();
        }
    }

    /// Sets the values that the configuration asks for.
    pub(super) fn apply(&self, balancing: &Balancing) {
        if let Some(before) = self.timeouts {
            let wanted = Timeouts {
                tcp: balancing.tcp_timeout.unwrap_or(before.tcp),
                tcp_fin: balancing.tcp_fin_timeout.unwrap_or(before.tcp_fin),
                udp: balancing.udp_timeout.unwrap_or(before.udp),
            };
            if let Err(error) = set_timeouts(balancing, wanted) {
                tracing::error!("lvs_timeouts: {error}");
            }
        }
        if let Some(before) = self.expiry {
            let is_on = balancing.expire_failed == Some(true);
            let wanted = if is_on { Expiry { removed: true, quiescent: true } } else { before };
            if let Err(error) = within(balancing, || wanted.set()) {
                tracing::error!("lvs_expire_failed: {error}");
            }
        }
    }

    /// Restores the values from before us.
    pub(super) fn end(&mut self, balancing: &Balancing) {
        if let Some(before) = self.timeouts.take()
            && let Err(error) = set_timeouts(balancing, before)
        {
            tracing::error!("lvs_timeouts: cannot restore the values from before: {error}");
        }
        if let Some(before) = self.expiry.take()
            && let Err(error) = within(balancing, || before.set())
        {
            tracing::error!("lvs_expire_failed: cannot restore the values from before: {error}");
        }
    }
}

fn set_timeouts(balancing: &Balancing, timeouts: Timeouts) -> io::Result<()> {
    within(balancing, Ipvs::open)?.set_timeouts(timeouts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::from_text;

    #[test]
    fn a_configuration_that_needs_ipvs_says_what_for() {
        let check = |global: &str, lines: &str, servers: &str, expected: Option<&str>| {
            let text = format!(
                "global_defs {{\n{global}\n}}\nvirtual_server 192.0.2.1 80 {{\nlvs_sched rr\n{lines}\n{servers}\n}}\n"
            );
            let found = needs_ipvs(&from_text(&text));
            assert_eq!(found.is_some(), expected.is_some(), "{text}: {found:?}");
            assert!(found.is_none_or(|found| found.contains(expected.unwrap_or_default())), "{text}");
        };
        let server = |last: u8, lines: &str| format!("real_server 10.0.0.{last} 80 {{\n{lines}\n}}\n");
        check("", "lvs_method NAT", &server(1, ""), None);
        check("", "lvs_method DR", &server(1, ""), None);
        check("", "lvs_method TUN", &server(1, ""), Some("TUN"));
        check("", "lvs_method NAT", &(server(1, "") + &server(2, "lvs_method DR")), Some("NAT and DR"));
        check("", "lvs_method NAT", &server(1, "uthreshold 5"), Some("uthreshold"));
        check("", "protocol UDP\nlvs_method NAT\nops", &server(1, ""), Some("ops"));
        check("", "protocol UDP\nlvs_method NAT\npersistence_engine sip", &server(1, ""), Some("persistence_engine"));
        check("lvs_expire_failed", "lvs_method NAT", &server(1, ""), Some("lvs_expire_failed"));
        check("lvs_expire_failed off", "lvs_method NAT", &server(1, ""), None);
        check("lvs_timeouts tcp 60", "lvs_method NAT", &server(1, ""), Some("lvs_timeouts"));
    }
}
