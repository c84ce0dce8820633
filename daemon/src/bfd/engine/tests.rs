use std::net::IpAddr;

use keepalived_core::bfd::{ControlPacket, Reach};
use keepalived_core::network::LinkIndex;

use super::*;
use crate::configuration::from_text;

fn at(millis: u64) -> Instant {
    Instant::from_nanos(10_000_000_000) + Duration::from_millis(millis)
}

fn config(text: &str) -> Config {
    from_text(text)
}

/// Sessions with 10.0.0.2 and so on, from 10.0.0.1; `lines` stands in each.
fn sessions(neighbors: &[u8], lines: &str) -> Config {
    let each =
        |last: &u8| format!("bfd_instance B{last} {{\n neighbor_ip 10.0.0.{last}\n source_ip 10.0.0.1\n{lines}\n}}\n");
    config(&neighbors.iter().map(each).collect::<String>())
}

fn other(last: u8, lines: &str) -> Config {
    config(&format!("bfd_instance A {{\n neighbor_ip 10.0.0.1\n source_ip 10.0.0.{last}\n{lines}\n}}\n"))
}

struct Side {
    engine: Engine,
    address: IpAddr,
}

/// Engines that hear each other; what is sent arrives at once.
struct Rig {
    now: Instant,
    sides: Vec<Side>,
    cut: bool,
}

impl Rig {
    fn new(lines: &str) -> Self {
        let now = at(0);
        let side = |config: &Config, last: u8| Side {
            engine: Engine::new(now, config, &BTreeMap::new(), u64::from(last)),
            address: IpAddr::from([10, 0, 0, last]),
        };
        Self { now, sides: vec![side(&sessions(&[2], lines), 1), side(&other(2, lines), 2)], cut: false }
    }

    fn run(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        loop {
            let wake = self.sides.iter_mut().filter_map(|side| side.engine.next_due()).min();
            let Some(wake) = wake.filter(|wake| *wake <= end) else { break };
            self.now = wake.max(self.now);
            for from in 0..2 {
                let mut sent = Vec::new();
                while !self.sides[from].engine.turn(self.now, self.now, |id, octets| {
                    sent.push((id, *octets));
                    true
                }) {}
                if self.cut {
                    continue;
                }
                let (source, destination) = (self.sides[from].address, self.sides[1 - from].address);
                let engine = &self.sides[from].engine;
                let with_it = |id| engine.sessions().any(|(known, with)| known == id && with.neighbor == destination);
                sent.retain(|(id, _)| with_it(*id));
                for (_, octets) in sent {
                    let arrival = Arrival {
                        source,
                        destination,
                        link: LinkIndex(2),
                        reach: Reach::SingleHop,
                        hop_limit: 255,
                        octets: &octets,
                    };
                    self.sides[1 - from].engine.receive(self.now, &arrival);
                }
            }
        }
        self.now = end;
    }

    fn results(&mut self) -> Vec<bool> {
        self.sides[0].engine.results().into_iter().map(|result| result.is_up).collect()
    }

    fn lines(&mut self) -> Vec<String> {
        self.sides[0].engine.reports().iter().map(ToString::to_string).collect()
    }

    fn standing(&mut self) -> SessionStanding {
        let known = self.sides[0].engine.standings(usize::MAX);
        known.into_iter().find_map(|(name, standing)| standing.filter(|_| name == "B2")).unwrap()
    }
}

const FAST: &str = "min_rx 50\nmin_tx 50\nmultiplier 3";

#[test]
fn followers_hear_of_a_session_that_comes_up_and_of_a_path_that_dies() {
    let mut rig = Rig::new(FAST);
    rig.run(3000);
    assert_eq!(rig.results(), [true]);
    let lines = rig.lines();
    assert!(lines.contains(&"(B2) Entering Up state".to_owned()), "{lines:?}");
    assert!(lines.contains(&"(B2) Detection time is 150000 us (was 3000000 us)".to_owned()), "{lines:?}");
    rig.cut = true;
    rig.run(500);
    assert_eq!(rig.results(), [false]);
    let lines = rig.lines();
    assert!(lines[0].starts_with("(B2) Expired after 15"), "{lines:?}");
    let journal = rig.sides[0].engine.records(SystemTime::UNIX_EPOCH);
    assert_eq!(journal.len(), 2, "up and down");
    assert_eq!(journal[1].subject.to_string(), "BFD session B2:");
    assert!(
        journal[1].event.to_string().starts_with("Up -> Down: Control Detection Time Expired after 15"),
        "{}",
        journal[1].event
    );
}

#[test]
fn a_neighbour_that_is_stopped_on_purpose_is_no_failure() {
    let mut rig = Rig::new(FAST);
    rig.run(3000);
    rig.results();
    let now = rig.now;
    rig.sides[1].engine.stop(now);
    rig.run(1);
    rig.cut = true;
    rig.run(5000);
    assert_eq!(rig.results(), [false; 0]);
    let lines = rig.lines();
    let down = "(B2) Entering Down state (Local diagnostic - Neighbor Signaled Session Down, Remote diagnostic - Administratively Down); its administrator wants so";
    assert!(lines.iter().any(|line| line == down), "{lines:?}");
    assert!(rig.sides[0].engine.all_results(|_| true)[0].is_up, "the path was good when it was seen last");
}

#[test]
fn what_this_machine_had_no_time_to_read_brings_nothing_down() {
    let mut rig = Rig::new(FAST);
    rig.run(3000);
    let (late, heard_until) = (rig.now + Duration::from_secs(5), rig.now);
    rig.sides[0].engine.turn(late, heard_until, |_, _| true);
    assert_eq!(rig.results(), [true]);
    // and it does not turn in a circle: each deadline fires once in a turn
    assert!(rig.sides[0].engine.turn(late, heard_until, |_, _| true));
}

#[test]
fn the_process_after_a_killed_one_goes_on() {
    let mut rig = Rig::new(FAST);
    rig.run(3000);
    rig.results();
    let id = rig.sides[0].engine.sessions().next().unwrap().0;
    rig.sides[0].engine.set_voice(id, Ok(50_000));
    let standing = rig.standing();
    assert_eq!((standing.source_port, standing.is_up), (Some(50_000), true));
    rig.now += Duration::from_millis(60);
    let known = BTreeMap::from([("B2".to_owned(), standing)]);
    rig.sides[0].engine = Engine::new(rig.now, &sessions(&[2], FAST), &known, 99);
    assert_eq!(rig.sides[0].engine.source_port(id), Some(50_000));
    rig.run(3000);
    assert_eq!(rig.results(), [false; 0], "nobody noticed");
    assert!(rig.sides[1].engine.results().iter().all(|result| result.is_up));
    assert!(rig.sides[0].engine.all_results(|_| true)[0].is_up);
}

#[test]
fn a_reload_keeps_sessions_and_forgets_what_is_gone() {
    let mut rig = Rig::new(FAST);
    rig.run(3000);
    rig.results();
    rig.standing();
    let now = rig.now;
    // another place, other times, one more
    let gone = rig.sides[0].engine.reload(now, &sessions(&[3, 2], "min_rx 80\nmin_tx 80\nmultiplier 4")).gone;
    assert!(gone.is_empty());
    rig.run(2000);
    assert_eq!(rig.results(), [false; 0]);
    let names: Vec<_> = rig.sides[0].engine.sessions().map(|(_, instance)| instance.name.clone()).collect();
    assert_eq!(names, ["B3", "B2"]);
    assert!(rig.sides[0].engine.all_results(|instance| instance.name == "B2")[0].is_up);
    let now = rig.now;
    let gone = rig.sides[0].engine.reload(now, &sessions(&[3], FAST)).gone;
    assert_eq!(gone.len(), 1);
    assert!(rig.sides[0].engine.standings(usize::MAX).contains(&("B2".to_owned(), None)));
}

#[test]
fn packets_that_are_discarded_are_said_now_and_then() {
    let mut engine = Engine::new(at(0), &sessions(&[2], FAST), &BTreeMap::new(), 1);
    for turn in 0..10_000 {
        let source = IpAddr::from([10, 0, 0, 9]);
        let arrival = Arrival {
            source,
            destination: IpAddr::from([10, 0, 0, 1]),
            link: LinkIndex(2),
            reach: Reach::SingleHop,
            hop_limit: 255,
            octets: &[0; 24],
        };
        engine.receive(at(turn), &arrival);
    }
    let lines: Vec<String> = engine.reports().iter().map(ToString::to_string).collect();
    assert!((5..8).contains(&lines.len()), "{lines:?}");
    assert_eq!(lines[0], "Discarding a BFD packet from 10.0.0.9: version 0 instead of 1");
}

#[test]
fn the_view_shows_what_is_and_what_was_counted() {
    let mut rig = Rig::new(FAST);
    rig.run(3000);
    let mut view = keepalived_state::BfdView::default();
    let now = rig.now;
    let mut take = |rig: &mut Rig| {
        for change in
            rig.sides[0].engine.view_changes(now, SystemTime::UNIX_EPOCH + Duration::from_secs(100), 1000).changes
        {
            view.apply(change);
        }
        view.clone()
    };
    let session = take(&mut rig).sessions.remove(0);
    assert_eq!(
        (session.name.as_str(), session.state, session.remote.state),
        ("B2", SessionState::Up, SessionState::Up)
    );
    assert_eq!(session.detection_time, Duration::from_millis(150));
    rig.run(1000);
    take(&mut rig);
    rig.sides[0].engine.request_changes();
    // packets are counted all the time: to those who look, numbers are no news
    let (now, wall) = (rig.now, SystemTime::UNIX_EPOCH);
    let told = rig.sides[0].engine.view_changes(now, wall, 10).changes;
    assert!(told.iter().all(|change| matches!(change, BfdChange::Counters(..))) && told.len() == 1, "{told:?}");
    rig.sides[0].engine.request_changes();
    let later = take(&mut rig).sessions.remove(0);
    assert!(later.counters.received > session.counters.received + 15, "{:?}", later.counters);
}

#[test]
fn a_packet_that_the_kernel_does_not_take_is_counted() {
    let mut engine = Engine::new(at(0), &sessions(&[2], FAST), &BTreeMap::new(), 1);
    let mut octets = None;
    engine.turn(at(0), at(0), |_, sent| {
        octets = Some(*sent);
        false
    });
    assert_eq!(ControlPacket::decode(&octets.unwrap()).unwrap().state, SessionState::Down);
    let view = engine.view_changes(at(0), SystemTime::UNIX_EPOCH, 10).changes;
    let BfdChange::Session(_, session) = &view[1] else { panic!("{view:?}") };
    assert_eq!((session.counters.sent, session.counters.send_errors), (0, 1));
}

#[test]
fn a_session_goes_on_under_another_name() {
    let mut rig = Rig::new(FAST);
    rig.run(3000);
    rig.results();
    rig.standing();
    let now = rig.now;
    let renamed =
        "bfd_instance C {\n neighbor_ip 10.0.0.2\n source_ip 10.0.0.1\nmin_rx 50\nmin_tx 50\nmultiplier 3\n}\n";
    assert_eq!(rig.sides[0].engine.reload(now, &config(renamed)).gone, []);
    rig.run(3000);
    assert!(rig.sides[1].engine.results().iter().all(|result| result.is_up), "the neighbour noticed");
    let all = rig.sides[0].engine.all_results(|_| true);
    assert!(all[0].is_up && all[0].session == "C", "{all:?}");
    // the supervisor knows the new name, and forgets the old one
    let told = rig.sides[0].engine.standings(usize::MAX);
    assert!(told.contains(&("B2".to_owned(), None)), "{told:?}");
    assert!(told.iter().any(|(name, standing)| name == "C" && standing.is_some_and(|standing| standing.is_up)));
}

#[test]
fn a_session_that_a_reload_takes_away_is_no_failure_for_its_neighbour() {
    let mut rig = Rig::new(FAST);
    rig.run(3000);
    let now = rig.now;
    let gone = rig.sides[0].engine.reload(now, &config("")).gone;
    let octets = gone[0].farewell.unwrap();
    let (source, destination) = (rig.sides[0].address, rig.sides[1].address);
    let (link, reach) = (LinkIndex(2), Reach::SingleHop);
    let arrival = Arrival { source, destination, link, reach, hop_limit: 255, octets: &octets };
    rig.sides[1].engine.results();
    rig.sides[1].engine.receive(now, &arrival);
    rig.run(5000);
    assert!(rig.sides[1].engine.results().is_empty());
}

#[test]
fn a_neighbour_cannot_make_us_log_without_end() {
    let mut rig = Rig::new(FAST);
    rig.run(3000);
    rig.lines();
    let id = rig.sides[0].engine.sessions().next().unwrap().0;
    let local = rig.sides[0].engine.sessions.get(id).unwrap().local();
    let mut packet =
        rig.sides[1].engine.sessions.turn(rig.now + Duration::from_secs(1), rig.now, SessionId(0)).1.unwrap();
    packet[8..12].copy_from_slice(&local.get().to_be_bytes());
    for turn in 0..10_000_u64 {
        let now = rig.now + Duration::from_millis(turn);
        // Up, Down, Init, Up again with another interval each time
        packet[1] = [0xc0, 0x40, 0x80, 0xc0][usize::try_from(turn % 4).unwrap()];
        packet[12..16].copy_from_slice(&u32::try_from(turn + 1).unwrap().to_be_bytes());
        let arrival = Arrival {
            source: rig.sides[1].address,
            destination: rig.sides[0].address,
            link: LinkIndex(2),
            reach: Reach::SingleHop,
            hop_limit: 255,
            octets: &packet,
        };
        rig.sides[0].engine.receive(now, &arrival);
    }
    let lines = rig.lines();
    // ten seconds
    assert!((20..70).contains(&lines.len()), "{}", lines.len());
    assert!(lines.iter().any(|line| line.contains("changes before are not shown")), "{lines:?}");
    assert!(rig.sides[0].engine.records(SystemTime::UNIX_EPOCH).len() < 40);
    assert_eq!(rig.sides[0].engine.results().len(), 1, "the last result");
}

/// RFC 5880 §4.1, diagnostic 5. `B2` hears its neighbour through link 2.
#[test]
fn followers_hear_at_once_that_a_link_is_down() {
    let mut rig = Rig::new(FAST);
    rig.run(3000);
    rig.results();
    rig.lines();
    rig.cut = true;
    let now = rig.now;
    rig.sides[0].engine.link_down(now, LinkIndex(3));
    assert_eq!(rig.results(), [false; 0]);
    rig.sides[0].engine.link_down(now, LinkIndex(2));
    assert_eq!(rig.results(), [false]);
    let lines = rig.lines();
    assert_eq!(lines, ["(B2) Entering Down state (Local diagnostic - Path Down, Remote diagnostic - No Diagnostic)"]);
    rig.run(1000);
    rig.cut = false;
    rig.run(5000);
    assert_eq!(rig.results(), [true], "it comes up again when it can");
}

#[test]
fn a_link_local_neighbour_is_reached_through_its_interface() {
    let text = |own: u8, other: u8| {
        config(&format!("bfd_instance B {{\n neighbor_ip fe80::{other}%eth0\n source_ip fe80::{own}\n{FAST}\n}}\n"))
    };
    let mut engine = Engine::new(at(0), &text(1, 2), &BTreeMap::new(), 1);
    let eth0 = InterfaceName::new(b"eth0").unwrap();
    assert_eq!(engine.interfaces().into_iter().collect::<Vec<_>>(), [eth0]);
    engine.set_interface(at(0), eth0, Some(LinkIndex(2)));
    let id = engine.sessions().next().unwrap().0;
    let mut hear = |link: u32| {
        let mut octets = None;
        let mut other = Engine::new(at(0), &text(2, 1), &BTreeMap::new(), 2);
        other.turn(at(0), at(0), |_, sent| {
            octets = Some(*sent);
            true
        });
        let arrival = Arrival {
            source: "fe80::2".parse().unwrap(),
            destination: "fe80::1".parse().unwrap(),
            link: LinkIndex(link),
            reach: Reach::SingleHop,
            hop_limit: 255,
            octets: &octets.unwrap(),
        };
        engine.receive(at(0), &arrival);
        engine.session(id).unwrap().state()
    };
    assert_eq!([hear(3), hear(2)], [SessionState::Down, SessionState::Init]);
}

/// RFC 5880 §6.8.16: the neighbour should be sure to hear of it.
#[test]
fn a_stop_is_told_until_the_neighbour_answers() {
    let mut rig = Rig::new(FAST);
    rig.run(3000);
    assert!(!rig.sides[0].engine.owes_farewells());
    let now = rig.now;
    rig.sides[0].engine.stop(now);
    rig.cut = true;
    rig.run(1);
    assert!(rig.sides[0].engine.owes_farewells(), "the packet is lost");
    let now = rig.now;
    rig.sides[0].engine.repeat(now);
    rig.cut = false;
    rig.run(1);
    assert!(!rig.sides[0].engine.owes_farewells());
    assert_eq!(rig.sides[1].engine.session(SessionId(0)).unwrap().state(), SessionState::Down);
    // a neighbour that is gone is not waited for longer than its packets are missed
    let mut rig = Rig::new(FAST);
    rig.run(3000);
    rig.cut = true;
    let now = rig.now;
    rig.sides[0].engine.stop(now);
    rig.run(200);
    assert!(!rig.sides[0].engine.owes_farewells());
}
