//! Gratuitous ARP and unsolicited NA on their way out: round by round, at the pace that is configured, a bounded number
//! at a time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::ops::Range;
use std::time::Duration;

use keepalived_core::address::InterfaceName;
use keepalived_core::network::LinkIndex;
use keepalived_core::time::Instant;
use keepalived_core::vrrp::announce::Pacer;
use keepalived_core::vrrp::announce::frame::{self, Router};
use keepalived_kernel::packets::{Frame, Packets};

/// One address to be announced out of one link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Target {
    /// Out of this link.
    pub(super) link: LinkIndex,
    /// Link's name, for its pace.
    pub(super) name: InterfaceName,
    /// The MAC address that is announced.
    pub(super) mac: [u8; 6],
    /// The address.
    pub(super) address: IpAddr,
    /// Whether the machine forwards what comes in there; IPv6 neighbours want to know.
    pub(super) router: Router,
}

/// A burst that has begun.
#[derive(Debug)]
struct Burst {
    slot: usize,
    targets: Vec<Target>,
    rounds: u32,
    next: usize,
}

/// Who shares a pace: interfaces of a `garp_group`, or a single interface; ARP and NA apart.
type Lane = (String, bool);

/// How fast announcements may leave.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Pace {
    /// `vrrp_garp_interval`
    pub(super) garp: Duration,
    /// `vrrp_gna_interval`
    pub(super) gna: Duration,
    /// `garp_group`s: name of the lane, gaps.
    pub(super) groups: BTreeMap<InterfaceName, (String, Option<Duration>, Option<Duration>)>,
}

impl Pace {
    fn of(&self, target: &Target) -> (Lane, Duration) {
        let arp = target.address.is_ipv4();
        let default = if arp { self.garp } else { self.gna };
        match self.groups.get(&target.name) {
            Some((group, garp, gna)) => {
                let own = if arp { *garp } else { *gna };
                ((group.clone(), arp), own.unwrap_or(default))
            }
            None => ((target.name.to_string(), arp), default),
        }
    }
}

/// Announcements that wait for [`Neighbours::work`].
#[derive(Debug, Default)]
pub(super) struct Neighbours {
    bursts: VecDeque<Burst>,
    lanes: BTreeMap<Lane, Pacer<(usize, Target)>>,
    pace: Pace,
    octets: Vec<u8>,
    frames: Vec<(usize, Target, Range<usize>)>,
    failed: Vec<(usize, i32)>,
    /// What the kernel did not take, by router, link and address: owed at this time.
    again: BTreeMap<(usize, LinkIndex, IpAddr), (Instant, Target)>,
}

/// Bursts that wait at most. More than that leave more slowly than they come, and the next refresh makes up for those left out.
const MOST_BURSTS: usize = 20_000;
/// How soon what the kernel did not take is tried again.
const PAUSE: Duration = Duration::from_millis(100);

/// `ENXIO`, `ENODEV`, `ENETDOWN`: the link is gone or down. When it comes back its addresses are announced anyway.
const NO_LINK: [i32; 3] = [6, 19, 100];

impl Neighbours {
    /// Announcements leave at this pace from now on.
    pub(super) fn set_pace(&mut self, pace: Pace) {
        if self.pace != pace {
            self.pace = pace;
            self.lanes.clear();
        }
    }

    /// Announce `targets`, `rounds` times, for the router in `slot`.
    pub(super) fn announce(&mut self, slot: usize, targets: Vec<Target>, rounds: u32) {
        if !targets.is_empty() && rounds > 0 && self.bursts.len() < MOST_BURSTS {
            self.bursts.push_back(Burst { slot, targets, rounds, next: 0 });
        }
    }

    /// Forgets what waits for the router in `slot`: it left master.
    pub(super) fn cancel(&mut self, slot: usize) {
        self.bursts.retain(|burst| burst.slot != slot);
        self.again.retain(|(whose, _, _), _| *whose != slot);
        for pacer in self.lanes.values_mut() {
            pacer.retain(|(whose, _)| *whose != slot);
        }
    }

    /// Forgets what waits for the router in `slot` of these links and addresses: it does not have them any more.
    pub(super) fn withdraw(&mut self, slot: usize, gone: &BTreeSet<(LinkIndex, IpAddr)>) {
        let is_gone = |target: &Target| gone.contains(&(target.link, target.address));
        for burst in self.bursts.iter_mut().filter(|burst| burst.slot == slot) {
            let passed = burst.targets.iter().take(burst.next).filter(|target| is_gone(target)).count();
            burst.next -= passed;
            burst.targets.retain(|target| !is_gone(target));
            if burst.next >= burst.targets.len() && burst.next > 0 {
                burst.next = 0;
                burst.rounds -= 1;
            }
        }
        self.bursts.retain(|burst| burst.rounds > 0 && !burst.targets.is_empty());
        for pacer in self.lanes.values_mut() {
            pacer.retain(|(whose, target)| *whose != slot || !is_gone(target));
        }
        self.again.retain(|(whose, link, address), _| *whose != slot || !gone.contains(&(*link, *address)));
    }

    /// When [`Neighbours::work`] has something to do next.
    pub(super) fn next(&self) -> Option<Instant> {
        if !self.bursts.is_empty() {
            return Some(Instant::ZERO);
        }
        let again = self.again.values().map(|(at, _)| *at);
        self.lanes.values().filter_map(Pacer::next).chain(again).min()
    }

    /// Sends at most about `most` announcements. Returns how many the kernel did not take.
    pub(super) fn work(&mut self, now: Instant, most: usize, packets: &mut impl Packets) -> usize {
        for _ in 0..most {
            let Some(burst) = self.bursts.front_mut() else { break };
            let (slot, target) = (burst.slot, burst.targets.get(burst.next).copied());
            burst.next += 1;
            if burst.next >= burst.targets.len() {
                burst.next = 0;
                burst.rounds -= 1;
            }
            if burst.rounds == 0 {
                self.bursts.pop_front();
            }
            if let Some(target) = target {
                self.route(slot, target);
            }
        }
        let mut due = Vec::new();
        for pacer in self.lanes.values_mut() {
            due.extend(std::iter::from_fn(|| pacer.take(now)).take(most));
        }
        let again = self.again.extract_if(.., |_, (at, _)| *at <= now).take(most);
        due.extend(again.map(|((slot, _, _), (_, target))| (slot, target)).collect::<Vec<_>>());
        for (slot, target) in due {
            self.write(slot, &target);
        }
        self.flush(now, packets)
    }

    fn route(&mut self, slot: usize, target: Target) {
        let (lane, gap) = self.pace.of(&target);
        if gap.is_zero() {
            self.write(slot, &target);
        } else {
            self.lanes.entry(lane).or_insert_with(|| Pacer::new(gap)).push((slot, target));
        }
    }

    fn write(&mut self, slot: usize, target: &Target) {
        let start = self.octets.len();
        match target.address {
            IpAddr::V4(address) => frame::gratuitous_arp(&mut self.octets, target.mac, address),
            IpAddr::V6(address) => frame::neighbour_advertisement(&mut self.octets, target.mac, address, target.router),
        }
        self.frames.push((slot, *target, start..self.octets.len()));
    }

    fn flush(&mut self, now: Instant, packets: &mut impl Packets) -> usize {
        if self.frames.is_empty() {
            return 0;
        }
        let frames: Vec<Frame<'_>> = self
            .frames
            .iter()
            .map(|(_, target, octets)| Frame {
                link: target.link,
                octets: self.octets.get(octets.clone()).unwrap_or_default(),
            })
            .collect();
        self.failed.clear();
        packets.announce(&frames, &mut self.failed);
        for (place, errno) in &self.failed {
            if let Some((slot, target, _)) = self.frames.get(*place)
                && !NO_LINK.contains(errno)
            {
                self.again.insert((*slot, target.link, target.address), (now + PAUSE, *target));
            }
        }
        self.frames.clear();
        self.octets.clear();
        self.failed.len()
    }
}
