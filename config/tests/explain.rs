//! What a configuration leads to. Expected values: the formulas of RFC 9568 section 6.1 and RFC 3768 section 6.1, and
//! the words of keepalived.conf(5) about weights.

mod support;

use std::time::Duration;

use keepalived_config::explain::{RouterStory, TrackerEffect, explain};

const SCRIPT: &str = "vrrp_script chk {\nscript \"/usr/bin/true\"\ninterval 2\nfall 3\ntimeout 1\nweight WEIGHT\n}\n";

/// The story of an instance with `body`, VRID and address; before it stands `before`.
fn router(before: &str, body: &str) -> RouterStory {
    let text = format!(
        "{before}vrrp_instance A {{\ninterface eth0\nvirtual_router_id 5\nvirtual_ipaddress {{\n10.0.0.1\n}}\n{body}\n}}\n"
    );
    explain(&support::text(&text).config).routers.into_iter().next().expect("an instance")
}

#[test]
fn times_are_those_of_the_rfcs() {
    let times = |body: &str| {
        let failover = router("", body).failover;
        [failover.soonest, failover.latest, failover.farewell].map(|time| time.as_micros())
    };
    // version 2: skew (256 - 100) / 256 of a second; version 3: of the interval
    assert_eq!(times("advert_int 2"), [4_609_375, 6_609_375, 609_375]);
    assert_eq!(times("version 3\nadvert_int 0.1"), [260_937, 360_937, 60_937]);
    assert_eq!(times("version 3\nadvert_int 0.1\ndown_timer_adverts 2"), [160_937, 260_937, 60_937]);
    assert_eq!(times("priority 255"), [2_003_906, 3_003_906, 3_906]);
}

#[test]
fn adverts_have_the_size_that_is_sent() {
    let octets = |body: &str| router("", body).adverts.octets;
    // IPv4 20, VRRP 8, an address 4, authentication data 8
    assert_eq!(octets(""), 40);
    assert_eq!(octets("version 3"), 32);
    assert_eq!(octets("version 3\nvirtual_ipaddress {\n10.0.0.2\n}"), 36);
    let copies = router("", "unicast_src_ip 10.9.0.1\nunicast_peer {\n10.9.0.2\n10.9.0.3\n}").adverts.copies;
    assert_eq!(copies, 2);
}

#[test]
fn weights_say_who_takes_over() {
    let effect = |weight: &str, body: &str| {
        let script = SCRIPT.replace("WEIGHT", weight);
        let story = router(&script, &format!("track_script {{\nchk\n}}\n{body}"));
        assert_eq!(story.trackers[0].within, Some(Duration::from_secs(7)));
        (story.all_well, story.trackers[0].effect)
    };
    let priority = |well, ill, while_up| TrackerEffect::Priority { well, ill, while_up };
    assert_eq!(effect("0", ""), (100, TrackerEffect::Fault { while_up: false }));
    assert_eq!(effect("20", ""), (120, priority(120, 100, false)));
    assert_eq!(effect("-20", ""), (100, priority(100, 80, false)));
    // keepalived 2.2.7: 100 while the script succeeds, 120 while it fails; 80 and 100 with a positive weight
    assert_eq!(effect("-20 reverse", ""), (120, priority(120, 100, true)));
    assert_eq!(effect("20 reverse", ""), (100, priority(100, 80, true)));
    assert_eq!(effect("20", "priority 250"), (254, priority(254, 250, false)));
    assert_eq!(effect("-20", "priority 10"), (10, priority(10, 1, false)));
    // an owner's priority never changes: loading leaves the tracker out, and says so
    let owner = router(&SCRIPT.replace("WEIGHT", "20"), "track_script {\nchk\n}\npriority 255");
    assert_eq!((owner.all_well, owner.trackers.len()), (255, 0));
}

#[test]
fn what_a_sync_group_tracks_counts_for_its_members() {
    let group = "vrrp_sync_group G {\ngroup {\nA\n}\ntrack_interface {\neth1\n}\n}\n";
    let story = router(group, "");
    assert_eq!(story.sync_group.as_deref(), Some("G"));
    assert_eq!(story.trackers[0].what, "interface eth1");
    assert_eq!(story.trackers[0].effect, TrackerEffect::Fault { while_up: false });
}

/// They turn together when the command fails: the sum of what they add counts.
#[test]
fn trackers_of_one_command_count_together() {
    let script = |name: &str, weight: &str| {
        format!("vrrp_script {name} {{\nscript \"/etc/keepalived/check.sh\"\ninterval 1\nweight {weight}\n}}\n")
    };
    let story = |up: &str, body: &str| router(&(script("down", "-253") + &script("up", up)), body);
    let both = "priority 254\ntrack_script {\ndown\nup\n}";
    let seen = story("253", both);
    assert_eq!((seen.all_well, seen.trackers.len(), seen.trackers[0].what.as_str()), (254, 1, "scripts down and up"));
    assert_eq!(seen.trackers[0].effect, TrackerEffect::Priority { well: 254, ill: 1, while_up: false });
    // one counts what is up, the other what is down: together they move nothing
    let against = router(&(script("down", "-20") + &script("up", "-20 reverse")), "track_script {\ndown\nup\n}");
    assert_eq!(against.trackers[0].effect, TrackerEffect::Priority { well: 100, ill: 100, while_up: false });
    // the same interface, tracked by the instance and by its group
    let group = "vrrp_sync_group G {\ngroup {\nA\n}\ntrack_interface {\neth1\n}\n}\n";
    assert_eq!(router(group, "track_interface {\neth1\n}").trackers.len(), 1);
}
