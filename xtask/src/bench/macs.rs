//! Many virtual MACs: how long until all are there with their addresses, and until all are gone.

use super::figures::{Figures, as_float};
use super::rig::{MASTER, Rig};
use anyhow::{Result, ensure};
use keepalived_lab::Router;
use serde_json::Value;
use std::time::{Duration, Instant};

/// After this it is not waited for any more.
const LIMIT: Duration = Duration::from_secs(60);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Virtual MACs, and addresses on them.
fn there(router: &Router) -> Result<(usize, usize)> {
    let links = router.namespace().json("-4 address show type macvlan")?;
    let made: Vec<&Value> = links.as_array().into_iter().flatten().filter(|link| link["ifname"].is_string()).collect();
    let has_address = |link: &&&Value| link["addr_info"].as_array().is_some_and(|addresses| !addresses.is_empty());
    Ok((made.len(), made.iter().filter(has_address).count()))
}

pub(super) fn come_and_go(rig: &mut Rig) -> Result<Figures> {
    let text = rig.configuration(MASTER).replace("  virtual_router_id", "  use_vmac\n  virtual_router_id");
    let router = rig.lab.router(MASTER);
    let begun = Instant::now();
    let running = router.start_with(&rig.daemon, "keepalived", &text, &[])?;
    let mut links = f64::NAN;
    let wanted = rig.load.instances;
    let addresses = loop {
        let (made, with_address) = there(router)?;
        let so_far = begun.elapsed();
        if made == wanted && links.is_nan() {
            links = so_far.as_secs_f64();
        }
        if with_address == wanted {
            break so_far.as_secs_f64();
        }
        ensure!(so_far < LIMIT, "after {} s there are {made} links, {with_address} with an address", LIMIT.as_secs());
        std::thread::sleep(PAUSE);
    };
    let election = (3.0 + 56.0 / 256.0) * rig.load.interval();
    let stopping = Instant::now();
    let _its_status = running.stop();
    let stop = stopping.elapsed().as_secs_f64();
    let (left, _) = there(router)?;
    Ok(vec![
        ("links s", links),
        ("s beyond the election", addresses - election),
        ("stop s", stop),
        ("left", as_float(left)),
    ])
}
