//! A service of the kernel that several virtual servers name: with keepalived two blocks of one virtual server fill it together.

use super::*;

/// Two virtual servers: the first names 1 and 2, the second 2 and 3; servers 1 and 2 are the first's, 3 and 4 the second's.
fn overlapping() -> Params {
    let of = |keys: &[u8], servers: [(u8, u32); 2]| ServiceParams {
        keys: keys.iter().copied().map(key).collect(),
        servers: servers.into_iter().map(|(last, check)| server(last, &[check])).collect(),
        ..service(&[1]).services.remove(0)
    };
    Params {
        checks: vec![fresh(); 4],
        services: vec![of(&[1, 2], [(1, 0), (2, 1)]), of(&[2, 3], [(3, 2), (4, 3)])],
        drain: Duration::ZERO,
    }
}

/// `1: 1:1 2:1 | 2: …`: every service that the kernel ought to have, each said once.
fn whole(rig: &Rig) -> String {
    let mut all = Vec::new();
    for (key, entry) in rig.balancer.services().flat_map(|id| rig.balancer.entries(id)) {
        let ServiceKey::Address { address: IpAddr::V4(address), .. } = key else { panic!("{key:?}") };
        all.push(format!("{}: {}", address.octets()[3], show(&entry)));
    }
    all.sort();
    all.join(" | ")
}

#[test]
fn a_service_that_two_name_has_the_servers_of_both_and_one_owner() {
    let rig = Rig::new(overlapping());
    assert_eq!(whole(&rig), "1: 1:1 2:1 | 2: 1:1 2:1 3:1 4:1 | 3: 3:1 4:1");
}

#[test]
fn what_happens_to_the_second_concerns_the_owner() {
    let mut rig = Rig::new(overlapping());
    let mut out = Vec::new();
    rig.balancer.told(CheckId(3), &FAILED, rig.now, &mut out);
    for owner in [ServiceId(0), ServiceId(1)] {
        assert!(out.contains(&Effect::Table(owner)), "{owner:?}: {out:?}");
    }
    assert_eq!(whole(&rig), "1: 1:1 2:1 | 2: 1:1 2:1 3:1 | 3: 3:1");
}

#[test]
fn if_one_leaves_the_servers_of_the_other_stay() {
    for (stays, expected) in [(0, "1: 1:1 2:1 | 2: 1:1 2:1"), (1, "2: 3:1 4:1 | 3: 3:1 4:1")] {
        let mut rig = Rig::new(overlapping());
        let mut params = again(overlapping());
        params.services = vec![params.services.swap_remove(stays)];
        assert_eq!(rig.reconfigure(params).len(), 1);
        assert_eq!(whole(&rig), expected);
    }
}

#[test]
fn of_two_that_name_one_server_the_first_counts() {
    let params = || {
        let mut params = overlapping();
        params.services[1].servers[0] = ServerParams { weight: 9, ..server(1, &[2]) };
        params
    };
    let mut rig = Rig::new(params());
    assert_eq!(whole(&rig), "1: 1:1 2:1 | 2: 1:1 2:1 4:1 | 3: 1:9 4:1");
    rig.fail(0);
    assert_eq!(whole(&rig), "1: 2:1 | 2: 2:1 4:1 | 3: 1:9 4:1");
}

#[test]
fn a_sorry_server_waits_for_the_quorum_of_all() {
    let mut params = overlapping();
    params.services[0].sorry = sorry(false);
    let mut rig = Rig::new(params);
    rig.fail(0);
    rig.fail(1);
    assert_eq!(whole(&rig), "1: 99:1 | 2: 3:1 4:1 | 3: 3:1 4:1");
    rig.fail(2);
    rig.fail(3);
    assert_eq!(whole(&rig), "1: 99:1 | 2: 99:1 | 3: ");
}

#[test]
fn a_server_that_drains_gives_way_to_one_that_is_configured() {
    let draining = |services: Vec<ServiceParams>| Params { services, drain: Duration::from_secs(60), ..overlapping() };
    let mut rig = Rig::new(overlapping());
    let mut services = again(overlapping()).services;
    services[0].servers.pop();
    services[1].servers[0] = server(2, &[2]);
    rig.reconfigure(draining(services));
    assert_eq!(whole(&rig), "1: 1:1 2:0 | 2: 1:1 2:1 3:0 4:1 | 3: 2:1 3:0 4:1");
}
