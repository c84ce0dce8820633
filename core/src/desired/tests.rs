//! The machine with objects of three kinds, on a kernel that is a map.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;

/// A link, an address on a link, a route by an address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Key {
    Link(u8),
    Address(u8, u8),
    Route(u8, u8, u8),
}

/// An object and what it looks like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Thing(Key, u8);

impl Object for Thing {
    type Key = Key;

    const RANKS: usize = 3;

    fn key(&self) -> Key {
        self.0
    }

    fn rank(key: &Key) -> usize {
        match key {
            Key::Link(_) => 0,
            Key::Address(..) => 1,
            Key::Route(..) => 2,
        }
    }

    fn needs(&self) -> Vec<Key> {
        match self.0 {
            Key::Link(_) => Vec::new(),
            Key::Address(link, _) => vec![Key::Link(link)],
            Key::Route(link, address, _) => vec![Key::Address(link, address)],
        }
    }

    fn fulfils(&self, wish: &Self) -> bool {
        self == wish
    }
}

#[derive(Default)]
struct Known(BTreeMap<Key, Thing>);

impl Seen<Thing> for Known {
    fn get(&self, key: &Key) -> Option<Thing> {
        self.0.get(key).copied()
    }

    fn put(&mut self, thing: Thing) {
        self.0.insert(thing.0, thing);
    }

    fn take(&mut self, key: &Key) -> bool {
        self.0.remove(key).is_some()
    }

    // of the addresses on a link the odd ones go with the even ones
    fn goes_first(&self, key: &Key) -> bool {
        matches!(key, Key::Address(_, number) if number % 2 == 1)
    }

    fn hears_of(&self, key: &Key) -> bool {
        *key != UNHEARD
    }
}

const LINK: Key = Key::Link(1);
const ADDRESS: Key = Key::Address(1, 1);
const ROUTE: Key = Key::Route(1, 1, 1);
/// A route that the kernel reports nothing of.
const UNHEARD: Key = Key::Route(1, 1, 9);

#[derive(Default)]
struct Rig {
    desired: Desired<Thing>,
    known: Known,
    now: Instant,
    outcomes: Vec<Outcome<Key, &'static str>>,
}

impl Rig {
    fn hold(&mut self, keys: &[Key]) {
        keys.iter().for_each(|key| self.desired.hold(7, Thing(*key, 0), false));
    }

    /// The next batch, as `+` or `-` and the object.
    fn batch(&mut self, most: usize) -> Vec<(char, Key)> {
        let changes = self.desired.batch(self.now, most, &self.known, &mut self.outcomes);
        if !changes.is_empty() {
            self.desired.begin(&changes, [], &mut self.known);
        }
        let sign = |change: &Change<Thing>| if matches!(change, Change::Present(_)) { '+' } else { '-' };
        changes.iter().map(|change| (sign(change), change.key())).collect()
    }

    fn done(&mut self, results: &[Result<(), &'static str>]) {
        self.desired.done(self.now, results.iter().copied(), &mut self.known, &mut self.outcomes);
    }

    /// Batches until nothing is left to do right now, all granted.
    fn settle(&mut self) -> Vec<(char, Key)> {
        let mut all = Vec::new();
        loop {
            let batch = self.batch(2);
            if batch.is_empty() {
                return all;
            }
            self.done(&vec![Ok(()); batch.len()]);
            all.extend(batch);
        }
    }
}

#[test]
fn kinds_come_in_their_order_and_go_the_other_way_round() {
    let mut rig = Rig::default();
    rig.hold(&[ROUTE, ADDRESS, LINK, Key::Link(2)]);
    assert_eq!(rig.settle(), [('+', LINK), ('+', Key::Link(2)), ('+', ADDRESS), ('+', ROUTE)]);
    let settled = |key| Outcome::Settled { holder: 7, key };
    assert_eq!(rig.outcomes, [settled(LINK), settled(Key::Link(2)), settled(ADDRESS), settled(ROUTE)]);
    [LINK, ADDRESS, ROUTE].iter().for_each(|key| rig.desired.release(7, key));
    assert_eq!(rig.settle(), [('-', ROUTE), ('-', ADDRESS), ('-', LINK)]);
}

#[test]
fn what_goes_goes_before_anything_comes_and_within_a_batch_too() {
    let mut rig = Rig::default();
    rig.hold(&[LINK, Key::Address(1, 2), ADDRESS]);
    rig.settle();
    rig.hold(&[Key::Link(2)]);
    [Key::Address(1, 2), ADDRESS].iter().for_each(|key| rig.desired.release(7, key));
    assert_eq!(rig.batch(9), [('-', ADDRESS), ('-', Key::Address(1, 2)), ('+', Key::Link(2))]);
}

#[test]
fn an_object_waits_for_what_it_needs() {
    let mut rig = Rig::default();
    rig.hold(&[ROUTE, ADDRESS]);
    assert_eq!((rig.settle(), rig.desired.next()), (vec![], None), "nothing to do until the link is there");
    // it is made by another, and the kernel says so
    rig.known.put(Thing(LINK, 3));
    rig.desired.arrived(&LINK);
    assert_eq!(rig.settle(), [('+', ADDRESS), ('+', ROUTE)]);
}

#[test]
fn one_that_does_not_wait_any_more_is_not_made() {
    let mut rig = Rig::default();
    rig.hold(&[ROUTE, ADDRESS]);
    rig.settle();
    rig.desired.release(7, &ROUTE);
    rig.desired.forget(|key| *key == ADDRESS);
    rig.known.put(Thing(LINK, 3));
    rig.desired.arrived(&LINK);
    assert_eq!((rig.settle(), rig.desired.entries.len(), rig.desired.parked.len()), (vec![], 0, 0));
    // what waits for an object is not made when another one that it waited for before comes
    rig.hold(&[ROUTE]);
    rig.settle();
    rig.desired.release(7, &ROUTE);
    rig.settle();
    assert_eq!((rig.desired.entries.len(), rig.desired.parked.len()), (0, 1));
    rig.desired.arrived(&ADDRESS);
    assert_eq!((rig.settle(), rig.desired.parked.len()), (vec![], 0));
}

#[test]
fn one_that_is_refused_keeps_no_other_and_is_tried_again_after_growing_pauses() {
    let mut rig = Rig::default();
    rig.hold(&[LINK, Key::Link(2)]);
    rig.batch(9);
    rig.done(&[Err("no"), Ok(())]);
    let refused = Outcome::Refused { holder: 7, key: LINK, refused: "no" };
    assert_eq!(rig.outcomes, [refused, Outcome::Settled { holder: 7, key: Key::Link(2) }]);
    for pause in [100, 200, 400] {
        let at = rig.now + Duration::from_millis(pause);
        assert_eq!((rig.desired.next(), rig.batch(9)), (Some(at), vec![]));
        rig.now = at;
        assert_eq!(rig.batch(9), [('+', LINK)]);
        rig.done(&[Err("no")]);
    }
}

// it is wanted anew, or said to be gone, while it waits: then it is tried at once, and once in each pause
#[test]
fn one_that_is_refused_waits_once_however_often_it_is_asked_for() {
    let mut rig = Rig::default();
    rig.hold(&[LINK]);
    for _ in 0..5 {
        rig.batch(9);
        rig.done(&[Err("no")]);
        rig.hold(&[LINK]);
    }
    rig.batch(9);
    rig.done(&[Err("no")]);
    assert_eq!(rig.desired.later.len(), 1);
    let mut attempts = 0;
    while let Some(at) = rig.desired.next().filter(|at| *at <= Instant::ZERO + Duration::from_secs(30)) {
        rig.now = at;
        attempts += rig.batch(9).len();
        rig.done(&[Err("no")]);
    }
    // after 3.2, 9.6 and 22.4 s
    assert_eq!(attempts, 3);
    rig.desired.hurry(|key| *key == LINK);
    assert_eq!((rig.batch(9), rig.desired.later.len()), (vec![('+', LINK)], 0));
    rig.done(&[Ok(())]);
    assert_eq!(rig.desired.next(), None);
}

#[test]
fn what_looks_different_is_made_anew_and_what_is_foreign_stays() {
    let mut rig = Rig::default();
    rig.known.put(Thing(LINK, 3));
    rig.known.put(Thing(Key::Link(2), 0));
    rig.hold(&[LINK]);
    rig.desired.hold(7, Thing(Key::Link(2), 0), true);
    assert_eq!(rig.settle(), [('-', LINK), ('+', LINK)]);
    [LINK, Key::Link(2)].iter().for_each(|key| rig.desired.release(7, key));
    assert_eq!(rig.settle(), [('-', LINK)]);
}

#[test]
fn two_holders_share_an_object_and_the_last_takes_it_away() {
    let mut rig = Rig::default();
    rig.hold(&[LINK]);
    rig.desired.hold(8, Thing(LINK, 0), false);
    assert_eq!(rig.settle(), [('+', LINK)]);
    let settled = |holder| Outcome::Settled { holder, key: LINK };
    assert_eq!(rig.outcomes, [settled(7), settled(8)]);
    rig.desired.release(7, &LINK);
    assert_eq!(rig.settle(), []);
    rig.desired.release(8, &LINK);
    assert_eq!(rig.settle(), [('-', LINK)]);
}

#[test]
fn reports_of_our_own_removals_are_nobody_elses_and_the_others_are() {
    let mut rig = Rig::default();
    rig.hold(&[LINK, Key::Link(2)]);
    rig.settle();
    rig.desired.release(7, &LINK);
    rig.settle();
    assert!(rig.desired.awaits_removal(&LINK));
    assert_eq!((rig.desired.lost(&LINK), rig.desired.lost(&LINK)), (None, Some(vec![])));
    assert_eq!(rig.desired.lost(&Key::Link(2)), Some(vec![7]));
    // it is put back at once, and after a pause if it is taken away again and again
    rig.known.take(&Key::Link(2));
    rig.desired.restore(rig.now, &Key::Link(2));
    assert_eq!(rig.settle(), [('+', Key::Link(2))]);
    rig.known.take(&Key::Link(2));
    rig.desired.restore(rig.now, &Key::Link(2));
    assert_eq!((rig.settle(), rig.desired.next()), (vec![], Some(rig.now + Duration::from_millis(100))));
}

#[test]
fn what_the_kernel_takes_along_is_put_back() {
    let mut rig = Rig::default();
    rig.hold(&[LINK, ADDRESS, Key::Address(1, 2)]);
    rig.settle();
    rig.desired.release(7, &Key::Address(1, 2));
    let changes = rig.desired.batch(rig.now, 9, &rig.known, &mut rig.outcomes);
    rig.desired.begin(&changes, [ADDRESS], &mut rig.known);
    // its report comes before the answer
    assert_eq!(rig.desired.lost(&ADDRESS), Some(vec![]));
    rig.known.take(&ADDRESS);
    rig.done(&[Ok(())]);
    assert_eq!(rig.settle(), [('+', ADDRESS)]);
    // or there is none, and the owner knows
    rig.desired.release(7, &Key::Link(9));
    rig.hold(&[Key::Address(1, 2)]);
    rig.settle();
    rig.desired.release(7, &Key::Address(1, 2));
    let changes = rig.desired.batch(rig.now, 9, &rig.known, &mut rig.outcomes);
    rig.desired.begin(&changes, [ADDRESS], &mut rig.known);
    rig.desired.taken_along(&mut rig.known, |_| true);
    rig.done(&[Ok(())]);
    assert_eq!((rig.settle(), rig.desired.lost(&ADDRESS)), (vec![('+', ADDRESS)], None));
}

#[test]
fn an_answer_that_a_report_contradicts_counts_for_nothing() {
    let mut rig = Rig::default();
    rig.hold(&[LINK]);
    rig.batch(9);
    assert_eq!(rig.desired.lost(&LINK), Some(vec![7]));
    rig.done(&[Ok(())]);
    assert_eq!((rig.outcomes.len(), rig.settle()), (0, vec![('+', LINK)]));
}

#[test]
fn what_an_earlier_run_left_goes_unless_it_is_wanted() {
    let mut rig = Rig::default();
    for link in [1, 2] {
        rig.known.put(Thing(Key::Link(link), 0));
        rig.desired.left_over(7, Thing(Key::Link(link), 0));
    }
    rig.hold(&[LINK]);
    assert_eq!(rig.settle(), [('-', Key::Link(2))]);
    let gone = Outcome::LeftOverGone { holder: 7, key: Key::Link(2) };
    assert_eq!(rig.outcomes, [Outcome::Settled { holder: 7, key: LINK }, gone]);
}

#[test]
fn what_is_missing_after_a_new_reading_is_said() {
    let mut rig = Rig::default();
    rig.hold(&[LINK, Key::Link(2)]);
    rig.settle();
    rig.known.take(&Key::Link(2));
    assert_eq!(rig.desired.resync(&rig.known), [Key::Link(2)]);
}

// IPv4: with a link that goes down its routes go, and the kernel says nothing
#[test]
fn what_is_doubted_is_asked_for_again_and_removed_whatever_is_known() {
    let mut rig = Rig::default();
    rig.hold(&[LINK, ADDRESS, ROUTE]);
    rig.settle();
    rig.desired.doubt(&ROUTE);
    assert_eq!(rig.settle(), [('+', ROUTE)], "not removed first: it may be there");
    assert_eq!(rig.settle(), []);
    rig.known.take(&ROUTE);
    rig.desired.doubt(&ROUTE);
    rig.desired.release(7, &ROUTE);
    assert_eq!(rig.settle(), [('-', ROUTE)], "it may be there after all");
    assert_eq!(rig.desired.lost(&ROUTE), Some(Vec::new()), "no report of a removal of ours is awaited");
    rig.desired.doubt(&ROUTE);
    assert_eq!(rig.settle(), [], "nobody has it");
}

#[test]
fn what_is_doubted_waits_for_what_it_needs() {
    let mut rig = Rig::default();
    rig.hold(&[LINK, ADDRESS, ROUTE]);
    rig.settle();
    rig.known.take(&ADDRESS);
    rig.known.take(&ROUTE);
    rig.desired.doubt(&ROUTE);
    assert_eq!(rig.settle(), []);
    rig.desired.restore(rig.now, &ADDRESS);
    assert_eq!(rig.settle(), [('+', ADDRESS), ('+', ROUTE)]);
}

#[test]
fn no_report_is_awaited_that_does_not_come() {
    let mut rig = Rig::default();
    rig.hold(&[LINK, ADDRESS, UNHEARD]);
    rig.settle();
    rig.desired.release(7, &UNHEARD);
    assert_eq!(rig.settle(), [('-', UNHEARD)]);
    assert!(!rig.desired.awaits_removal(&UNHEARD));
    // refused, it is still there
    rig.hold(&[UNHEARD]);
    rig.settle();
    rig.desired.release(7, &UNHEARD);
    assert_eq!(rig.batch(9), [('-', UNHEARD)]);
    rig.done(&[Err("no")]);
    assert!(rig.known.get(&UNHEARD).is_some());
}

#[test]
fn what_waits_after_a_refusal_can_be_hurried() {
    let mut rig = Rig::default();
    rig.hold(&[LINK, ADDRESS]);
    assert_eq!(rig.batch(9).len(), 1, "the address waits for its link");
    rig.done(&[Err("no")]);
    assert_eq!(rig.batch(9), []);
    rig.desired.hurry(|key| *key == ADDRESS);
    assert_eq!(rig.batch(9), []);
    rig.desired.hurry(|key| *key == LINK);
    assert_eq!(rig.batch(9), [('+', LINK)]);
}

#[test]
fn what_is_replaced_goes_once_the_other_is_there() {
    const OTHER: Key = Key::Route(1, 1, 2);
    let mut rig = Rig::default();
    rig.hold(&[LINK, ADDRESS, ROUTE]);
    rig.settle();
    rig.hold(&[OTHER]);
    rig.desired.replace(7, &ROUTE, OTHER);
    assert_eq!(rig.batch(9), [('+', OTHER)]);
    rig.done(&[Err("no")]);
    assert_eq!((rig.batch(9), rig.known.get(&ROUTE).is_some()), (vec![], true), "the other one is refused: it stays");
    rig.now += FIRST_PAUSE;
    assert_eq!(rig.settle(), [('+', OTHER), ('-', ROUTE)]);
    assert_eq!((rig.desired.lost(&ROUTE), rig.desired.entries.len()), (None, 3), "the kernel reports it");
    // neither is wanted any more
    rig.hold(&[ROUTE]);
    rig.desired.replace(7, &OTHER, ROUTE);
    rig.desired.release(7, &ROUTE);
    assert_eq!(rig.settle(), [('-', OTHER)]);
    assert!(!rig.desired.owes_removals(&rig.known) && rig.desired.parked.is_empty());
    // what it waits for is gone with its link
    rig.hold(&[ROUTE]);
    rig.settle();
    rig.hold(&[OTHER]);
    rig.desired.replace(7, &ROUTE, OTHER);
    rig.desired.forget(|key| *key == OTHER);
    assert_eq!(rig.settle(), [('-', ROUTE)]);
}
