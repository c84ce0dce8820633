use super::*;

const GARP: Garp = Garp {
    delay: Duration::from_secs(5),
    repeat: 5,
    refresh: Duration::from_secs(60),
    refresh_repeat: 2,
    lower_prio_delay: Duration::from_secs(3),
    lower_prio_repeat: 4,
    extra_interface: Duration::ZERO,
    extra_vmac: Duration::ZERO,
};

const fn at(seconds: u64) -> Instant {
    Instant::from_nanos(seconds * 1_000_000_000)
}

/// Everything that is due up to `until`, with its second.
fn series(schedule: &mut Schedule, params: &Garp, until: u64) -> Vec<(u64, u32)> {
    let mut announced = Vec::new();
    while let Some(next) = schedule.next().filter(|next| *next <= at(until)) {
        announced.push((next.as_nanos() / 1_000_000_000, schedule.due(next, params).rounds));
    }
    announced
}

// keepalived, observed: first refresh after delay + refresh
#[test]
fn burst_second_burst_and_refreshes() {
    let mut schedule = Schedule::default();
    assert_eq!(schedule.in_place(at(100), &GARP), 5);
    assert_eq!(series(&mut schedule, &GARP, 300), [(105, 5), (165, 2), (225, 2), (285, 2)]);
}

#[test]
fn zero_delay_is_no_second_burst_and_zero_refresh_never() {
    let params = Garp { delay: Duration::ZERO, refresh: Duration::ZERO, ..GARP };
    let mut schedule = Schedule::default();
    assert_eq!(schedule.in_place(at(100), &params), 5);
    assert_eq!(schedule.next(), None);
}

#[test]
fn a_lower_claim_causes_two_bursts_at_most_once_an_interval() {
    let mut schedule = Schedule::default();
    let interval = Duration::from_secs(1);
    assert_eq!(schedule.lower_claim(at(10), interval, &GARP), 4);
    assert_eq!(schedule.lower_claim(at(10), interval, &GARP), 0);
    assert_eq!(series(&mut schedule, &GARP, 60), [(13, 4)]);
    assert_eq!(schedule.lower_claim(at(11), interval, &GARP), 4);
    let silent = Garp { lower_prio_repeat: 0, ..GARP };
    assert_eq!(Schedule::default().lower_claim(at(10), interval, &silent), 0);
}

#[test]
fn a_stall_is_made_up_for_by_one_refresh() {
    let mut schedule = Schedule::default();
    schedule.in_place(at(0), &GARP);
    assert_eq!(schedule.due(at(10_000), &GARP).rounds, 5);
    assert_eq!(schedule.next(), Some(at(10_060)));
}

#[test]
fn an_endless_burst_is_bounded() {
    let params = Garp { repeat: u32::MAX, ..GARP };
    assert_eq!(Schedule::default().in_place(at(0), &params), MOST_ROUNDS);
}

#[test]
fn a_pacer_lets_one_out_each_gap_even_after_a_late_wake_up() {
    let mut pacer = Pacer::new(Duration::from_secs(2));
    (1..=3).for_each(|item| pacer.push(item));
    assert_eq!(pacer.take(at(10)), Some(1));
    assert_eq!(pacer.take(at(11)), None);
    assert_eq!(pacer.next(), Some(at(12)));
    assert_eq!(pacer.take(at(17)), Some(2));
    assert_eq!(pacer.take(at(17)), None);
    pacer.retain(|item| *item != 3);
    assert_eq!(pacer.next(), None);
}

#[test]
fn a_full_pacer_drops_and_counts() {
    let mut pacer = Pacer::new(Duration::from_secs(1));
    (0..Pacer::<usize>::MOST_WAITING + 2).for_each(|item| pacer.push(item));
    assert_eq!(pacer.dropped(), 2);
}

#[test]
fn other_interfaces_are_announced_on_at_their_own_pace() {
    let params = Garp { extra_vmac: Duration::from_secs(7), refresh: Duration::ZERO, delay: Duration::ZERO, ..GARP };
    let mut schedule = Schedule::default();
    schedule.in_place(at(100), &params);
    for expected in [107, 114, 121] {
        assert_eq!(schedule.next(), Some(at(expected)));
        assert_eq!(schedule.due(at(expected), &params), Due { rounds: 0, extra: true });
    }
}

// a refresh without a period was due again at once, for ever
#[test]
fn what_comes_every_so_often_follows_a_reload() {
    let every = |seconds| Garp {
        refresh: Duration::from_secs(seconds),
        refresh_repeat: 2,
        extra_vmac: Duration::from_secs(seconds),
        delay: Duration::ZERO,
        ..GARP
    };
    let mut schedule = Schedule::default();
    schedule.in_place(at(0), &every(5));
    schedule.reconfigure(at(1), &every(5), &every(0));
    assert_eq!(schedule.next(), None);
    assert_eq!(schedule.due(at(100), &every(0)), Due { rounds: 0, extra: false });
    schedule.reconfigure(at(100), &every(0), &every(60));
    assert_eq!(schedule.next(), Some(at(160)));
    schedule.reconfigure(at(110), &every(60), &every(10));
    assert_eq!(schedule.next(), Some(at(120)));
    assert_eq!(schedule.due(at(120), &every(10)), Due { rounds: 2, extra: true });
    assert_eq!(schedule.next(), Some(at(130)));
    // nothing is in place yet: the first that is begins it
    let mut schedule = Schedule::default();
    schedule.reconfigure(at(0), &every(5), &every(6));
    assert_eq!(schedule.next(), None);
}
