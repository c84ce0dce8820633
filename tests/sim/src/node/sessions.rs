//! The bfd process of a router: its sessions run beside the vrrp process, and outlive it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use keepalived_core::bfd::control::LENGTH;
use keepalived_core::bfd::{Arrival, Reach, Session, SessionState};
use keepalived_core::time::Instant;
use keepalived_daemon::bfd;

use super::{Life, Node};
use crate::clock::Moment;
use crate::setting::Segment;

/// The process, and what has arrived for it.
#[derive(Debug)]
pub(super) struct BfdProcess {
    engine: bfd::Engine,
    inbox: Vec<(Segment, IpAddr, IpAddr, [u8; LENGTH])>,
}

/// A control packet on its way out.
#[derive(Clone, Copy, Debug)]
pub struct ControlSent {
    /// From.
    pub source: IpAddr,
    /// To.
    pub neighbor: IpAddr,
    /// What it says.
    pub octets: [u8; LENGTH],
}

impl Node {
    /// Starts the bfd process, if it does not run and the file has sessions.
    pub(super) fn start_sessions(&mut self, now: Moment) {
        if self.bfd.is_none() && !self.config.bfd_instances.is_empty() {
            self.bfd_starts += 1;
            let seed = u64::try_from(self.id).unwrap_or(0) << 32 | self.bfd_starts;
            let engine = bfd::Engine::new(self.clock.show(now), &self.config, &BTreeMap::new(), seed);
            self.bfd = Some(BfdProcess { engine, inbox: Vec::new() });
        }
        // a vrrp process that has just begun is told all
        self.tell_sessions(now, true);
    }

    /// Whether a bfd process runs that is scheduled.
    pub fn has_sessions(&self) -> bool {
        self.bfd.is_some() && !self.paused
    }

    /// A control packet has arrived. It is read with the next turn.
    pub fn hear_control(&mut self, segment: Segment, sent: &ControlSent) {
        if let Some(bfd) = &mut self.bfd {
            bfd.inbox.push((segment, sent.source, sent.neighbor, sent.octets));
        }
    }

    /// Lets the bfd process work: what it sends, when it wants to be woken, and whether the vrrp process heard of it.
    pub fn turn_sessions(&mut self, now: Moment, are_patient: bool) -> (Vec<ControlSent>, Option<Moment>, bool) {
        let shown = self.clock.show(now);
        let links = self.links.clone();
        let Some(BfdProcess { engine, inbox }) = &mut self.bfd else { return (Vec::new(), None, false) };
        for (segment, source, destination, octets) in inbox.drain(..) {
            let Some(link) = links.get(&segment).copied() else { continue };
            let octets = &octets;
            engine.receive(
                shown,
                &Arrival { source, destination, link, reach: Reach::SingleHop, hop_limit: 255, octets },
            );
        }
        let heard_until = if are_patient { Instant::ZERO } else { shown };
        let sent = send_due(engine, shown, heard_until);
        let wake = engine.next_due().map(|at| self.clock.moment(at));
        (sent, wake, self.tell_sessions(now, false))
    }

    /// The bfd process is told to stop: what it says to its neighbours.
    pub fn stop_sessions(&mut self, now: Moment) -> Vec<ControlSent> {
        let shown = self.clock.show(now);
        let Some(BfdProcess { mut engine, .. }) = self.bfd.take() else { return Vec::new() };
        engine.stop(shown);
        send_due(&mut engine, shown, Instant::ZERO)
    }

    /// The vrrp process hears of sessions: of all, or of those with another result.
    fn tell_sessions(&mut self, now: Moment, all: bool) -> bool {
        let Some(bfd) = &mut self.bfd else { return false };
        let news = bfd.engine.results();
        let results = if all { bfd.engine.all_results(|_| true) } else { news };
        let shown = self.clock.show(now);
        if let Life::Up(engine) = &mut self.life {
            results.iter().for_each(|result| engine.session_result(shown, &result.session, result.is_up));
        }
        !results.is_empty()
    }

    /// Its sessions, by their ends.
    pub fn sessions(&self) -> impl Iterator<Item = (IpAddr, IpAddr, &Session)> {
        let engine = self.bfd.as_ref().map(|bfd| &bfd.engine);
        engine.into_iter().flat_map(|engine| {
            engine
                .sessions()
                .filter_map(|(id, instance)| Some((instance.source?, instance.neighbor, engine.session(id)?)))
        })
    }

    /// The session between these ends, if it is up.
    pub fn session_up(&self, source: IpAddr, neighbor: IpAddr) -> Option<&Session> {
        let mut all = self.sessions();
        let (_, _, session) = all.find(|(own, other, _)| (*own, *other) == (source, neighbor))?;
        (session.state() == SessionState::Up).then_some(session)
    }
}

fn send_due(engine: &mut bfd::Engine, now: Instant, heard_until: Instant) -> Vec<ControlSent> {
    let mut due = Vec::new();
    while !engine.turn(now, heard_until, |id, octets| {
        due.push((id, *octets));
        true
    }) {}
    let ends: BTreeMap<_, _> = engine.sessions().filter_map(|(id, it)| Some((id, (it.source?, it.neighbor)))).collect();
    due.into_iter()
        .filter_map(|(id, octets)| {
            let (source, neighbor) = ends.get(&id).copied()?;
            Some(ControlSent { source, neighbor, octets })
        })
        .collect()
}
