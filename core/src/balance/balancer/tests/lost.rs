//! A step whose answer was lost.

use super::*;

#[test]
fn a_check_whose_answer_is_lost_is_due_again() {
    let mut rig = Rig::new(service(&[1, 1]));
    rig.said();
    let (mut begun, mut lost) = (Vec::new(), Vec::new());
    for second in 0..300 {
        let mut out = Vec::new();
        rig.balancer.handle_timeout(Instant::ZERO + Duration::from_secs(second), &mut out);
        rig.write(&out);
        begun.extend(out.iter().filter(|effect| matches!(effect, Effect::Run { .. })).map(|_| second));
        lost.extend(out.iter().filter(|effect| matches!(effect, Effect::Lost { .. })).map(|_| second));
    }
    // a minute is the limit of a step, ten seconds the bound until that is noticed, one the pause after it
    for gap in begun.iter().step_by(2).zip(begun.iter().skip(2).step_by(2)).map(|(one, next)| next - one) {
        assert!((60..=71).contains(&gap), "{begun:?}");
    }
    assert!(lost.len() >= 6, "{lost:?}");
    assert_eq!((rig.said(), rig.table()), ("".into(), "1:1 2:1".into()), "it says nothing about the servers");
}

#[test]
fn an_answer_that_comes_after_all_counts_for_nothing() {
    let mut rig = Rig::new(service(&[1]));
    let mut out = Vec::new();
    let at = |seconds| Instant::ZERO + Duration::from_secs(seconds);
    rig.balancer.handle_timeout(at(10), &mut out);
    let Some(Effect::Run { ticket, .. }) = out.last().copied() else { panic!("{out:?}") };
    rig.balancer.handle_timeout(at(80), &mut out);
    assert!(out.contains(&Effect::Lost { check: CheckId(0), ticket }));
    assert_eq!(rig.balancer.ended(ticket, &FAILED, at(81), &mut out), None);
    assert_eq!(rig.table(), "1:1");
    assert_eq!(rig.balancer.next_deadline(), Some(at(81)), "it is due again");
}
