use super::*;

const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 100));
const OTHER: Mac = Mac([2, 0, 0, 0, 0, 9]);
const OURS: Mac = Mac([2, 0, 0, 0, 0, 1]);
const CLAIM: Claim = Claim { address: ADDRESS, holder: OTHER };

/// In milliseconds.
const fn at(millis: u64) -> Instant {
    Instant::from_nanos((1_000_000 + millis) * 1_000_000)
}

/// An address in place on link 1 since 0.
fn placed() -> Duplicates<u8> {
    let mut duplicates = Duplicates::default();
    duplicates.in_place(at(0), 1, ADDRESS);
    duplicates
}

/// When probes leave up to `until`, each of them answered by `answer`; and when there were findings.
fn run(duplicates: &mut Duplicates<u8>, until: u64, answer: impl Fn(u64) -> Option<Mac>) -> (Vec<u64>, Vec<u64>) {
    let (mut probes, mut findings) = (Vec::new(), Vec::new());
    while let Some(now) = duplicates.next().filter(|next| *next <= at(until)) {
        let millis = now.as_nanos() / 1_000_000 - 1_000_000;
        for (link, address) in duplicates.due(now, 1_000) {
            assert_eq!((link, address), (1, ADDRESS));
            probes.push(millis);
            let claim = answer(millis).map(|holder| Claim { address, holder });
            if let Some(finding) = claim.and_then(|claim| duplicates.hear(now, link, claim, |mac| mac == OURS)) {
                assert_eq!(finding, Finding { link, address, holder: OTHER });
                findings.push(millis);
            }
        }
    }
    (probes, findings)
}

// RFC 5227 §2.1.1: three probes, one to two seconds apart
#[test]
fn three_probes_begin_a_second_after_the_address_is_there() {
    let mut duplicates = placed();
    assert!(duplicates.listens());
    assert_eq!(run(&mut duplicates, 1_000_000, |_| None), (vec![1_000, 3_000, 5_000], vec![]));
    assert!(!duplicates.listens() && duplicates.holder(1, ADDRESS).is_none());
}

#[test]
fn a_machine_that_goes_on_claiming_is_told_of_once() {
    let mut duplicates = placed();
    let (probes, findings) = run(&mut duplicates, 600_000, |_| Some(OTHER));
    assert_eq!((findings, duplicates.holder(1, ADDRESS)), (vec![3_000], Some(OTHER)));
    // a series a minute, as long as it is so
    assert_eq!(probes[..6], [1_000, 3_000, 5_000, 67_000, 69_000, 71_000]);
    // nor does the next takeover tell of it again
    duplicates.gone(1, ADDRESS);
    assert!(!duplicates.listens() && duplicates.holder(1, ADDRESS).is_none());
    duplicates.in_place(at(600_000), 1, ADDRESS);
    assert_eq!(run(&mut duplicates, 700_000, |_| Some(OTHER)).1, []);
}

#[test]
fn it_is_told_of_again_when_it_had_given_the_address_up() {
    let mut duplicates = placed();
    let (_, findings) =
        run(&mut duplicates, 150_000, |millis| Some(OTHER).filter(|_| !(60_000..80_000).contains(&millis)));
    assert_eq!((findings, duplicates.holder(1, ADDRESS)), (vec![3_000], None));
    duplicates.in_place(at(200_000), 1, ADDRESS);
    assert_eq!(run(&mut duplicates, 210_000, |_| Some(OTHER)).1, [203_000]);
}

#[test]
fn what_a_master_that_leaves_or_this_machine_itself_says_is_no_finding() {
    // before the first probe, and once in answer to it
    let mut duplicates = placed();
    assert_eq!(duplicates.hear(at(10), 1, CLAIM, |_| false), None);
    let (_, findings) = run(&mut duplicates, 100_000, |millis| Some(OTHER).filter(|_| millis == 1_000));
    assert_eq!(findings, []);
    // several packets of one answer
    let mut duplicates = placed();
    duplicates.due(at(1_000), 1);
    for millis in [1_001, 1_002, 1_999] {
        assert_eq!(duplicates.hear(at(millis), 1, CLAIM, |_| false), None);
    }
    // another of our interfaces
    assert_eq!(run(&mut placed(), 100_000, |_| Some(OURS)).1, []);
    // an address, or a link, that is not probed for
    let elsewhere = Claim { address: IpAddr::from([192, 0, 2, 101]), ..CLAIM };
    for (link, claim) in [(1, elsewhere), (2, CLAIM)] {
        for millis in [2_000, 4_000] {
            assert_eq!(duplicates.hear(at(millis), link, claim, |_| false), None);
        }
    }
}

#[test]
fn addresses_that_come_and_go_leave_nothing_behind() {
    let mut duplicates = placed();
    for round in 0..100 {
        duplicates.in_place(at(round), 1, ADDRESS);
        assert_eq!(duplicates.due.len(), 1);
    }
    duplicates.gone(1, ADDRESS);
    assert!(duplicates.due.is_empty() && duplicates.places.is_empty());
}

#[test]
fn who_makes_machines_up_gets_a_bounded_number_of_findings() {
    let mut duplicates = Duplicates::default();
    let address = |number: u32| IpAddr::from(std::net::Ipv4Addr::from(0x0a00_0000 + number));
    let mut findings = 0;
    for round in 0..20_u64 {
        let begin = round * 7_000;
        (0..1_000).for_each(|number| duplicates.in_place(at(begin), 1, address(number)));
        let mut sent = 0;
        for millis in [1_000, 3_000, 5_000] {
            let now = at(begin + millis);
            sent += duplicates.due(now, usize::MAX).len();
            for number in 0..1_000 {
                for liar in 0..10_u8 {
                    let holder = Mac([2, liar, 0, u8::try_from(round).unwrap(), 0, 0]);
                    let claim = Claim { address: address(number), holder };
                    findings += usize::from(duplicates.hear(now, 1, claim, |_| false).is_some());
                }
            }
        }
        assert_eq!(sent, 3_000);
    }
    // 16, and one in ten seconds of 140
    assert!(findings <= 16 + 14 + 1, "{findings}");
    assert!(duplicates.told.len() <= MOST_TOLD);
}

#[test]
fn the_steps_of_one_call_are_bounded() {
    let mut duplicates = Duplicates::default();
    (0..100).for_each(|last| duplicates.in_place(at(0), 1, IpAddr::from([192, 0, 2, last])));
    assert_eq!(duplicates.due(at(1_000), 64).len(), 64);
    assert_eq!(duplicates.next(), Some(at(1_000)));
    assert_eq!(duplicates.due(at(1_000), 64).len(), 36);
    assert_eq!(duplicates.next(), Some(at(3_000)));
}
