//! BFD between the routers: control packets fare like adverts, and sessions must see a path that is dead.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Event, Planted, World};
use crate::bounds::{HOP, LATENESS};
use crate::clock::{Moment, stretched};
use crate::invariant::{Broken, Invariant};
use crate::node::ControlSent;
use crate::setting::{Family, NodeId, Segment};

/// Since when paths are dead: from one router to another on a segment.
pub(super) type DeadPaths = BTreeMap<(NodeId, NodeId, Segment), Moment>;

impl World {
    /// Has the bfd process of `id` scheduled shortly after `at`.
    pub(super) fn schedule_control(&mut self, id: NodeId, at: Moment) {
        let at = at.max(self.now) + self.random_control.duration(LATENESS);
        let node = self.node_mut(id);
        if !node.has_sessions() || node.next_control.is_some_and(|next| next <= at) {
            return;
        }
        node.next_control = Some(at);
        self.plan(at, Event::ControlTurn(id));
    }

    pub(super) fn control_turn(&mut self, id: NodeId) {
        let (now, are_patient) = (self.now, self.planted == Some(Planted::PatientSessions));
        let node = self.node_mut(id);
        node.next_control = None;
        let (sent, wake, told) = node.turn_sessions(now, are_patient);
        self.send_control(id, &sent);
        if let Some(wake) = wake {
            self.schedule_control(id, wake);
        }
        if told {
            self.schedule(id, now);
        }
    }

    pub(super) fn send_control(&mut self, from: NodeId, sent: &[ControlSent]) {
        for packet in sent {
            let Some((segment, _)) = self.owner(packet.source) else { continue };
            let Some((_, to)) = self.owner(packet.neighbor) else { continue };
            if !self.node(from).is_plugged(segment) || !self.medium.carries(from, to) {
                continue;
            }
            for delay in self.medium.copies(&mut self.random_control) {
                self.plan(self.now + delay, Event::ControlArrives { to, segment, packet: *packet });
            }
        }
    }

    pub(super) fn control_arrives(&mut self, to: NodeId, segment: Segment, packet: &ControlSent) {
        let now = self.now;
        if self.node(to).is_plugged(segment) {
            self.node_mut(to).hear_control(segment, packet);
            self.schedule_control(to, now);
        }
    }

    /// Which router has an address of its own, and on which segment.
    fn owner(&self, address: IpAddr) -> Option<(Segment, NodeId)> {
        let family = if address.is_ipv4() { Family::V4 } else { Family::V6 };
        let all = Segment::ALL.into_iter().flat_map(|segment| (0..self.nodes.len()).map(move |node| (segment, node)));
        all.into_iter().find(|(segment, node)| segment.address(*node, family) == address)
    }

    /// No session is up on both sides of a path that has been dead for longer than the detection time.
    ///
    /// # Errors
    /// One is.
    pub(super) fn judge_sessions(&mut self) -> Result<(), Broken> {
        let now = self.now;
        let with: Vec<NodeId> = (0..self.nodes.len()).filter(|node| self.node(*node).has_sessions()).collect();
        // one that does not run, or is frozen, cannot know
        self.dead_paths.retain(|(from, to, _), _| with.contains(from) && with.contains(to));
        for (from, to) in with.iter().flat_map(|from| with.iter().map(move |to| (*from, *to))) {
            for segment in Segment::ALL.into_iter().filter(|_| from != to) {
                let path = (from, to, segment);
                let plugged = self.node(from).is_plugged(segment) && self.node(to).is_plugged(segment);
                if plugged && self.medium.carries(from, to) {
                    self.dead_paths.remove(&path);
                    continue;
                }
                // what is under way still arrives
                let under_way = self.late_until.max(now + self.medium.weather.delay);
                let since = *self.dead_paths.entry(path).or_insert(under_way);
                for family in [Family::V4, Family::V6] {
                    let (near, far) = (segment.address(from, family), segment.address(to, family));
                    let ups = (self.node(from).session_up(near, far), self.node(to).session_up(far, near));
                    let (Some(_), Some(deaf)) = ups else { continue };
                    let (silence, allowed) = (now.since(since), stretched(deaf.detection_time()) + HOP * 4);
                    if silence > allowed {
                        let text = format!(
                            "routers {from} and {to}: up on both sides {silence:?} after the path died, allowed {allowed:?}"
                        );
                        return Err((Invariant::SeesDeadPath, text));
                    }
                }
            }
        }
        Ok(())
    }
}
