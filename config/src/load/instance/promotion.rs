//! `bfd_promotes`: which session takes the place of the master down timer.

use std::collections::BTreeMap;

use keepalived_core::address::VirtualAddress;
use keepalived_core::vrrp::Family;

use super::super::reading::Reading;
use super::draft::Draft;
use crate::finding::rule;
use crate::model::{BfdInstance, PromotingSession, Tracks, Transport};

const KEYWORD: &str = "bfd_promotes";

/// The session, if it can be one with the master itself: a session that ends elsewhere says nothing about the master.
pub(super) fn read(
    reading: &mut Reading<'_>,
    draft: &Draft<'_>,
    sessions: &BTreeMap<String, BfdInstance>,
    family: Family,
    transport: &Transport,
    (addresses, tracks): (&[VirtualAddress], Option<&Tracks>),
) -> Option<PromotingSession> {
    let word = draft.statements.last(KEYWORD)?.argument()?;
    let name = word.str().into_owned();
    let refused = match sessions.get(&name) {
        None => Err(format!("there is no bfd_instance {name} that tells the vrrp process")),
        Some(session) => master_may_be(session, family, transport, addresses).map(|()| session.neighbor),
    };
    match refused {
        Ok(neighbor) => {
            let faulty =
                |line: &&crate::model::Track| line.name == name && line.weight.value == 0 && !line.weight.reverse;
            if tracks.is_some_and(|tracks| tracks.bfds.iter().find(faulty).is_some()) {
                let message = format!(
                    "{KEYWORD} {name} has no effect while track_bfd without weight brings the instance into FAULT for the same session"
                );
                draft.report(reading, &rule::BFD_PROMOTES, KEYWORD, &message);
            }
            Some(PromotingSession { session: name, neighbor })
        }
        Err(why) => {
            draft.report(reading, &rule::BFD_PROMOTES, KEYWORD, &format!("{KEYWORD}: {why}; it is ignored"));
            None
        }
    }
}

/// Whether the neighbour of the session can be the router that is master.
fn master_may_be(
    session: &BfdInstance,
    family: Family,
    transport: &Transport,
    addresses: &[VirtualAddress],
) -> Result<(), String> {
    let (name, neighbor) = (&session.name, session.neighbor);
    if Family::of(neighbor) != family {
        return Err(format!(
            "{neighbor} of session {name} is of the other family, so it sends no adverts to this instance"
        ));
    }
    if addresses.iter().any(|line| line.address == neighbor) {
        return Err(format!("{neighbor} of session {name} is a virtual address: name the other router's own address"));
    }
    match transport {
        Transport::Unicast { peers, .. } if !peers.iter().any(|peer| peer.address == neighbor) => {
            Err(format!("{neighbor} of session {name} is no unicast_peer, so it is no router of this instance"))
        }
        Transport::Multicast { .. } if session.multihop => {
            Err(format!("session {name} is multihop, and a router that sends multicast adverts is on the same link"))
        }
        Transport::Unicast { .. } | Transport::Multicast { .. } => Ok(()),
    }
}
