//! A reader, and what a runner is asked for: here the runner is the test.

use keepalived_kernel::pipe;

use super::*;
use crate::connection::Connection;
use crate::message::{Ended, Incoming, Lives, Request};

const PATH: &str = "/run/fifo";
const NOW: Instant = Instant::from_nanos(1_000_000_000_000);

/// The test as the runner of these programs, and the process that wants them run.
struct Scene {
    programs: Programs,
    runner: Option<Connection>,
    now: Instant,
}

impl Scene {
    fn without_runner() -> Self {
        Self { programs: Programs::default(), runner: None, now: NOW }
    }

    fn new() -> Self {
        let mut scene = Self::without_runner();
        scene.next_runner();
        scene
    }

    /// A runner takes over.
    fn next_runner(&mut self) {
        let (ours, theirs) = pipe::pair().unwrap();
        self.programs.connect(Connection::new(theirs));
        self.runner = Some(Connection::new(ours));
    }

    fn start(&mut self, name: &str, before: Option<Ending>) -> Reader {
        let script = Script { argv: vec![name.into(), "a".into()], user: None, group: None };
        Reader::start(&mut self.programs, &script, PATH, before)
    }

    /// `run 1 reader a /run/fifo`, `end 1 within 1s`: what the runner is asked for.
    fn asked(&mut self) -> Vec<String> {
        let mut asked = Vec::new();
        let runner = self.runner.as_mut().unwrap();
        while let Incoming::Message(request, _) = runner.hear::<Request>().unwrap() {
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

    /// The program of this number ends.
    fn ends(&mut self, id: u64, reader: &mut Reader) {
        self.runner.as_mut().unwrap().say(&Ended { id, how: HowEnded::Status(0) });
        assert!(self.programs.listen());
        self.tell(reader);
    }

    fn tell(&mut self, reader: &mut Reader) {
        for (id, how) in self.programs.ended() {
            reader.ended(id, &how, self.now, &mut self.programs);
        }
        reader.turn(self.now, &mut self.programs);
    }
}

#[test]
fn it_runs_with_the_path_as_its_last_argument_until_it_is_told_to_end() {
    let mut scene = Scene::new();
    let reader = scene.start("reader", None);
    assert_eq!(scene.asked(), ["run 1 reader a /run/fifo"]);
    assert!(reader.end(&mut scene.programs, Duration::from_secs(1)).is_some());
    assert_eq!(scene.asked(), ["end 1 within 1s"]);
}

#[test]
fn one_that_ends_is_started_again() {
    let mut scene = Scene::new();
    let mut reader = scene.start("reader", None);
    assert_eq!(scene.asked(), ["run 1 reader a /run/fifo"]);
    scene.ends(1, &mut reader);
    assert_eq!(scene.asked(), ["run 2 reader a /run/fifo"]);
    scene.ends(2, &mut reader);
    assert!(scene.asked().is_empty(), "not at once if it ends again and again");
    let again = reader.turn(scene.now, &mut scene.programs).unwrap();
    assert_eq!(again, NOW + Duration::from_secs(1));
    scene.now = again;
    scene.tell(&mut reader);
    assert_eq!(scene.asked(), ["run 3 reader a /run/fifo"]);
}

#[test]
fn the_next_one_starts_when_the_one_before_has_ended() {
    let mut scene = Scene::new();
    let first = scene.start("first", None);
    assert_eq!(scene.asked(), ["run 1 first a /run/fifo"]);
    let ending = first.end(&mut scene.programs, Duration::ZERO);
    let second = scene.start("second", ending);
    assert_eq!(scene.asked(), ["end 1 within 0ns"]);
    // a third one comes before the second could begin
    let ending = second.end(&mut scene.programs, Duration::ZERO);
    let mut third = scene.start("third", ending);
    assert!(scene.asked().is_empty());
    scene.ends(1, &mut third);
    assert_eq!(scene.asked(), ["run 2 third a /run/fifo"]);
}

#[test]
fn a_runner_that_takes_over_runs_what_is_wanted() {
    let mut scene = Scene::new();
    let stays = scene.start("stays", None);
    let goes = scene.start("goes", None);
    assert_eq!(scene.asked().len(), 2);
    let ending = goes.end(&mut scene.programs, Duration::ZERO);
    let mut after = scene.start("after", ending);
    scene.next_runner();
    assert_eq!(scene.asked(), ["run 1 stays a /run/fifo"]);
    scene.tell(&mut after);
    assert_eq!(scene.asked(), ["run 3 after a /run/fifo"], "the programs of a runner that died end with it");
    stays.end(&mut scene.programs, Duration::ZERO);
    assert_eq!(scene.asked(), ["end 1 within 0ns"]);
}

#[test]
fn what_the_runner_has_not_heard_of_is_not_begun() {
    let mut scene = Scene::without_runner();
    let reader = scene.start("reader", None);
    reader.end(&mut scene.programs, Duration::ZERO);
    scene.next_runner();
    assert!(scene.asked().is_empty());
}
