//! Links as the bfd process hears of them: one that is down takes its sessions along, and one that is named has a number.
//!
//! Nothing here waits for the kernel's lock for links: all links are never read. What gets lost among too many events is found by the
//! detection time.

use std::collections::BTreeMap;

use keepalived_core::address::InterfaceName;
use keepalived_core::network::{LinkIndex, NetworkEvent};
use keepalived_core::time::Instant;
use keepalived_kernel::netlink::Rtnetlink;
use keepalived_kernel::network::{Network as _, link_named};
use keepalived_kernel::packets::BufferSize;
use keepalived_kernel::reactor::{Interest, Reactor, Token};

use super::engine::Engine;

/// Where the socket announces itself.
pub(super) const TOKEN: Token = Token(5);

/// Room for some thousand events.
const BUFFER: BufferSize = BufferSize(1024 * 1024);

/// The socket, and the interfaces that sessions name.
#[derive(Debug)]
pub(super) struct Links {
    socket: Option<Rtnetlink>,
    named: BTreeMap<InterfaceName, Option<LinkIndex>>,
    events: Vec<NetworkEvent>,
}

impl Links {
    /// Opens the socket; needs no right.
    pub(super) fn open(reactor: &mut Reactor) -> Self {
        let opened = Rtnetlink::of_links(BUFFER).and_then(|socket| {
            reactor.register(socket.monitor_fd(), TOKEN, Interest::Read)?;
            Ok(socket)
        });
        let socket = opened
            .inspect_err(|error| {
                tracing::warn!(
                    "BFD hears nothing of interfaces ({error}): sessions on one that goes down end with their detection time"
                );
            })
            .ok();
        Self { socket, named: BTreeMap::new(), events: Vec::new() }
    }

    /// Looks for the interfaces that sessions name. True if one has another number than before.
    pub(super) fn look(&mut self, now: Instant, engine: &mut Engine) -> bool {
        let names = engine.interfaces();
        self.named.retain(|name, _| names.contains(name));
        let changes = names.into_iter().map(|name| self.set(now, name, link_named(name), engine));
        changes.fold(false, |before, changed| before | changed)
    }

    /// Hears what happened to links. True if an interface that a session names has another number.
    pub(super) fn hear(&mut self, now: Instant, engine: &mut Engine) -> bool {
        let Some(socket) = &mut self.socket else { return false };
        let mut events = std::mem::take(&mut self.events);
        // what does not fit into this turn wakes us again
        socket.events(&mut events);
        let mut changed = false;
        for event in events.drain(..) {
            match event {
                NetworkEvent::Link(link) => {
                    if !link.running {
                        engine.link_down(now, link.index);
                    }
                    changed |= self.is_called(now, link.index, Some(link.name), engine);
                }
                NetworkEvent::LinkRemoved(index) => {
                    engine.link_down(now, index);
                    changed |= self.is_called(now, index, None, engine);
                }
                NetworkEvent::Overrun => changed |= self.look(now, engine),
                NetworkEvent::Address(_)
                | NetworkEvent::AddressRemoved { .. }
                | NetworkEvent::Route(_)
                | NetworkEvent::RouteRemoved(_)
                | NetworkEvent::Rule(_)
                | NetworkEvent::RuleRemoved(_)
                | NetworkEvent::ReversePathFilter { .. }
                | NetworkEvent::FirewallLost(_) => {}
            }
        }
        self.events = events;
        changed
    }

    /// A link has this name now, or is gone.
    fn is_called(&mut self, now: Instant, index: LinkIndex, name: Option<InterfaceName>, engine: &mut Engine) -> bool {
        let before: Vec<_> =
            self.named.iter().filter(|(_, link)| **link == Some(index)).map(|(name, _)| *name).collect();
        let mut changed = false;
        for old in before.into_iter().filter(|old| Some(*old) != name) {
            changed |= self.set(now, old, None, engine);
        }
        if let Some(name) = name.filter(|name| self.named.contains_key(name)) {
            changed |= self.set(now, name, Some(index), engine);
        }
        changed
    }

    fn set(&mut self, now: Instant, name: InterfaceName, link: Option<LinkIndex>, engine: &mut Engine) -> bool {
        // also if it is the same: sessions that a reload brought do not know it
        engine.set_interface(now, name, link);
        self.named.insert(name, link).flatten() != link
    }
}
