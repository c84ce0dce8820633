//! Two sessions, and whatever can be done to them.

use proptest::prelude::*;

use super::*;

/// What can be done to a pair of sessions.
#[derive(Clone, Copy, Debug)]
enum Act {
    Pass(u64),
    Cut(bool),
    Lose(u8),
    Configure(bool, u32, u32, u8),
    Restart(bool),
    Resume(bool),
    Administer(bool, bool),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        6 => (1_u64..3000).prop_map(Act::Pass),
        2 => any::<bool>().prop_map(Act::Cut),
        1 => (0_u8..30).prop_map(Act::Lose),
        2 => (any::<bool>(), 10_u32..2000, 10_u32..2000, 2_u8..10).prop_map(|(side, tx, rx, multiplier)| Act::Configure(side, tx, rx, multiplier)),
        1 => any::<bool>().prop_map(Act::Restart),
        1 => any::<bool>().prop_map(Act::Resume),
        1 => (any::<bool>(), any::<bool>()).prop_map(|(side, down)| Act::Administer(side, down)),
    ];
    prop::collection::vec(act, 1..40)
}

/// Two sessions and what is between them.
struct Pair {
    now: Instant,
    sides: [Session; 2],
    random: Random,
    is_cut: bool,
    loss: u8,
    /// Packets under way: when they arrive, at which side.
    flying: Vec<(Instant, usize, ControlPacket)>,
    cut_since: Instant,
    numbers: u32,
}

impl Pair {
    fn new() -> Self {
        let now = at(0);
        let side = |number| Session::new(now, params(100, 100, 3), discriminator(number));
        Self {
            now,
            sides: [side(1), side(2)],
            random: Random::new(9),
            is_cut: false,
            loss: 0,
            flying: Vec::new(),
            cut_since: now,
            numbers: 2,
        }
    }

    fn run(&mut self, length: Duration) -> Result<(), TestCaseError> {
        let end = self.now + length;
        loop {
            let wake = self.sides.iter().map(Session::deadline).chain(self.flying.iter().map(|(when, ..)| *when)).min();
            let Some(wake) = wake.filter(|wake| *wake <= end) else { break };
            self.now = wake.max(self.now);
            let now = self.now;
            self.flying.sort_by_key(|(when, ..)| *when);
            while self.flying.first().is_some_and(|(when, ..)| *when <= now) {
                let (_, side, packet) = self.flying.remove(0);
                let is_for_it = packet.yours.is_none_or(|yours| yours == self.sides[side].local());
                if is_for_it {
                    self.sides[side].receive(now, &packet);
                }
            }
            for side in 0..2 {
                if self.sides[side].deadline() > now {
                    continue;
                }
                let turn = self.sides[side].turn(now, now, &mut self.random);
                if let Some(packet) = turn.packet {
                    prop_assert!(ControlPacket::decode(&packet.encode()) == Ok(packet));
                    prop_assert!(!(packet.poll && packet.is_final));
                    let lost = self.is_cut || self.random.up_to(99) < u32::from(self.loss);
                    if !lost {
                        self.flying.push((now + Duration::from_micros(200), 1 - side, packet));
                    }
                }
            }
            self.judge()?;
        }
        self.now = end;
        self.judge()
    }

    /// A session is not up longer than its detection time after the path is gone.
    fn judge(&self) -> Result<(), TestCaseError> {
        for session in &self.sides {
            let allowed = session.detection_time() + Duration::from_millis(1);
            let dead = self.is_cut && self.now.since(self.cut_since) > allowed;
            prop_assert!(!(dead && session.state() == Up), "up {:?} after the cut", self.now.since(self.cut_since));
        }
        Ok(())
    }

    fn act(&mut self, act: Act) -> Result<(), TestCaseError> {
        let now = self.now;
        match act {
            Act::Pass(time) => return self.run(Duration::from_millis(time)),
            Act::Cut(is_cut) => {
                if is_cut && !self.is_cut {
                    self.cut_since = now;
                }
                self.is_cut = is_cut;
            }
            Act::Lose(percent) => self.loss = percent,
            Act::Configure(side, tx, rx, multiplier) => {
                self.sides[usize::from(side)].configure(now, params(tx, rx, multiplier));
            }
            Act::Restart(side) => {
                self.numbers += 1;
                let old = *self.sides[usize::from(side)].params();
                self.sides[usize::from(side)] = Session::new(now, old, discriminator(self.numbers));
            }
            Act::Resume(side) => {
                let old = &self.sides[usize::from(side)];
                // what was heard before the process died is not known any more
                if !self.is_cut {
                    self.sides[usize::from(side)] = Session::resumed(now, *old.params(), old.standing());
                }
            }
            Act::Administer(side, down) => drop(self.sides[usize::from(side)].administer(now, down)),
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn two_sessions_notice_a_dead_path_and_come_up_on_a_good_one(acts in acts()) {
        let mut pair = Pair::new();
        for act in acts {
            pair.act(act)?;
        }
        for side in 0..2 {
            pair.sides[side].administer(pair.now, false);
        }
        pair.act(Act::Cut(false))?;
        pair.act(Act::Lose(0))?;
        // longest detection time: 9 x 2 s; then the handshake at a second each
        pair.run(Duration::from_secs(30))?;
        prop_assert_eq!([pair.sides[0].state(), pair.sides[1].state()], [Up, Up]);
        prop_assert!(!pair.sides[0].polls() && !pair.sides[1].polls());
        let downs = [pair.sides[0].counters().downs, pair.sides[1].counters().downs];
        pair.run(Duration::from_secs(60))?;
        prop_assert_eq!([pair.sides[0].counters().downs, pair.sides[1].counters().downs], downs, "no flap on a good path");
    }
}
