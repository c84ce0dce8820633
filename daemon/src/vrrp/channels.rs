//! The channels that adverts go through: which are open, who uses them, and which have to be opened or closed.
//!
//! Nothing here opens a socket: joining a multicast group, and leaving it, wait for the kernel's lock for links.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use keepalived_core::network::LinkIndex;
use keepalived_core::vrrp::Family;
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
    /// `vrrp_rx_buf_size`, if it is configured.
    default: Option<u32>,
    counts: BTreeMap<(Family, Option<LinkIndex>), Users>,
    totals: BTreeMap<Family, Users>,
}

/// Instances on a link, and the octets that `rx_buf_size` asks for each.
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
    pub(super) fn of<'a>(default: Option<u32>, slots: impl Iterator<Item = &'a Slot>) -> Self {
        let mut buffers = Self { default, ..Self::default() };
        for slot in slots {
            let one = Users { instances: 1, octets: slot.instance.rx_buffer.unwrap_or(0) };
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
        BufferSize(match (self.default, users.octets) {
            (None, 0) => enough,
            (default, configured) => default.unwrap_or(0).saturating_add(configured).max(*BUFFER.start()),
        })
    }
}
