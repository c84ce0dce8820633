//! The screen of `keepalivedctl watch` fits, whatever there is to show.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use keepalived_state::{Event, Latest, Record, ServerView, ServiceView, Snapshot, Subject};
use keepalived_surface::status::{Look, Scene, Size, watch};

const NOW: SystemTime = UNIX_EPOCH;

fn site(services: u8) -> Snapshot {
    let mut snapshot = Snapshot { router_id: "lb1".to_owned(), ..Snapshot::default() };
    for number in 0..services {
        let name = format!("[192.0.2.{number}]:tcp:80");
        let server = ServerView { name: "[10.0.0.1]:tcp:80".to_owned(), up: number % 2 == 0, ..ServerView::default() };
        snapshot.balance.services.push(ServiceView { name: name.clone(), servers: vec![server], ..Default::default() });
        let subject = Subject::VirtualServer(name);
        let at = NOW + Duration::from_secs(number.into());
        snapshot.balance.journal.push(Record { at, subject, event: Event::QuorumLost(0) });
    }
    snapshot
}

fn screen(snapshot: &Snapshot, colour: bool, columns: u16, rows: u16) -> String {
    let latest = Latest::of(snapshot);
    let scene = Scene { snapshot, latest: &latest, now: NOW, ahead: 0 };
    watch(&scene, Look { colour, all: false }, Size { columns, rows })
}

#[test]
fn the_usual_terminal_shows_problems_and_the_first_of_everything() {
    let text = screen(&site(100), false, 80, 24);
    assert!(text.lines().count() <= 24 && text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(text.starts_with("lb1   150 problems"), "{text}");
    for word in ["SERVER", "EVENTS", "[192.0.2.99]:tcp:80: quorum lost", "more lines"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let quiet = screen(&Snapshot::default(), false, 80, 24);
    assert!(quiet.contains("All well"), "{quiet}");
}

#[test]
fn no_size_is_too_small() {
    for (columns, rows) in [(0, 0), (1, 1), (5, 3), (20, 500), (500, 2)] {
        let text = screen(&site(20), true, columns, rows);
        assert!(text.lines().count() <= usize::from(rows).max(1), "{columns} x {rows}: {text}");
    }
}
