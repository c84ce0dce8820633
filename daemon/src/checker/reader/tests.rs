//! A reader, and what a runner is asked for: here the runner is the test.

use keepalived_kernel::pipe;
use tokio::task::LocalSet;

use super::*;
use crate::connection::Connection;
use crate::message::{Ended, HowEnded, Incoming, Lives, Request};

const PATH: &str = "/run/fifo";

/// The test as the runner of these programs.
struct Runner(Connection);

impl Runner {
    fn of(programs: &Programs) -> Self {
        let (ours, theirs) = pipe::pair().unwrap();
        programs.connect(Connection::new(theirs));
        Self(Connection::new(ours))
    }

    /// `run 1 reader a /run/fifo`, `end 1 within 1s`: what is asked for once everybody has said what there is to say.
    async fn asked(&mut self) -> Vec<String> {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        let mut asked = Vec::new();
        while let Incoming::Message(request, _) = self.0.hear::<Request>().unwrap() {
            asked.push(match request {
                Request::Run(order) => {
                    assert_eq!(order.lives, Lives::WhileWanted);
                    format!("run {} {} {}", order.id, order.script.argv.join(" "), order.extra.join(" "))
                }
                Request::End { id, within } => format!("end {id} within {within:?}"),
            });
        }
        asked
    }

    fn ended(&mut self, programs: &Programs, id: u64) {
        self.0.say(&Ended { id, how: HowEnded::Status(0) });
        assert!(programs.listen());
    }
}

fn script(name: &str) -> Script {
    Script { argv: vec![name.into(), "a".into()], user: None, group: None }
}

fn check(test: impl AsyncFnOnce(Programs)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    LocalSet::new().block_on(&runtime, test(Programs::default()));
}

#[test]
fn it_runs_with_the_path_as_its_last_argument_until_it_is_told_to_end() {
    check(async |programs| {
        let mut runner = Runner::of(&programs);
        let reader = Reader::start(&programs, &script("reader"), PATH, None);
        assert_eq!(runner.asked().await, ["run 1 reader a /run/fifo"]);
        let Ending(task) = reader.end(Duration::from_secs(1));
        assert_eq!(runner.asked().await, ["end 1 within 1s"]);
        runner.ended(&programs, 1);
        task.await.unwrap();
        assert!(runner.asked().await.is_empty(), "it is not started again");
    });
}

#[test]
fn one_that_ends_is_started_again() {
    check(async |programs| {
        let mut runner = Runner::of(&programs);
        let _reader = Reader::start(&programs, &script("reader"), PATH, None);
        assert_eq!(runner.asked().await, ["run 1 reader a /run/fifo"]);
        runner.ended(&programs, 1);
        assert_eq!(runner.asked().await, ["run 2 reader a /run/fifo"]);
        runner.ended(&programs, 2);
        assert!(runner.asked().await.is_empty(), "not at once if it ends again and again");
    });
}

#[test]
fn the_next_one_starts_when_the_one_before_has_ended() {
    check(async |programs| {
        let mut runner = Runner::of(&programs);
        let first = Reader::start(&programs, &script("first"), PATH, None);
        assert_eq!(runner.asked().await, ["run 1 first a /run/fifo"]);
        let _second = Reader::start(&programs, &script("second"), PATH, Some(first.end(Duration::ZERO)));
        assert_eq!(runner.asked().await, ["end 1 within 0ns"]);
        runner.ended(&programs, 1);
        assert_eq!(runner.asked().await, ["run 2 second a /run/fifo"]);
    });
}

#[test]
fn a_runner_that_takes_over_runs_what_is_wanted() {
    check(async |programs| {
        let mut runner = Runner::of(&programs);
        let stays = Reader::start(&programs, &script("stays"), PATH, None);
        let goes = Reader::start(&programs, &script("goes"), PATH, None);
        assert_eq!(runner.asked().await.len(), 2);
        let Ending(task) = goes.end(Duration::ZERO);
        let mut next = Runner::of(&programs);
        assert_eq!(next.asked().await, ["run 1 stays a /run/fifo"]);
        task.await.unwrap();
        stays.end(Duration::ZERO);
        assert_eq!(next.asked().await, ["end 1 within 0ns"]);
    });
}

#[test]
fn what_the_runner_has_not_heard_of_is_not_begun() {
    check(async |programs| {
        let reader = Reader::start(&programs, &script("reader"), PATH, None);
        tokio::task::yield_now().await;
        let Ending(task) = reader.end(Duration::ZERO);
        task.await.unwrap();
        assert!(Runner::of(&programs).asked().await.is_empty());
    });
}
