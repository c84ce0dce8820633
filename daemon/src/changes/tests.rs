use super::*;

const PAUSE: Duration = Duration::from_millis(2);

fn all(queue: &mut ChangeQueue) -> Vec<NextChange> {
    std::iter::from_fn(|| queue.take()).collect()
}

fn told(entries: u32) -> ChangeQueue {
    let mut queue = ChangeQueue::default();
    queue.begin(entries);
    all(&mut queue);
    queue
}

#[test]
fn a_view_that_begins_is_told_in_order() {
    let mut queue = ChangeQueue::default();
    assert!(queue.is_empty());
    queue.begin(3);
    // what is still to be told needs no second time
    queue.mark(1);
    assert_eq!(all(&mut queue), [NextChange::Begins, NextChange::Entry(0), NextChange::Entry(1), NextChange::Entry(2)]);
    assert!(queue.is_empty());
}

#[test]
fn an_entry_waits_once_and_in_its_turn() {
    let mut queue = told(200);
    [130, 7, 130, 7, 199, 200, u32::MAX].into_iter().for_each(|entry| queue.mark(entry));
    assert_eq!(all(&mut queue), [NextChange::Entry(130), NextChange::Entry(7), NextChange::Entry(199)]);
    queue.mark(7);
    assert_eq!(all(&mut queue), [NextChange::Entry(7)], "again after it was told");
}

#[test]
fn what_changes_while_a_view_is_told_follows() {
    let mut queue = ChangeQueue::default();
    queue.begin(3);
    assert_eq!([queue.take(), queue.take()], [Some(NextChange::Begins), Some(NextChange::Entry(0))]);
    queue.mark(0);
    assert_eq!(all(&mut queue), [NextChange::Entry(1), NextChange::Entry(2), NextChange::Entry(0)]);
}

#[test]
fn a_request_ends_with_a_mark_whatever_changes_meanwhile() {
    let mut queue = told(3);
    queue.mark(2);
    queue.request(3);
    let mut taken = Vec::new();
    while taken.last() != Some(&NextChange::Fresh) {
        taken.extend(queue.take());
        // more changes than are taken
        (0..3).for_each(|entry| queue.mark(entry));
    }
    assert_eq!(
        taken,
        [
            NextChange::Entry(2),
            NextChange::Numbers(0),
            NextChange::Numbers(1),
            NextChange::Numbers(2),
            NextChange::Fresh
        ]
    );
    assert_eq!(all(&mut queue).len(), 3);
}

#[test]
fn a_view_without_numbers_answers_a_request_too() {
    let mut queue = told(3);
    queue.request(0);
    assert!(!queue.is_empty());
    assert_eq!(all(&mut queue), [NextChange::Fresh]);
}

#[test]
fn a_request_survives_another_configuration() {
    let mut queue = told(2);
    queue.mark(0);
    queue.request(2);
    assert_eq!(queue.take(), Some(NextChange::Entry(0)));
    assert_eq!(queue.take(), Some(NextChange::Numbers(0)));
    queue.begin(1);
    assert_eq!(all(&mut queue), [NextChange::Begins, NextChange::Entry(0), NextChange::Numbers(0), NextChange::Fresh]);
    queue.request(0);
    queue.begin(2);
    assert_eq!(all(&mut queue), [NextChange::Begins, NextChange::Entry(0), NextChange::Entry(1), NextChange::Fresh]);
}

#[test]
fn a_supervisor_that_does_not_read_makes_nothing_grow() {
    let (one, mut other) = keepalived_kernel::pipe::pair().map(|(one, other)| (Connection::new(one), other)).unwrap();
    let mut supervisor = one;
    let mut sender = ChangeSender::default();
    let mut now = Instant::ZERO + Duration::from_secs(1);
    let made = std::cell::Cell::new(0_u64);
    let mut send = |now: Instant, supervisor: &mut Connection| {
        sender.send(now, supervisor, Some(PAUSE), || {
            made.set(made.get() + 1);
            Some(FromChild::Hello(made.get()))
        })
    };
    assert_eq!(send(now, &mut supervisor), Some(now + PAUSE));
    assert_eq!(send(now, &mut supervisor), Some(now + PAUSE), "one message at a time");
    for _ in 0..100_000 {
        now += PAUSE;
        send(now, &mut supervisor);
    }
    let waiting = made.get();
    assert!(waiting < 99_000, "the pipe never was full");
    for _ in 0..100 {
        now += PAUSE;
        send(now, &mut supervisor);
    }
    assert_eq!(made.get(), waiting, "none is made while one waits");
    let mut heard = Vec::new();
    let mut drain = |pipe: &mut keepalived_kernel::pipe::Pipe| {
        while let crate::message::Incoming::Message(FromChild::Hello(number), _) =
            crate::message::receive::<FromChild>(pipe).unwrap()
        {
            heard.push(number);
        }
    };
    drain(&mut other);
    now += PAUSE;
    send(now, &mut supervisor);
    drain(&mut other);
    assert_eq!(heard, (1..=waiting).collect::<Vec<_>>(), "what was refused comes in its turn");
}

#[test]
fn one_who_waits_gets_it_sooner() {
    let (one, _other) = keepalived_kernel::pipe::pair().map(|(one, other)| (Connection::new(one), other)).unwrap();
    let (mut supervisor, mut sender) = (one, ChangeSender::default());
    let now = Instant::ZERO + Duration::from_secs(1);
    let mut send = |now, pause| sender.send(now, &mut supervisor, pause, || Some(FromChild::Hello(0)));
    assert_eq!(send(now, Some(PAUSE)), Some(now + PAUSE));
    assert_eq!(send(now + PAUSE / 4, Some(PAUSE)), Some(now + PAUSE), "this one waits");
    assert_eq!(send(now + PAUSE / 4, Some(PAUSE / 8)), Some(now + PAUSE / 4 + PAUSE / 8), "and goes now");
    assert_eq!(send(now + PAUSE, None), None);
}
