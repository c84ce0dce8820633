//! Our addresses on other machines: probes out, answers in.

use std::sync::Arc;

use keepalived_core::network::{AddressKey, LinkIndex};
use keepalived_core::time::Instant;
use keepalived_core::vrrp::duplicate::frame::{self, advertisement_claim, arp_claim};
use keepalived_core::vrrp::duplicate::{Finding, Mac};
use keepalived_kernel::packets::{Frame, Listen, Overheard, Packets};

use super::super::report::Report;
use super::Instances;

/// Probes that are sent in one turn.
const MOST_PROBES: usize = 64;
/// Frames that are looked at in one turn, twice.
const MOST_OVERHEARD: usize = 64;

impl Instances {
    /// What is at `place` is there, for the first time or again.
    pub(super) fn probe_for(&mut self, now: Instant, (link, address, _): AddressKey) {
        if self.table.by_index(link).is_some_and(|link| link.mac.is_some() && !link.loopback) {
            self.duplicates.in_place(now, link, address);
        }
    }

    /// These places are not ours any more.
    pub(super) fn forget_probes<'a>(&mut self, places: impl IntoIterator<Item = &'a AddressKey>) {
        places.into_iter().for_each(|(link, address, _)| self.duplicates.gone(*link, *address));
    }

    /// Sends the probes that are due, and hears the answers: a bounded number of both. False if there may be more answers.
    pub(in super::super) fn look_for_duplicates(&mut self, now: Instant, packets: &mut impl Packets) -> bool {
        let listens = self.duplicates.listens();
        if listens != self.overhears {
            self.overhears = listens;
            packets.listen(if listens { Listen::Yes } else { Listen::No });
        }
        if !listens {
            return true;
        }
        let all = self.overhear(now, packets);
        self.probe(now, packets);
        all
    }

    fn probe(&mut self, now: Instant, packets: &mut impl Packets) {
        let mut frames = Vec::new();
        for (link, address) in self.duplicates.due(now, MOST_PROBES) {
            if let Some(mac) = self.table.by_index(link).and_then(|link| link.mac) {
                let mut octets = Vec::new();
                frame::probe(&mut octets, mac, address);
                frames.push((link, octets));
            }
        }
        if !frames.is_empty() {
            let frames: Vec<_> = frames.iter().map(|(link, octets)| Frame { link: *link, octets }).collect();
            // one that does not leave is one less: there are others
            packets.announce(&frames, &mut Vec::new());
        }
    }

    fn overhear(&mut self, now: Instant, packets: &mut impl Packets) -> bool {
        let (duplicates, table) = (&mut self.duplicates, &self.table);
        let mut findings = Vec::new();
        let all = packets.overhear(MOST_OVERHEARD, &mut |overheard| {
            let (link, claim) = match overheard {
                Overheard::Arp { link, octets } => (link, arp_claim(octets)),
                Overheard::Advertisement { link, octets } => (link, advertisement_claim(octets)),
            };
            let is_ours = |Mac(mac)| table.has_mac(mac);
            findings.extend(claim.and_then(|claim| duplicates.hear(now, link, claim, is_ours)));
        });
        findings.into_iter().for_each(|finding| self.report_duplicate(finding));
        all
    }

    fn report_duplicate(&mut self, Finding { link, address, holder }: Finding<LinkIndex>) {
        let Some(interface) = self.table.by_index(link).map(|link| link.name) else { return };
        for slot in self.slots.iter() {
            if slot.places.iter().any(|(on, held, _)| (*on, *held) == (link, address)) {
                let (key, name) = (slot.key.clone(), Arc::clone(&slot.name));
                self.reports.push(Report::Duplicate { key, name, address, interface, holder });
            }
        }
    }

    /// A machine that has what is at `place`, too.
    pub(super) fn duplicate_holder(&self, (link, address, _): &AddressKey) -> Option<Mac> {
        self.duplicates.holder(*link, *address)
    }
}
