//! Trackers: priorities and faults that follow from their results (behaviour.md sections 4 and 6, interfaces.md section 9).

use std::time::{Duration, UNIX_EPOCH};

use keepalived_core::address::InterfaceName;
use keepalived_core::vrrp::tracking::{TrackerId, TrackerKind, TrackerState};
use keepalived_core::vrrp::{Cause, Fault, State};

use super::rig::{ETH1, Rig, VIP, ip, message, one, with_addresses};
use crate::vrrp::report::Report;

const SCRIPT: &str = "vrrp_script chk {\n script \"/bin/true\"\n interval 1\n WEIGHT\n}\n";

/// Instance A with `lines`, below a script with `weight`.
fn text(weight: &str, lines: &str) -> String {
    let script = SCRIPT.replace("WEIGHT", weight);
    script + &one(100).replace("priority 100", &format!("priority 100\n {lines}"))
}

fn tracked(weight: &str) -> String {
    text(weight, "track_script {\n chk\n }")
}

impl Rig {
    fn script(&mut self, state: TrackerState) {
        self.tracker(TrackerKind::Script, "chk", state);
    }

    fn tracker(&mut self, kind: TrackerKind, name: &str, state: TrackerState) {
        self.engine.track(self.now, &TrackerId::new(kind, name), state, String::new());
        self.settle();
    }

    fn priority(&self) -> u8 {
        self.engine.standing()[0].2
    }
}

#[test]
fn an_instance_waits_for_the_first_result_of_an_unweighted_script() {
    let mut rig = Rig::new(&tracked("weight 0"));
    rig.pass(Duration::from_secs(10));
    assert_eq!(rig.state("A"), State::Init);
    assert!(rig.reports.is_empty(), "nothing is said: {:?}", rig.reports);
    rig.script(TrackerState::Up);
    assert_eq!(rig.state("A"), State::Backup);
    // the whole master down time
    rig.pass(Duration::from_millis(3600));
    assert_eq!(rig.state("A"), State::Backup);
    rig.pass(Duration::from_millis(20));
    assert_eq!((rig.state("A"), rig.has(VIP)), (State::Master, true));
}

#[test]
fn a_script_that_fails_from_the_start_is_a_fault() {
    let mut rig = Rig::new(&tracked("weight 0"));
    rig.script(TrackerState::Down);
    assert_eq!(rig.state("A"), State::Fault);
    let fault = Fault::Tracker { tracker: TrackerId::new(TrackerKind::Script, "chk"), state: TrackerState::Down };
    let cause = |report: &Report| match report {
        Report::Transition { transition, .. } => Some(transition.cause.clone()),
        _ => None,
    };
    let Some(Cause::Fault(faults)) = rig.reports.iter().find_map(cause) else { panic!("{:?}", rig.reports) };
    assert!(faults.contains(&fault) && faults.to_string() == "tracked script chk failed", "{faults}");
    rig.script(TrackerState::Up);
    assert_eq!(rig.state("A"), State::Backup);
    let mut rig = Rig::new(&tracked("weight 0\n init_fail"));
    assert_eq!(rig.state("A"), State::Fault, "init_fail: it failed before it ran");
    rig.script(TrackerState::Up);
    assert_eq!(rig.state("A"), State::Backup);
}

#[test]
fn a_master_whose_script_fails_says_farewell_and_gives_its_addresses_up() {
    let mut rig = Rig::new(&tracked("weight 0"));
    rig.script(TrackerState::Up);
    rig.pass(Duration::from_secs(4));
    rig.sent(51);
    rig.script(TrackerState::Down);
    assert_eq!((rig.state("A"), rig.has(VIP), rig.sent(51)), (State::Fault, false, vec![0]));
    rig.script(TrackerState::Up);
    rig.pass(Duration::from_secs(4));
    assert_eq!((rig.state("A"), rig.has(VIP)), (State::Master, true));
}

#[test]
fn a_master_sends_another_priority_with_its_next_regular_advert() {
    let mut rig = Rig::new(&tracked("weight 20"));
    assert_eq!((rig.state("A"), rig.priority()), (State::Backup, 100));
    rig.pass(Duration::from_secs(4));
    rig.sent(51);
    rig.script(TrackerState::Up);
    assert_eq!((rig.priority(), rig.sent(51)), (120, vec![]));
    rig.pass(Duration::from_secs(1));
    assert_eq!(rig.sent(51), [120]);
    let said: Vec<String> = rig.reports.iter().map(ToString::to_string).collect();
    assert!(said.iter().any(|line| line == "(A) Changing effective priority from 100 to 120"), "{said:?}");
    assert_eq!(rig.state("A"), State::Master);
    // the priority of a master that is lower than ours was and higher than ours is
    rig.script(TrackerState::Down);
    rig.hear(&one(110), 110);
    assert_eq!(rig.state("A"), State::Backup);
}

#[test]
fn a_backup_waits_as_long_as_its_priority_says() {
    // skew in version 2: (256 - priority) / 256 s
    for (weight, state, millis) in [("weight -50", TrackerState::Down, 3805), ("weight 50", TrackerState::Up, 3415)] {
        let mut rig = Rig::new(&tracked(weight));
        rig.pass(Duration::from_secs(1));
        rig.script(state);
        rig.pass(Duration::from_millis(millis - 1000 - 5));
        assert_eq!(rig.state("A"), State::Backup, "{weight}");
        rig.pass(Duration::from_millis(10));
        assert_eq!(rig.state("A"), State::Master, "{weight}");
    }
}

#[test]
fn an_owner_has_no_other_priority_and_can_be_in_fault() {
    let owner = |weight: &str| tracked(weight).replace("priority 100", "priority 255");
    let mut rig = Rig::new(&owner("weight -50"));
    rig.script(TrackerState::Down);
    assert_eq!((rig.state("A"), rig.priority()), (State::Master, 255));
    let mut rig = Rig::new(&owner("weight 0"));
    rig.script(TrackerState::Down);
    assert_eq!(rig.state("A"), State::Fault);
}

#[test]
fn a_tracked_interface_is_a_fault_or_a_weight() {
    let mut rig = Rig::new(&text("", "track_interface {\n eth1\n }"));
    rig.pass(Duration::from_secs(4));
    assert_eq!(rig.state("A"), State::Master);
    rig.network().set_running(ETH1, false);
    rig.settle();
    assert_eq!((rig.state("A"), rig.has(VIP)), (State::Fault, false));
    rig.network().set_running(ETH1, true);
    rig.settle();
    assert_eq!(rig.state("A"), State::Backup);

    let mut rig = Rig::new(&text("", "track_interface {\n eth1 weight -30\n }"));
    rig.pass(Duration::from_secs(4));
    assert_eq!(rig.priority(), 100);
    rig.network().set_running(ETH1, false);
    rig.settle();
    assert_eq!((rig.state("A"), rig.priority()), (State::Master, 70));
    rig.network().remove_link(ETH1);
    rig.settle();
    assert_eq!(rig.priority(), 70, "one that is gone is down");
}

#[test]
fn an_interface_that_comes_and_goes_counts_once_it_has_lasted() {
    let delays = "interface_up_down_delays {\n eth1 1 2\n}\n";
    let mut rig = Rig::new(&(delays.to_owned() + &text("", "track_interface {\n eth1\n }")));
    rig.pass(Duration::from_secs(4));
    rig.network().set_running(ETH1, false);
    rig.pass(Duration::from_millis(900));
    assert_eq!(rig.state("A"), State::Master);
    rig.network().set_running(ETH1, true);
    rig.pass(Duration::from_secs(5));
    assert_eq!(rig.state("A"), State::Master, "it was nothing");
    rig.network().set_running(ETH1, false);
    rig.pass(Duration::from_millis(1100));
    assert_eq!(rig.state("A"), State::Fault);
    rig.network().set_running(ETH1, true);
    rig.pass(Duration::from_millis(1900));
    assert_eq!(rig.state("A"), State::Fault);
    rig.pass(Duration::from_millis(200));
    assert_eq!(rig.state("A"), State::Backup);
}

fn group(lines: &str) -> String {
    let group = format!("vrrp_sync_group G {{\n group {{\n A\n B\n }}\n {lines}\n}}\n");
    SCRIPT.replace("WEIGHT", "weight 0") + &one(100) + &with_addresses("B", 52, 100, &["192.0.2.102/24"]) + &group
}

#[test]
fn what_a_group_tracks_concerns_all_members() {
    let mut rig = Rig::new(&group("track_script {\n chk\n }"));
    rig.pass(Duration::from_secs(5));
    assert_eq!((rig.state("A"), rig.state("B")), (State::Init, State::Init));
    rig.script(TrackerState::Up);
    rig.pass(Duration::from_secs(10));
    assert_eq!((rig.state("A"), rig.state("B")), (State::Master, State::Master));
    rig.script(TrackerState::Down);
    assert_eq!((rig.state("A"), rig.state("B")), (State::Fault, State::Fault));
    // a reload that takes the tracker away ends the fault
    rig.reload(&group(""));
    assert_eq!((rig.state("A"), rig.state("B")), (State::Backup, State::Backup));
    rig.reload(&group("track_script {\n chk\n }"));
    assert_eq!(rig.state("A"), State::Backup, "one that runs does not wait for a new script");
}

#[test]
fn a_group_tracks_interfaces_files_and_processes_too() {
    let defined = "track_file f {\n file /run/f\n}\nvrrp_track_process p {\n process p\n weight 0\n}\n";
    let with = |lines: &str| defined.to_owned() + &group(lines);
    let both = |rig: &Rig| (rig.state("A"), rig.state("B"));
    let mut rig = Rig::new(&with("track_interface {\n eth1\n }"));
    assert_eq!(both(&rig), (State::Backup, State::Backup));
    rig.network().set_running(ETH1, false);
    rig.settle();
    assert_eq!(both(&rig), (State::Fault, State::Fault));
    let mut rig = Rig::new(&with("track_file {\n f weight 0\n }"));
    assert_eq!(both(&rig), (State::Backup, State::Backup));
    rig.tracker(TrackerKind::File, "f", TrackerState::Number(1));
    assert_eq!(both(&rig), (State::Fault, State::Fault));
    let mut rig = Rig::new(&with("track_process {\n p\n }"));
    rig.tracker(TrackerKind::Process, "p", TrackerState::Down);
    assert_eq!(both(&rig), (State::Fault, State::Fault));
}

/// With `sync_group_tracking_weight` each member has a priority of its own.
#[test]
fn members_keep_their_weights_where_the_group_says_so() {
    let text =
        |lines: &str| group(lines).replacen("priority 100", "priority 100\n track_script {\n chk weight 30\n }", 1);
    let mut rig = Rig::new(&text("sync_group_tracking_weight"));
    rig.script(TrackerState::Up);
    assert_eq!(rig.engine.standing().iter().map(|(_, _, priority)| *priority).collect::<Vec<_>>(), [130, 100]);
    let mut rig = Rig::new(&text(""));
    rig.script(TrackerState::Up);
    assert_eq!(rig.engine.standing().iter().map(|(_, _, priority)| *priority).collect::<Vec<_>>(), [100, 100]);
}

#[test]
fn a_reload_keeps_what_trackers_add() {
    let mut rig = Rig::new(&tracked("weight 20"));
    rig.script(TrackerState::Up);
    rig.pass(Duration::from_secs(4));
    rig.reload(&tracked("weight 20").replace("priority 100", "priority 150"));
    assert_eq!((rig.state("A"), rig.priority()), (State::Master, 170));
    rig.reload(&tracked("weight 30"));
    assert_eq!(rig.priority(), 130);
    rig.reload(&text("weight 30", ""));
    assert_eq!(rig.priority(), 100);
}

/// `static_track_group_init` of keepalived 2.4.3: the instances of the group track the interface of each static line that names it,
/// without a weight, whatever `track_interface` says; the line itself is put back.
#[test]
fn what_is_static_may_track_a_group() {
    let group = "track_group G {\n group {\n A\n }\n}\n";
    let statics = [
        "static_ipaddress {\n 10.9.0.1/24 dev eth1 track_group G\n}\n",
        "static_routes {\n 10.0.0.0/8 dev eth1 track_group G\n}\n",
        "static_rules {\n iif eth1 table 5 preference 100 track_group G\n}\n",
    ];
    for lines in statics {
        let mut rig = Rig::new(&(group.to_owned() + lines + &text("", "track_interface {\n eth1 weight 20\n }")));
        rig.pass(Duration::from_secs(4));
        assert_eq!((rig.state("A"), rig.priority()), (State::Master, 100), "{lines}");
        rig.network().set_running(ETH1, false);
        rig.settle();
        assert_eq!((rig.state("A"), rig.has(VIP)), (State::Fault, false), "{lines}");
        rig.network().set_running(ETH1, true);
        rig.settle();
        assert_eq!(rig.state("A"), State::Backup, "{lines}");
        // without the group, and with `no_track`, nothing is tracked
        rig.network().set_running(ETH1, false);
        rig.settle();
        assert_eq!(rig.state("A"), State::Fault, "{lines}");
        rig.reload(&(group.to_owned() + &lines.replace("track_group G", "track_group G no_track") + &text("", "")));
        assert_eq!(rig.state("A"), State::Backup, "{lines}");
        rig.reload(
            &(group.replace(" A\n", " B\n") + lines + &text("", "") + &with_addresses("B", 52, 100, &["192.0.2.9"])),
        );
        assert_eq!((rig.state("A"), rig.state("B")), (State::Backup, State::Fault), "{lines}");
    }
}

#[test]
fn what_is_static_and_tracked_is_put_back_and_no_fault() {
    let lines = "track_group G {\n group {\n A\n }\n}\nstatic_ipaddress {\n 10.9.0.1/24 dev eth1 track_group G\n}\n";
    let mut rig = Rig::new(&(lines.to_owned() + &one(100)));
    rig.pass(Duration::from_secs(4));
    rig.network().remove_address(ETH1, ip("10.9.0.1"), 24);
    rig.settle();
    assert!(rig.states() == [("A".to_owned(), State::Master)] && rig.has("10.9.0.1"));
}

/// behaviour.md: linkbeat polling takes the place of what the kernel tells. Ours wants both to say that the link is up.
#[test]
fn a_link_is_down_while_its_driver_says_so() {
    let mut rig = Rig::new(&text("", "track_interface {\n eth1\n }"));
    let says = |rig: &mut Rig, is_up: bool| {
        rig.engine.link_beats([(InterfaceName::new(b"eth1").unwrap(), is_up)].into());
        rig.settle();
    };
    says(&mut rig, true);
    rig.pass(Duration::from_secs(4));
    assert_eq!(rig.state("A"), State::Master);
    says(&mut rig, false);
    assert_eq!((rig.state("A"), rig.has(VIP)), (State::Fault, false));
    rig.network().set_running(ETH1, false);
    rig.settle();
    says(&mut rig, true);
    assert_eq!(rig.state("A"), State::Fault, "the kernel's word counts as well");
    rig.network().set_running(ETH1, true);
    rig.settle();
    assert_eq!(rig.state("A"), State::Backup);
    // its own interface, and one that is not asked about any more
    rig.engine.link_beats([(InterfaceName::new(b"eth0").unwrap(), false)].into());
    rig.settle();
    assert_eq!(rig.state("A"), State::Fault);
    rig.engine.link_beats([].into());
    rig.settle();
    assert_eq!(rig.state("A"), State::Backup);
}

#[test]
fn what_a_driver_says_has_to_last_as_well() {
    let delays = "interface_up_down_delays {\n eth1 2 2\n}\n";
    let mut rig = Rig::new(&(delays.to_owned() + &text("", "track_interface {\n eth1\n }")));
    rig.engine.link_beats([(InterfaceName::new(b"eth1").unwrap(), false)].into());
    rig.pass(Duration::from_millis(1_900));
    assert_eq!(rig.state("A"), State::Backup);
    rig.pass(Duration::from_millis(200));
    assert_eq!(rig.state("A"), State::Fault);
}

const PROBE: &str = "vrrp_track_probe gw {\n ping 192.0.2.254\n LINES\n}\n";

/// Ours: as of a script.
#[test]
fn a_probe_without_answer_makes_an_instance_wait_or_fail() {
    let with = |lines: &str| PROBE.replace("LINES", lines) + &text("", "track_probe {\n gw\n }");
    let mut rig = Rig::new(&with(""));
    rig.pass(Duration::from_secs(10));
    assert_eq!(rig.state("A"), State::Init, "no answer has come");
    rig.tracker(TrackerKind::Probe, "gw", TrackerState::Up);
    rig.pass(Duration::from_secs(4));
    assert_eq!(rig.state("A"), State::Master);
    rig.tracker(TrackerKind::Probe, "gw", TrackerState::Down);
    assert_eq!((rig.state("A"), rig.has(VIP)), (State::Fault, false));
    let cause = |report: &Report| match report {
        Report::Transition { transition, .. } => Some(transition.cause.to_string()),
        _ => None,
    };
    let said = rig.reports.iter().filter_map(cause).next_back().unwrap();
    assert!(said.contains("tracked probe gw does not answer"), "{said}");
    let rig = Rig::new(&with("init_fail"));
    assert_eq!(rig.state("A"), State::Fault);
    let mut rig = Rig::new(&with("weight -30"));
    rig.tracker(TrackerKind::Probe, "gw", TrackerState::Down);
    assert_eq!((rig.state("A"), rig.priority()), (State::Backup, 70));
}

#[test]
fn members_are_in_fault_together_when_a_probe_of_the_group_fails() {
    let mut rig = Rig::new(&(PROBE.replace("LINES", "") + &group("track_probe {\n gw\n }")));
    rig.tracker(TrackerKind::Probe, "gw", TrackerState::Up);
    rig.pass(Duration::from_secs(10));
    rig.tracker(TrackerKind::Probe, "gw", TrackerState::Down);
    assert!(rig.states().iter().all(|(_, state)| *state == State::Fault), "{:?}", rig.states());
}

/// interfaces.md section 1: in a group, first BACKUP is said of the group before its members; MASTER, FAULT and STOP of the members
/// first.
#[test]
fn a_group_is_said_to_have_a_state_once_all_members_do() {
    let mut rig = Rig::new(&group(""));
    rig.pass(Duration::from_secs(10));
    rig.stop(crate::vrrp::lifetime::AtExit::Release);
    let reports = rig.engine.reports();
    rig.reports.extend(reports);
    let said = |report: &Report| match report {
        Report::Transition { name, transition, .. } => Some(format!("{name} {}", transition.to)),
        Report::Group { name, state, .. } => Some(format!("{name} {state}")),
        _ => None,
    };
    let said: Vec<String> = rig.reports.iter().filter_map(said).collect();
    let expected =
        ["G BACKUP", "A BACKUP", "B BACKUP", "A MASTER", "B MASTER", "G MASTER", "A STOP", "B STOP", "G STOP"];
    let mut sorted = said.clone();
    // which member goes first is the timers'
    if let Some(at) = said.iter().position(|line| line == "B MASTER").filter(|at| said[at + 1] == "A MASTER") {
        sorted.swap(at, at + 1);
    }
    assert_eq!(sorted, expected);
}

#[test]
fn a_lower_claim_is_told_once_an_interval() {
    let mut rig = Rig::new(&one(100));
    rig.pass(Duration::from_secs(4));
    for _ in 0..30 {
        rig.hear(&one(50), 50);
        rig.pass(Duration::from_millis(100));
    }
    let told = rig.reports.iter().filter(|report| matches!(report, Report::LowerPriority { priority: 50, .. })).count();
    assert_eq!(told, 3);
    let lower = |report: &&Report| matches!(report, Report::LowerPriority { source, .. } if *source == ip("192.0.2.2"));
    assert!(rig.reports.iter().any(|report| lower(&report)));
    assert!(rig.packets().sent.iter().all(|advert| message(advert)[2] == 100));
}

#[test]
fn what_trackers_come_to_is_shown() {
    let mut rig = Rig::new(&tracked("weight 20"));
    let mut followed = keepalived_state::VrrpView::default();
    let mut follow = |rig: &mut Rig| {
        while rig.engine.has_changes() {
            let told = rig.engine.changes(rig.now, UNIX_EPOCH + Duration::from_nanos(rig.now.as_nanos()), 1);
            told.changes.into_iter().for_each(|change| followed.apply(change));
        }
        followed.trackers.clone()
    };
    let [tracker] = &follow(&mut rig)[..] else { panic!("one tracker") };
    assert_eq!((tracker.id.to_string().as_str(), tracker.state), ("script chk", TrackerState::Initial));
    assert_eq!(tracker.followers[0].instance, "A");
    let id = tracker.id.clone();
    rig.engine.track(rig.now, &id, TrackerState::Up, "exited with status 0".to_owned());
    rig.pass(Duration::from_secs(1));
    let [tracker] = &follow(&mut rig)[..] else { panic!("one tracker") };
    let since = UNIX_EPOCH + Duration::from_nanos(rig.now.as_nanos()) - Duration::from_secs(1);
    assert_eq!((tracker.state, tracker.since), (TrackerState::Up, since));
    // a first failure changes nothing yet, and is shown
    rig.engine.track(rig.now, &id, TrackerState::Up, "exited with status 1".to_owned());
    let [tracker] = &follow(&mut rig)[..] else { panic!("one tracker") };
    assert_eq!((tracker.since, tracker.detail.to_string().as_str()), (since, "exited with status 1"));
    rig.engine.track(rig.now, &id, TrackerState::Up, "exited with status 1".to_owned());
    assert!(!rig.engine.has_changes(), "nothing is different");
    rig.reload(&one(100));
    assert!(follow(&mut rig).is_empty());
}

#[test]
fn a_session_that_is_lost_promotes_the_backup_that_names_it() {
    let sessions = "bfd_instance PATH {\n neighbor_ip 192.0.2.2\n}\nbfd_instance OTHER {\n neighbor_ip 192.0.2.3\n}\n";
    let mut rig =
        Rig::new(&(sessions.to_owned() + &text("", "bfd_promotes PATH").replace(&SCRIPT.replace("WEIGHT", ""), "")));
    rig.hear(&one(200), 200);
    let says = |rig: &mut Rig, session: &str, is_up| {
        rig.engine.session_result(rig.now, session, is_up);
        rig.settle();
        rig.pass(Duration::from_millis(20));
        rig.state("A")
    };
    // down from the start is no loss, and another session is not asked
    assert_eq!(says(&mut rig, "PATH", false), State::Backup);
    assert_eq!(says(&mut rig, "OTHER", true), State::Backup);
    assert_eq!(says(&mut rig, "OTHER", false), State::Backup);
    assert_eq!(says(&mut rig, "PATH", true), State::Backup);
    assert_eq!(says(&mut rig, "PATH", false), State::Master);
    assert!(rig.has(VIP));
    // the path is good after all: the better router takes it back, and what is down already promotes nobody again
    rig.hear(&one(200), 200);
    assert_eq!(says(&mut rig, "PATH", false), State::Backup);
}

/// keepalived, observed: sessions begin down. Without a bfd process (`-B`) nothing else comes.
#[test]
fn a_session_that_nothing_is_known_of_is_down() {
    let session = "bfd_instance PATH {\n neighbor_ip 192.0.2.2\n}\n";
    let mut rig =
        Rig::new(&(session.to_owned() + &one(100).replace("priority 100", "priority 100\n track_bfd {\n PATH\n }")));
    assert_eq!(rig.state("A"), State::Fault);
    rig.tracker(TrackerKind::Bfd, "PATH", TrackerState::Up);
    assert_eq!(rig.state("A"), State::Backup);
}
