//! What `keepalivedctl` says of the same instances: what keeps one from being as it should.

use std::time::Duration;

use keepalived_core::vrrp::State;
use keepalived_core::vrrp::tracking::{Detail, TrackerId, TrackerKind, TrackerState, Weight};
use keepalived_state::{FollowerView, Latest, ObjectKind, ObjectView, Snapshot, TrackerSettings, TrackerView};
use keepalived_surface::status::{Look, Scene, document, problems, why};

use super::scene::{at, p6};

const NOW: Duration = Duration::from_secs(1_795_235_400);

/// V2 alone.
fn snapshot() -> Snapshot {
    let (_, mut snapshot) = p6();
    snapshot.vrrp.instances.retain(|instance| instance.name == "V2");
    snapshot.vrrp.trackers.clear();
    Snapshot { vrrp: snapshot.vrrp, router_id: snapshot.router_id, ..Snapshot::default() }
}

#[test]
fn links_routes_and_rules_are_shown_and_what_a_master_lacks_is_a_problem() {
    let mut snapshot = snapshot();
    let object = |kind, what: &str, set| ObjectView { kind, what: what.to_owned(), set };
    snapshot.vrrp.instances[0].objects = vec![
        object(ObjectKind::Link, "vrrp.52 on e0", true),
        object(ObjectKind::Route, "10.0.0.0/8 via 10.5.0.254", false),
        object(ObjectKind::Rule, "100: from 10.0.0.0/8 lookup 5", true),
    ];
    let latest = Latest::default();
    let scene = Scene { snapshot: &snapshot, latest: &latest, now: at(0) + NOW, ahead: 0 };
    let said: Vec<String> = problems(&scene).into_iter().map(|problem| problem.what).collect();
    assert_eq!(said, ["V2 is MASTER, and route 10.0.0.0/8 via 10.5.0.254 cannot be set"]);
    let text = why(&scene, "V2", Look::default()).unwrap();
    assert!(
        text.contains("  route 10.0.0.0/8 via 10.5.0.254 not here\n  rule 100: from 10.0.0.0/8 lookup 5 in place here")
    );
    let document: serde_json::Value = serde_json::from_str(&document(&scene)).unwrap();
    assert_eq!(document["instances"][0]["objects"][1]["set"], false);
    assert_eq!(document["instances"][0]["objects"][0]["what"], "vrrp.52 on e0");
}

#[test]
fn an_instance_that_waits_for_a_first_result_says_so() {
    let mut snapshot = snapshot();
    snapshot.vrrp.instances[0].state = State::Init;
    let follower = |value| FollowerView { instance: "V2".into(), weight: Weight { value, reverse: false } };
    let tracker = |name: &str, value| TrackerView {
        id: TrackerId::new(TrackerKind::Probe, name.to_owned()),
        settings: TrackerSettings::Plain,
        state: TrackerState::Initial,
        since: at(0),
        detail: Detail::Nothing,
        followers: vec![follower(value)],
    };
    // one with a weight is not waited for
    snapshot.vrrp.trackers = vec![tracker("gw", 0), tracker("other", 10)];
    let latest = Latest::default();
    let scene = Scene { snapshot: &snapshot, latest: &latest, now: at(0) + NOW, ahead: 0 };
    let said: Vec<String> = problems(&scene).into_iter().map(|problem| problem.what).collect();
    assert_eq!(said, [format!("V2 does not start before {} has a first result", snapshot.vrrp.trackers[0].id)]);
    assert!(why(&scene, "V2", Look::default()).unwrap().contains("has its first result"));
    let document: serde_json::Value = serde_json::from_str(&document(&scene)).unwrap();
    assert_eq!(document["instances"][0]["waits_for"].as_array().map(Vec::len), Some(1));
}
