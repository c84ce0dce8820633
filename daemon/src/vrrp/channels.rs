//! The channels that adverts go through: which are open, who uses them, and which have to be opened or closed.
//!
//! Nothing here opens a socket: joining a multicast group, and leaving it, wait for the kernel's lock for links.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use keepalived_config::model::{BufferPolicy, Global};
use keepalived_core::network::{LinkIndex, NetworkTable};
use keepalived_core::vrrp::{Family, advert, ipv4};
use keepalived_kernel::packets::{BufferSize, Channel, ChannelId};

use super::slot::Slot;

/// Octets that one waiting advert takes in a socket's buffer, generously (Linux accounts the whole skb).
const OCTETS_PER_ADVERT: u32 = 2_048;
/// Adverts of each instance that a channel's buffer has room for.
const ADVERTS_PER_INSTANCE: u32 = 8;
/// A channel's receive buffer at least, and at most.
const BUFFER: std::ops::RangeInclusive<u32> = 262_144..=67_108_864;

/// All channels of the process.
#[derive(Debug, Default)]
pub(super) struct Channels {
    open: BTreeMap<Channel, Open>,
    /// Open channels that had no user when that was last noted.
    unused: BTreeSet<Channel>,
    /// Those that no thread has begun to open, in this order.
    wanted: BTreeSet<Channel>,
    /// The instances that wait for a channel to be opened.
    waiting: BTreeMap<Channel, Vec<usize>>,
    /// Instances by channel and VRID; more than one only for unicast with different peers.
    dispatch: HashMap<(ChannelId, u8), Vec<usize>>,
}

#[derive(Debug)]
struct Open {
    id: ChannelId,
    users: usize,
}

impl Channels {
    /// Puts an instance on an open channel; `None` if it is not open.
    pub(super) fn enter(&mut self, instance: usize, vrid: u8, channel: &Channel) -> Option<ChannelId> {
        let open = self.open.get_mut(channel)?;
        open.users += 1;
        self.dispatch.entry((open.id, vrid)).or_default().push(instance);
        Some(open.id)
    }

    /// Takes it off again.
    pub(super) fn leave(&mut self, instance: usize, vrid: u8, channel: &Channel) {
        let Some(open) = self.open.get_mut(channel) else { return };
        open.users = open.users.saturating_sub(1);
        if open.users == 0 {
            self.unused.insert(channel.clone());
        }
        let key = (open.id, vrid);
        if let Some(listed) = self.dispatch.get_mut(&key) {
            listed.retain(|listed| *listed != instance);
            if listed.is_empty() {
                self.dispatch.remove(&key);
            }
        }
    }

    /// An instance waits for a channel that is not open.
    pub(super) fn want(&mut self, instance: usize, channel: &Channel) {
        let waiting = self.waiting.entry(channel.clone()).or_insert_with(|| {
            self.wanted.insert(channel.clone());
            Vec::new()
        });
        if !waiting.contains(&instance) {
            waiting.push(instance);
        }
    }

    /// The channels to be opened next, at most so many. Each is asked for until [`Channels::opened`].
    pub(super) fn take_wanted(&mut self, most: usize) -> Vec<Channel> {
        std::iter::from_fn(|| self.wanted.pop_first()).take(most).collect()
    }

    /// The channels to be closed: those without users. They are not open any more.
    pub(super) fn take_unused(&mut self) -> Vec<ChannelId> {
        let unused = std::mem::take(&mut self.unused);
        let without_users = unused.iter().filter(|channel| self.open.get(channel).is_some_and(|open| open.users == 0));
        let without_users: Vec<&Channel> = without_users.collect();
        without_users.into_iter().filter_map(|channel| Some(self.open.remove(channel)?.id)).collect()
    }

    /// Whether something has to be opened or closed.
    pub(super) fn owe_work(&self) -> bool {
        !self.wanted.is_empty() || !self.unused.is_empty()
    }

    /// A channel was opened, or could not be (`None`). Returns who waited for it, and may not any more.
    pub(super) fn opened(&mut self, channel: &Channel, id: Option<ChannelId>) -> Vec<usize> {
        if let Some(id) = id {
            self.open.insert(channel.clone(), Open { id, users: 0 });
            self.unused.insert(channel.clone());
        }
        self.waiting.remove(channel).unwrap_or_default()
    }

    /// The instances that adverts with this VRID on this channel are for.
    pub(super) fn listeners(&self, channel: ChannelId, vrid: u8) -> &[usize] {
        self.dispatch.get(&(channel, vrid)).map_or(&[], Vec::as_slice)
    }

    /// Whether it has no user any more, and is about to be closed.
    pub(super) fn is_unused(&self, id: ChannelId) -> bool {
        let without_users = |open: &Open| open.id == id && open.users == 0;
        self.unused.iter().any(|channel| self.open.get(channel).is_some_and(without_users))
    }

    /// All that are open.
    pub(super) fn open(&self) -> impl Iterator<Item = (&Channel, ChannelId)> {
        self.open.iter().map(|(channel, open)| (channel, open.id))
    }

    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        self.open.len() + self.dispatch.len() + self.waiting.len()
    }
}

/// How large receive buffers are: room for a burst of every instance at once. Default buffers overflow with 250 instances, and
/// what is lost there looks like a silent master.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    /// A policy decides for instances that say nothing themselves: it never gives less room than we would.
    by_policy: bool,
    counts: BTreeMap<(Family, Option<LinkIndex>), Users>,
    totals: BTreeMap<Family, Users>,
}

/// What `vrrp_rx_bufs_policy` and `vrrp_rx_bufs_multiplier` say of instances without `kernel_rx_buf_size`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum BufferRule {
    /// Nothing.
    #[default]
    Ours,
    /// So many octets for each instance.
    Octets(u32),
    /// So many octets for each octet of a policy.
    Policy(BufferPolicy, u32),
}

impl BufferRule {
    pub(super) fn of(global: &Global) -> Self {
        match (global.vrrp_rx_buffer, global.vrrp_rx_policy) {
            (Some(octets), _) => Self::Octets(octets),
            (None, Some(policy)) => Self::Policy(policy, global.vrrp_rx_multiplier),
            (None, None) => Self::Ours,
        }
    }

    /// Octets for an instance.
    fn octets(self, slot: &Slot, table: &NetworkTable) -> u32 {
        match self {
            Self::Ours => 0,
            Self::Octets(octets) => octets,
            Self::Policy(policy, multiplier) => {
                let one = match policy {
                    BufferPolicy::Mtu => slot.carrier.and_then(|link| table.by_index(link)).map_or(0, |link| link.mtu),
                    BufferPolicy::Advert => {
                        let params = slot.router.params();
                        let header = if params.settings.family == Family::V4 { ipv4::HEADER_LENGTH } else { 0 };
                        u32::try_from(advert::length(params) + header).unwrap_or(u32::MAX)
                    }
                };
                one.saturating_mul(multiplier)
            }
        }
    }
}

/// Instances on a link, and the octets that are configured for them.
#[derive(Clone, Copy, Default, Debug)]
struct Users {
    instances: u32,
    octets: u32,
}

impl Users {
    const fn add(&mut self, other: Self) {
        self.instances = self.instances.saturating_add(other.instances);
        self.octets = self.octets.saturating_add(other.octets);
    }
}

impl Buffers {
    /// For these instances.
    pub(super) fn of<'a>(rule: BufferRule, slots: impl Iterator<Item = &'a Slot>, table: &NetworkTable) -> Self {
        let by_policy = matches!(rule, BufferRule::Policy(..));
        let mut buffers = Self { by_policy, ..Self::default() };
        for slot in slots {
            let own = slot.instance.rx_buffer.filter(|octets| *octets > 0);
            let one = Users { instances: 1, octets: own.unwrap_or_else(|| rule.octets(slot, table)) };
            let family = slot.instance.settings.family;
            buffers.counts.entry((family, slot.carrier)).or_default().add(one);
            buffers.totals.entry(family).or_default().add(one);
        }
        buffers
    }

    /// Of this channel.
    pub(super) fn size(&self, channel: &Channel) -> BufferSize {
        let on = |link| self.counts.get(&(channel.family, link)).copied().unwrap_or_default();
        let mut users = on(None);
        match channel.link {
            None => users = self.totals.get(&channel.family).copied().unwrap_or_default(),
            Some(_) => users.add(on(channel.link)),
        }
        let each = OCTETS_PER_ADVERT * ADVERTS_PER_INSTANCE;
        let enough = users.instances.saturating_mul(each).clamp(*BUFFER.start(), *BUFFER.end());
        let least = if self.by_policy || users.octets == 0 { enough } else { *BUFFER.start() };
        BufferSize(users.octets.max(least))
    }
}
