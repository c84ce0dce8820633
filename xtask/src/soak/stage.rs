//! Three routers and what they share; who ought to have what.

use super::disturbance::Kind;
use super::instances::{INSTANCES, OWN, ROUTERS, Shared};
use super::random::Random;
use anyhow::{Context as _, Result};
use keepalived_lab::{Builder, Case, Daemon, Family, Filter, Instance, Lab, Running};
use rustix::process::{Signal, kill_process};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

pub(super) struct Stage<'a> {
    pub(super) lab: Lab,
    daemon: &'a Daemon,
    routers: Vec<Part>,
}

struct Part {
    running: Option<Running>,
    priorities: [u8; INSTANCES.len()],
    own: bool,
}

impl<'a> Stage<'a> {
    pub(super) fn new(daemon: &'a Daemon, random: &mut Random) -> Result<Self> {
        let lab = Builder { routers: ROUTERS, segments: 1, filter: Filter::Heads }.build("soak", None)?;
        let part = |index| Part { running: None, priorities: priorities(index, random), own: false };
        let mut stage = Self { lab, daemon, routers: (0..ROUTERS).map(part).collect() };
        (0..ROUTERS).try_for_each(|router| stage.start(router))?;
        Ok(stage)
    }

    fn text(&self, router: usize) -> String {
        let me = self.lab.router(router);
        let others: Vec<_> =
            (0..ROUTERS).filter(|&other| other != router).map(|other| self.lab.router(other)).collect();
        let mut text = format!("global_defs {{\n  router_id r{router}\n}}\n");
        let Part { priorities, own, .. } = &self.routers[router];
        for (shared, &priority) in INSTANCES.iter().zip(priorities) {
            let instance = Instance::new(shared.case, priority).vrid(shared.vrid).with("state BACKUP");
            text += &if shared.preempts { instance } else { instance.with("nopreempt") }.text(me, &others);
        }
        if *own {
            text += &Instance::new(Case::PLAIN, 100).vrid(own_vrid(router)).text(me, &others);
        }
        text
    }

    /// Starts its daemon, if none runs.
    pub(super) fn start(&mut self, router: usize) -> Result<()> {
        let text = self.text(router);
        let part = &mut self.routers[router];
        if part.running.is_none() {
            part.running = Some(self.lab.router(router).start(self.daemon, "d", &text)?);
        }
        Ok(())
    }

    /// It begins to go wrong; says what was done if that is not plain.
    pub(super) fn begin(&mut self, router: usize, kind: Kind, random: &mut Random) -> Result<String> {
        let part = &mut self.routers[router];
        match kind {
            Kind::Cable => self.lab.pull(router, 0)?,
            Kind::Loss(percent) => self.lab.lose(router, 0, percent)?,
            Kind::Crash => part.running.take().map_or(Ok(()), Running::crash)?,
            Kind::Delete(index) => {
                let Shared { case, vrid, .. } = INSTANCES[index];
                let length = if case.family == Family::V4 { 16 } else { 64 };
                let line = format!("ip address del {}/{length} dev eth0", case.vip(vrid));
                let done = self.lab.router(router).namespace().run(&line).is_ok();
                return Ok(format!("{line}: {}", if done { "done" } else { "was not there" }));
            }
            Kind::Change => {
                part.priorities = priorities(router, random);
                part.own = random.below(2) == 0;
                let text = self.text(router);
                if let Some(running) = &self.routers[router].running {
                    running.reload(&text)?;
                }
                let Part { priorities, own, .. } = &self.routers[router];
                return Ok(format!("priorities {priorities:?}, its own: {own}"));
            }
            Kind::KillVrrp | Kind::Stop | Kind::PauseVrrp | Kind::PauseAll | Kind::Reload => {
                let Some(running) = &part.running else { return Ok("not running".into()) };
                let (vrrp_only, signal) = match kind {
                    Kind::KillVrrp => (true, Signal::KILL),
                    Kind::PauseVrrp => (true, Signal::STOP),
                    Kind::PauseAll => (false, Signal::STOP),
                    Kind::Stop => return running.signal(Signal::TERM).map(|()| String::new()),
                    _reload => return running.signal(Signal::HUP).map(|()| String::new()),
                };
                let pids = if vrrp_only { running.vrrp_pid().into_iter().collect() } else { running.processes() };
                for pid in &pids {
                    // it may have died this moment of another disturbance
                    let _ = kill_process(*pid, signal);
                }
                return Ok(format!("{pids:?}"));
            }
        }
        Ok(String::new())
    }

    /// It is over.
    pub(super) fn end(&mut self, router: usize, kind: Kind) -> Result<()> {
        match kind {
            Kind::Cable => self.lab.plug(router, 0),
            Kind::Loss(_) => self.lab.lose(router, 0, 0),
            Kind::PauseAll | Kind::PauseVrrp => {
                self.go_on(router);
                Ok(())
            }
            Kind::Crash => self.start(router),
            Kind::Stop => {
                self.go_on(router);
                if let Some(mut running) = self.routers[router].running.take() {
                    let status = running.wait(Duration::from_secs(20)).context("after SIGTERM")?;
                    anyhow::ensure!(status.success(), "after SIGTERM: {status}");
                }
                self.start(router)
            }
            Kind::KillVrrp | Kind::Delete(_) | Kind::Reload | Kind::Change => Ok(()),
        }
    }

    fn go_on(&self, router: usize) {
        for pid in self.routers[router].running.iter().flat_map(Running::processes) {
            let _ = kill_process(pid, Signal::CONT);
        }
    }

    /// What is not as it ought to be; nothing if all is well.
    pub(super) fn faults(&mut self) -> Result<Vec<String>> {
        let mut faults = Vec::new();
        let mut holders: BTreeMap<IpAddr, Vec<usize>> = BTreeMap::new();
        for router in 0..ROUTERS {
            for address in self.lab.router(router).addresses()? {
                holders.entry(address).or_default().push(router);
            }
            let ended = match &mut self.routers[router].running {
                Some(running) => !running.is_running()?,
                None => true,
            };
            if ended {
                faults.push(format!("the daemon of router {router} has ended"));
            }
        }
        let none = Vec::new();
        for (index, shared) in INSTANCES.iter().enumerate() {
            let best = (0..ROUTERS).max_by_key(|&router| self.routers[router].priorities[index]).unwrap_or(0);
            for vip in shared.case.vips(shared.vrid) {
                let have = holders.get(&vip).unwrap_or(&none);
                if have.len() != 1 || (shared.preempts && have != &[best]) {
                    faults.push(format!("VRID {}: {vip} on routers {have:?}, best is {best}", shared.vrid));
                }
            }
        }
        for router in 0..ROUTERS {
            let vip = Case::PLAIN.vip(own_vrid(router));
            let have = holders.get(&vip).unwrap_or(&none);
            let wanted: &[usize] = if self.routers[router].own { &[router] } else { &[] };
            if have != wanted {
                faults.push(format!("router {router}'s own {vip} on routers {have:?} instead of {wanted:?}"));
            }
        }
        Ok(faults)
    }

    /// How many files each router's processes have open.
    pub(super) fn open_files(&self) -> Vec<usize> {
        let count = |pid: rustix::process::Pid| {
            std::fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero())).map_or(0, Iterator::count)
        };
        self.routers.iter().map(|part| part.running.iter().flat_map(Running::processes).map(count).sum()).collect()
    }
}

fn own_vrid(router: usize) -> u8 {
    OWN + u8::try_from(router).expect("three")
}

/// Never equal to another router's.
fn priorities(router: usize, random: &mut Random) -> [u8; INSTANCES.len()] {
    std::array::from_fn(|_| u8::try_from((random.below(25) + 1) * 10 + router).expect("at most 252"))
}
