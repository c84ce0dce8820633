//! Sessions: what the tests have in common.

mod detection;
mod pair;
mod polls;
mod sending;
mod states;

use super::SessionState::{AdminDown, Down, Init, Up};
use super::*;

fn millis(count: u32) -> Micros {
    Micros::new(count * 1000)
}

fn at(millis: u64) -> Instant {
    Instant::from_nanos(10_000_000_000) + Duration::from_millis(millis)
}

fn params(min_tx: u32, min_rx: u32, multiplier: u8) -> Params {
    Params {
        min_tx: millis(min_tx),
        idle_tx: millis(1000),
        min_rx: millis(min_rx),
        multiplier: NonZeroU8::new(multiplier).unwrap(),
        passive: false,
    }
}

fn discriminator(number: u32) -> Discriminator {
    Discriminator::new(number).unwrap()
}

/// A packet of the neighbour, which calls the session 7 and wants 300 ms in both directions, multiplier 3.
fn packet(state: SessionState) -> ControlPacket {
    ControlPacket {
        diagnostic: Diagnostic::NONE,
        state,
        poll: false,
        is_final: false,
        control_plane_independent: false,
        demand: false,
        authentication: None,
        detect_multiplier: NonZeroU8::new(3).unwrap(),
        mine: discriminator(7),
        yours: Some(discriminator(1)),
        desired_min_tx: millis(300),
        required_min_rx: millis(300),
        required_min_echo_rx: Micros::default(),
    }
}

/// One session and its random numbers.
struct Rig {
    session: Session,
    random: Random,
}

impl Rig {
    fn new(params: Params) -> Self {
        Self { session: Session::new(at(0), params, discriminator(1)), random: Random::new(1) }
    }

    /// One that has come up at 0 ms, and has sent what it had to say then.
    fn up(params: Params) -> Self {
        let mut rig = Self::new(params);
        rig.session.receive(at(0), &packet(Down));
        rig.session.receive(at(0), &packet(Init));
        assert_eq!(rig.session.state(), Up);
        rig.sent_by(at(0));
        rig
    }

    /// The same with its poll answered and a packet without P sent after that, by 300 ms.
    fn settled(params: Params) -> Self {
        let mut rig = Self::up(params);
        rig.final_of_neighbor(at(1));
        assert!(rig.sent_by(at(300)).iter().any(|(_, packet)| !packet.poll));
        rig
    }

    /// What it sends until then, with the time of each; what it hears of the neighbour is nothing.
    fn sent_by(&mut self, end: Instant) -> Vec<(Instant, ControlPacket)> {
        let mut sent = Vec::new();
        while self.session.deadline() <= end {
            let now = self.session.deadline().max(at(0));
            if let Some(packet) = self.session.turn(now, now, &mut self.random).packet {
                sent.push((now, packet));
            }
        }
        sent
    }

    fn hear(&mut self, now: Instant, packet: &ControlPacket) -> Option<Change> {
        self.session.receive(now, packet)
    }

    fn final_of_neighbor(&mut self, now: Instant) {
        self.hear(now, &ControlPacket { is_final: true, ..packet(Up) });
    }
}
