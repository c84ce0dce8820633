//! The rig that the tests of this folder share: the engine on a load balancer that balances nothing.

use std::net::IpAddr;
use std::time::Duration;

use keepalived_core::balance::{CheckId, CheckResult, DestinationEntry, DestinationKey};
use keepalived_core::time::Instant;
use keepalived_kernel::fake::FakeDirector;

use crate::checker::engine::{DueStep, Engine};
use crate::checker::{Before, Task, Unfinished};
pub(super) use crate::configuration::from_text;

pub(super) const SECOND: Duration = Duration::from_secs(1);

/// A virtual server 192.0.2.1 80 with `lines`, and a real server 10.0.0.N 80 with a TCP check for each of `servers`.
pub(super) fn configuration(lines: &str, servers: &[u8]) -> String {
    virtual_server("192.0.2.1 80", lines, servers)
}

pub(super) fn virtual_server(head: &str, lines: &str, servers: &[u8]) -> String {
    let server = |last: &u8| {
        format!("real_server 10.0.0.{last} 80 {{\n weight {last}\n TCP_CHECK {{\n connect_timeout 1\n }}\n }}\n")
    };
    let servers: String = servers.iter().map(server).collect();
    let warmup = "delay_loop 2\n warmup 0\n retry 1\n delay_before_retry 1";
    format!(
        "virtual_server {head} {{\n lvs_sched rr\n lvs_method NAT\n protocol TCP\n {warmup}\n {lines}\n {servers}\n}}\n"
    )
}

pub(super) struct Rig {
    pub(super) engine: Engine<FakeDirector>,
    pub(super) now: Instant,
}

impl Rig {
    pub(super) fn new(text: &str) -> Self {
        Self::on(FakeDirector::new(), text, false)
    }

    pub(super) fn on(director: FakeDirector, text: &str, resumes: bool) -> Self {
        let before = if resumes { Before::Process(Unfinished::default()) } else { Before::Nothing };
        Self::after(director, text, &before, Instant::ZERO)
    }

    pub(super) fn after(director: FakeDirector, text: &str, before: &Before, now: Instant) -> Self {
        let engine = Engine::new(now, from_text(text), director, before, 1).unwrap();
        Self { engine, now }
    }

    /// The process dies, and another one begins with `text` and what this one had told the supervisor.
    pub(super) fn succeeded(mut self, text: &str) -> Self {
        let before = Before::Process(self.engine.unfinished().unwrap_or_default());
        Self::after(self.engine.director().clone(), text, &before, self.now)
    }

    /// `10.0.0.1:1 10.0.0.2:2`: what is in the kernel's table, all virtual servers one after the other.
    pub(super) fn table(&mut self) -> String {
        let entries = self.engine.director().table().values();
        let show = |(to, entry): (&DestinationKey, &DestinationEntry)| format!("{}:{}", to.address, entry.weight);
        entries
            .map(|entry| entry.destinations.iter().map(show).collect::<Vec<_>>().join(" "))
            .collect::<Vec<_>>()
            .join(" | ")
    }

    /// Lets `seconds` pass; each check that is due ends at once: those of servers in `failing` fail.
    pub(super) fn pass(&mut self, seconds: u64, failing: &[u8]) {
        for _ in 0..seconds * 2 {
            self.now += SECOND / 2;
            self.engine.turn(self.now);
            let due: Vec<DueStep> = self.engine.due().collect();
            for step in due {
                let fails = failing
                    .iter()
                    .any(|last| step.task.task().unwrap().server.address == IpAddr::from([10, 0, 0, *last]));
                let result = if fails {
                    CheckResult::Failed("connection refused".to_owned())
                } else {
                    CheckResult::Passed { weight: 0 }
                };
                self.engine.ended(step.ticket, &result, self.now);
            }
            self.engine.turn(self.now);
        }
    }

    /// Lets time pass, with checks that succeed, until the next look at the table begins: its first piece is done.
    pub(super) fn begin_look(&mut self) {
        self.pass(29, &[]);
        self.go_on_looking(1);
    }

    /// The next piece of a look, after so many seconds.
    pub(super) fn go_on_looking(&mut self, seconds: u32) {
        self.now += SECOND * seconds;
        self.engine.turn(self.now);
    }

    /// All checks.
    pub(super) fn tasks(&self) -> Vec<Task<'_>> {
        (0..).map_while(|number| self.engine.task(CheckId(number))).collect()
    }

    pub(super) fn said(&mut self) -> Vec<String> {
        self.engine.reports(usize::MAX).map(|report| report.to_string()).collect()
    }
}
