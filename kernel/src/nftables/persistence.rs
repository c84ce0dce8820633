//! How a client stays with its server.

use std::net::IpAddr;

use keepalived_core::balance::{Granularity, ServiceEntry, ServiceKey};
use keepalived_core::vrrp::Family;

use super::names;
use super::packet::{CLIENT, PLACE, SERVER, Server, load_source, only_family, only_protocol, put_server, redirect};
use crate::netlink::codec::Batch;

/// How a service remembers its clients: a set of those that were there in time, and a map to their servers, which knows
/// them a second longer. So who is in the set is in the map, and is not given another server while it is refreshed.
/// nft 1.0.6 crashes when it lists rules that put into a map what they have found in one.
pub(super) struct Persistence<'a> {
    key: &'a ServiceKey,
    milliseconds: u64,
    mask: Option<Vec<u8>>,
}

impl<'a> Persistence<'a> {
    pub(super) fn of(key: &'a ServiceKey, service: &ServiceEntry) -> Option<Self> {
        // no time at all would be for ever
        let milliseconds = u64::try_from(service.persistence?.as_millis()).unwrap_or(u64::MAX).max(1);
        let mask = match (service.granularity, key.family()) {
            (Some(Granularity::V4(mask)), Family::V4) => Some(mask.octets().to_vec()),
            (Some(Granularity::V6(prefix)), Family::V6) if prefix < 128 => {
                let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
                Some(mask.to_be_bytes().to_vec())
            }
            _ => None,
        };
        Some(Self { key, milliseconds, mask })
    }

    pub(super) fn load_client(&self, it: &mut Batch) {
        only_family(it, self.key.family());
        load_source(it, self.key.family(), CLIENT);
        if let Some(mask) = &self.mask {
            it.mask(CLIENT, CLIENT, mask);
        }
    }

    /// Redirects a client that was there in time. `any` is what the map would be told if it did not know the client.
    pub(super) fn known(&self, it: &mut Batch, with_port: bool, any: Option<Server>) {
        only_protocol(it, self.key, with_port);
        self.load_client(it);
        it.in_set(&names::recent_of(self.key, with_port), CLIENT, false);
        self.remember_recent(it, with_port);
        if let Some(any) = any.filter(|(_, port)| port.is_some() == with_port) {
            self.remember(it, with_port, any);
        } else {
            // nobody to fall back to
            let nobody: IpAddr = if self.key.family() == Family::V4 { [0; 4].into() } else { [0_u8; 16].into() };
            self.remember(it, with_port, (nobody, with_port.then_some(0)));
        }
        it.look_up(&names::clients_of(self.key, with_port), CLIENT, Some(SERVER));
        redirect(it, self.key.family(), with_port);
    }

    /// Redirects a client that the map knows.
    pub(super) fn redirect(&self, it: &mut Batch, with_port: bool) {
        only_protocol(it, self.key, with_port);
        self.load_client(it);
        it.look_up(&names::clients_of(self.key, with_port), CLIENT, Some(SERVER));
        redirect(it, self.key.family(), with_port);
    }

    pub(super) fn remember_recent(&self, it: &mut Batch, with_port: bool) {
        it.remember(&names::recent_of(self.key, with_port), CLIENT, None, self.milliseconds);
    }

    pub(super) fn remember(&self, it: &mut Batch, with_port: bool, server: Server) {
        const LONGER: u64 = 1000;
        put_server(it, PLACE, server);
        let milliseconds = self.milliseconds.saturating_add(LONGER);
        it.remember(&names::clients_of(self.key, with_port), CLIENT, Some(PLACE), milliseconds);
    }
}
