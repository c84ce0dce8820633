//! Many instances.

use std::time::Duration;

use keepalived_core::vrrp::State;

use super::rig::{Rig, instance, with_addresses};

#[test]
fn many_instances_spread_their_adverts_and_share_wake_ups() {
    let text: String = (1..=250)
        .map(|vrid| with_addresses(&format!("I{vrid}"), vrid, 100, &[&format!("198.18.0.{vrid}/24")]))
        .collect();
    let mut rig = Rig::new(&text);
    rig.pass(Duration::from_secs(5));
    assert!(rig.states().iter().all(|(_, state)| *state == State::Master));
    rig.packets().sent.clear();
    let (mut wakes, end) = (0, rig.now + Duration::from_secs(1));
    while let Some(at) = rig.engine.turn(rig.now).filter(|at| *at <= end) {
        rig.now = at.max(rig.now);
        wakes += 1;
        rig.settle();
    }
    assert_eq!(rig.packets().sent.len(), 250);
    assert!((60..=70).contains(&wakes), "{wakes} wake-ups for 250 adverts");
}

#[test]
fn buffers_grow_with_the_instances() {
    let size = |rig: &mut Rig| {
        let id = rig.packets().channels().next().map(|(id, _)| id).unwrap();
        rig.packets().buffer(id).unwrap().0
    };
    let many = |count: u8| {
        (1..=count)
            .map(|vrid| with_addresses(&format!("I{vrid}"), vrid, 100, &[&format!("198.18.0.{vrid}")]))
            .collect::<String>()
    };
    let mut rig = Rig::new(&many(1));
    assert_eq!(size(&mut rig), 262_144);
    rig.reload(&many(250));
    assert_eq!(size(&mut rig), 250 * 2_048 * 8);
    let mut rig = Rig::new(&instance("A", 51, "kernel_rx_buf_size 1000000\n virtual_ipaddress {\n 192.0.2.100\n }"));
    assert_eq!(size(&mut rig), 1_000_000);
}
