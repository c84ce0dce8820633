//! Orders and their answers; the test plays the runner.

use keepalived_kernel::pipe;

use super::*;

const LIMIT: Duration = Duration::from_secs(5);
const NOW: Instant = Instant::from_nanos(1_000_000_000_000);

fn script() -> Script {
    Script { argv: vec!["check".into()], user: None, group: None }
}

fn runner_of(programs: &mut Programs) -> Connection {
    let (ours, theirs) = pipe::pair().unwrap();
    programs.connect(Connection::new(theirs));
    Connection::new(ours)
}

/// The numbers of programs that the runner has to run; negative, of those that it has to end.
fn asked(runner: &mut Connection) -> Vec<i64> {
    let mut asked = Vec::new();
    while let Incoming::Message(request, _) = runner.hear::<Request>().unwrap() {
        let (sign, id) = match request {
            Request::Run(order) => (1, order.id),
            Request::End { id, .. } => (-1, id),
        };
        asked.push(sign * i64::try_from(id).unwrap());
    }
    asked
}

#[test]
fn an_answer_that_does_not_come_is_given_up() {
    let mut programs = Programs::default();
    let mut runner = runner_of(&mut programs);
    let id = programs.run(&script(), LIMIT, NOW);
    assert_eq!(asked(&mut runner), [1]);
    let lost = programs.turn(NOW).unwrap();
    assert_eq!(lost, NOW + patience(LIMIT));
    assert!(programs.ended().is_empty());
    assert_eq!(programs.turn(lost), None);
    let ended = programs.ended();
    assert!(
        matches!(ended.as_slice(), [(of, HowEnded::NotRun(Blame::Machine, why))] if *of == id && why.contains("15 s")),
        "{ended:?}"
    );
    assert_eq!(asked(&mut runner), [-1]);
    // the answer comes after all
    runner.say(&Ended { id: 1, how: HowEnded::Status(0) });
    programs.listen();
    assert!(programs.ended().is_empty(), "it was told once");
}

#[test]
fn an_order_that_no_runner_took_is_given_up_and_never_run() {
    let mut programs = Programs::default();
    programs.run(&script(), LIMIT, NOW);
    programs.turn(NOW + patience(LIMIT));
    assert_eq!(programs.ended().len(), 1);
    assert!(asked(&mut runner_of(&mut programs)).is_empty());
}

#[test]
fn an_answer_in_time_ends_the_waiting() {
    let mut programs = Programs::default();
    let mut runner = runner_of(&mut programs);
    let id = programs.run(&script(), LIMIT, NOW);
    runner.say(&Ended { id: 1, how: HowEnded::Status(3) });
    programs.listen();
    assert_eq!(programs.ended(), [(id, HowEnded::Status(3))]);
    assert_eq!(programs.turn(NOW + Duration::from_secs(60)), None, "nothing is awaited any more");
    assert!(programs.ended().is_empty());
}

#[test]
fn a_notification_is_told_again_if_the_runner_dies_before_it_has_ended() {
    let mut programs = Programs::default();
    let notify = |programs: &mut Programs| {
        let (script, about) = (script(), "VI_1".to_owned());
        programs.notify(Notice { script: &script, extra: Vec::new(), environment: Vec::new(), about });
    };
    let mut runner = runner_of(&mut programs);
    notify(&mut programs);
    notify(&mut programs);
    assert_eq!(asked(&mut runner), [1, 2]);
    runner.say(&Ended { id: 1, how: HowEnded::Status(0) });
    programs.listen();
    drop(runner);
    assert!(!programs.listen());
    notify(&mut programs);
    let mut runner = runner_of(&mut programs);
    assert_eq!(asked(&mut runner), [2, 3], "once each, in order");
    for (id, how) in [(2, HowEnded::NotRun(Blame::Machine, "a later one".to_owned())), (3, HowEnded::Status(1))] {
        runner.say(&Ended { id, how });
    }
    programs.listen();
    assert!(programs.ended().is_empty(), "nobody waits for them");
    assert!(asked(&mut runner_of(&mut programs)).is_empty());
}

#[test]
fn an_old_state_is_not_told_again_after_a_newer_one() {
    let mut programs = Programs::default();
    let notify = |programs: &mut Programs, about: &str| {
        let (script, about) = (script(), about.to_owned());
        programs.notify(Notice { script: &script, extra: Vec::new(), environment: Vec::new(), about });
    };
    let mut runner = runner_of(&mut programs);
    ["VI_1", "VI_2", "VI_1"].iter().for_each(|about| notify(&mut programs, about));
    assert_eq!(asked(&mut runner), [1, 2, 3]);
    // the first one hangs, and the runner runs the third beside it
    runner.say(&Ended { id: 3, how: HowEnded::Status(0) });
    programs.listen();
    drop(runner);
    assert!(!programs.listen());
    assert_eq!(asked(&mut runner_of(&mut programs)), [2]);
}

#[test]
fn notifications_that_no_runner_takes_are_bounded() {
    let mut programs = Programs::default();
    for number in 0..MOST_WAITING + 10 {
        let (script, about) = (script(), number.to_string());
        programs.notify(Notice { script: &script, extra: Vec::new(), environment: Vec::new(), about });
    }
    assert_eq!((programs.waiting.len(), programs.awaited.len()), (MOST_WAITING, MOST_WAITING));
}
