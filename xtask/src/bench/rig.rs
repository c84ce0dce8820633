//! Two routers with many instances, and the waiting for them.

use super::watch::{Key, Watch};
use anyhow::{Result, ensure};
use keepalived_lab::{Builder, Daemon, Filter, Lab, Running, Stamp};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// How many virtual routers of what interval.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) instances: usize,
    pub(super) centis: u16,
}

/// The router with priority 200.
pub(super) const MASTER: usize = 0;
/// The router with priority 100.
pub(super) const BACKUP: usize = 1;
const PRIORITIES: [u8; 2] = [200, 100];
const PER_SEGMENT: usize = 250;

pub(super) struct Rig {
    pub(super) load: Load,
    pub(super) lab: Lab,
    pub(super) watch: Watch,
    pub(super) daemon: Daemon,
    /// What the master's file has besides.
    pub(super) balancing: String,
    /// What both files begin with.
    pub(super) blocks: String,
    /// What each instance has besides, by its number.
    pub(super) lines: Box<dyn Fn(usize) -> String>,
}

impl Load {
    pub(super) fn interval(self) -> f64 {
        f64::from(self.centis) / 100.0
    }

    /// What the backup adds to three intervals.
    pub(super) fn skew(self) -> f64 {
        f64::from(256 - u16::from(PRIORITIES[BACKUP])) / 256.0 * self.interval()
    }

    fn keys(self) -> impl Iterator<Item = Key> {
        (0..self.instances).map(|n| (n / PER_SEGMENT, u8::try_from(n % PER_SEGMENT + 1).expect("250 at most")))
    }
}

impl Rig {
    pub(super) fn new(load: Load, daemon: &Daemon) -> Result<Self> {
        Self::with_routers(load, daemon, 2)
    }

    /// The first two run the daemon.
    pub(super) fn with_routers(load: Load, daemon: &Daemon, routers: usize) -> Result<Self> {
        let segments = load.instances.div_ceil(PER_SEGMENT);
        let fast = load.instances * 100 / usize::from(load.centis) > 5000;
        let filter = if fast { Filter::HeadsInBlocks } else { Filter::Heads };
        let lab = Builder { routers, segments, filter }.build("bench", None)?;
        let (balancing, blocks) = (String::new(), String::new());
        let lines = Box::new(|_| String::new());
        Ok(Self { load, lab, watch: Watch::default(), daemon: daemon.clone(), balancing, blocks, lines })
    }

    pub(super) fn configuration(&self, router: usize) -> String {
        let mut text = format!("global_defs {{\n  router_id r{router}\n  vrrp_garp_master_delay 0\n}}\n");
        text.push_str(&self.blocks);
        for (number, (segment, vrid)) in self.load.keys().enumerate() {
            writeln!(
                text,
                "vrrp_instance v{segment}_{vrid} {{\n  interface eth{segment}\n  version 3\n  virtual_router_id {vrid}\n  \
                 priority {}\n  advert_int {}\n{}  virtual_ipaddress {{\n    10.{segment}.1.{vrid}\n  }}\n}}",
                PRIORITIES[router],
                self.load.interval(),
                (self.lines)(number),
            )
            .expect("a String takes everything");
        }
        if router == MASTER {
            text.push_str(&self.balancing);
        }
        text
    }

    /// Starts one of the two as its users would: `-n -l`, into a file.
    pub(super) fn start(&self, router: usize) -> Result<Running> {
        let text = self.configuration(router);
        self.lab.router(router).start_with(&self.daemon, "keepalived", &text, &[])
    }

    /// Lets time pass while listening.
    pub(super) fn listen(&mut self, seconds: f64) -> Result<()> {
        let end = Instant::now() + Duration::from_secs_f64(seconds);
        while Instant::now() < end {
            std::thread::sleep(Duration::from_millis(200).min(end.saturating_duration_since(Instant::now())));
            self.watch.poll(self.lab.captures())?;
        }
        Ok(())
    }

    /// Waits for what was on the wire before now: the kernel hands tcpdump its packets up to a second late.
    pub(super) fn catch_up(&mut self) -> Result<()> {
        self.listen(1.3)
    }

    /// Waits until a router sends the adverts of every virtual router.
    pub(super) fn all_held_by(&mut self, router: usize, within: f64) -> Result<()> {
        let end = Instant::now() + Duration::from_secs_f64(within);
        while self.watch.held_by(router) < self.load.instances {
            ensure!(
                Instant::now() < end,
                "after {within} s router {router} has {} of {}",
                self.watch.held_by(router),
                self.load.instances
            );
            self.listen(0.2)?;
        }
        Ok(())
    }

    /// Master and backup in their places, and nothing going on.
    pub(super) fn settled_pair(&mut self) -> Result<[Running; 2]> {
        let master = self.start(MASTER)?;
        self.all_held_by(MASTER, 20.0 + 5.0 * self.load.interval())?;
        let start = Stamp::now();
        let backup = self.start(BACKUP)?;
        self.listen(3.0 + 4.0 * self.load.interval())?;
        self.catch_up()?;
        ensure!(self.watch.changes(start).is_empty(), "the backup took over while the master was well");
        Ok([master, backup])
    }

    /// Fails if the observer itself lost packets: then its figures are worth nothing.
    pub(super) fn finish(&mut self) -> Result<()> {
        for capture in self.lab.captures() {
            let lost = capture.finish()?;
            ensure!(lost == 0, "the observer lost {lost} packets: measure again");
        }
        self.watch.poll(self.lab.captures())
    }
}
