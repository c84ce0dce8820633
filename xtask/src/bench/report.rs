//! docs/performance.md.

use super::Effort;
use super::figures::Figures;
use super::rows::{LINES, Line, Part, Target};
use keepalived_lab::Flavour;
use std::collections::HashMap;
use std::fmt::Write as _;

/// All figures of all runs.
#[derive(Debug, Default)]
pub(super) struct Results {
    values: HashMap<(&'static str, &'static str, bool), Vec<f64>>,
}

impl Results {
    pub(super) fn add(&mut self, scenario: &'static str, flavour: Flavour, figures: Figures) {
        for (label, value) in figures {
            self.values.entry((scenario, label, flavour == Flavour::Ours)).or_default().push(value);
        }
    }

    fn of(&self, line: &Line, label: &'static str, ours: bool) -> &[f64] {
        self.values.get(&(line.scenario, label, ours)).map(Vec::as_slice).unwrap_or_default()
    }

    fn cell(&self, line: &Line, ours: bool) -> String {
        let ranges = line.figures.iter().filter_map(|(label, _)| {
            let values = self.of(line, label, ours);
            (!values.is_empty()).then(|| format!("{label} {}", range(values)))
        });
        let text = ranges.collect::<Vec<_>>().join(", ");
        if text.is_empty() { "not measured".to_owned() } else { text }
    }

    /// Whether every run reached what is wanted.
    fn verdict(&self, line: &Line) -> &'static str {
        if line.wanted.is_empty() {
            return "";
        }
        let mut seen = false;
        for (label, target) in line.figures {
            let ours = self.of(line, label, true);
            seen |= !ours.is_empty();
            let worst = |theirs: &[f64]| theirs.iter().copied().fold(0.0, f64::max);
            let good = |value: f64| match target {
                Target::Under(limit) => value < *limit,
                Target::Above(limit) => value > *limit,
                Target::Exactly(wanted) => (value - wanted).abs() < 0.5,
                Target::NotMoreThanTheirs => value <= worst(self.of(line, label, false)),
                Target::HalfOfTheirs => value * 2.0 <= worst(self.of(line, label, false)),
                Target::FifthOfTheirs => value * 5.0 <= worst(self.of(line, label, false)),
                Target::TimesOf(times, scenario) => {
                    let other = Line { scenario, ..*line };
                    value <= times * worst(self.of(&other, label, true))
                }
                Target::Free => true,
            };
            if !ours.iter().copied().all(good) {
                return "**no**";
            }
        }
        if seen { "yes" } else { "-" }
    }

    /// One part of the page: its table, and where it was measured.
    pub(super) fn section(&self, versions: &[String], effort: Effort) -> String {
        let mut text = format!(
            "Ranges are over the {} run(s) of each row, and a target counts as reached only if every run reached it.\n\n",
            effort.runs
        );
        text +=
            "| | keepalived 2.4.3 (from the issue, another day) | keepalived, installed | ours | wanted | reached |\n";
        text += "|---|---|---|---|---|---|\n";
        for line in LINES.iter().filter(|line| self.values.keys().any(|(scenario, ..)| *scenario == line.scenario)) {
            let Line { title, c_2_4_3, wanted, .. } = line;
            let (theirs, ours, verdict) = (self.cell(line, false), self.cell(line, true), self.verdict(line));
            writeln!(text, "| {title} | {c_2_4_3} | {theirs} | {ours} | {wanted} | {verdict} |")
                .expect("a String takes everything");
        }
        text += "\nWhere and with what:\n\n";
        for fact in versions.iter().cloned().chain(machine()) {
            writeln!(text, "- {fact}").expect("a String takes everything");
        }
        text
    }
}

/// `page` with `section` as its part `part`; the other parts stay as they were measured.
pub(super) fn page_with(page: &str, part: Part, section: &str) -> String {
    let old = |part: Part| {
        let begin = format!("## {}\n\n", part.title());
        let rest = page.split_once(&begin).map(|(_, rest)| rest)?;
        Some(rest.split_once("\n## ").map_or(rest, |(section, _)| section).trim_end().to_owned())
    };
    let mut text = String::from(
        "# Performance\n\nWritten by `cargo xtask bench`, each part by itself; both daemons in one run, their rows taking turns.\n",
    );
    for each in Part::ALL {
        let body = if each == part { Some(section.trim_end().to_owned()) } else { old(each) };
        writeln!(text, "\n## {}\n\n{}", each.title(), body.unwrap_or_else(|| "Not measured yet.".to_owned()))
            .expect("a String takes everything");
    }
    text + METHOD
}

const METHOD: &str = "
## How

Two routers in network namespaces, priorities 200 and 100, VRRP version 3 over IPv4 multicast, one address per instance,
`vrrp_garp_master_delay 0`, run with `-n -l` into a file; at most 250 VRIDs on an interface, one bridge per interface pair, and
tcpdump on each bridge. All times are the kernel's time stamps of packets on the bridge. A run in which tcpdump lost packets is thrown away.

- *Crash*: kill -9 of all the master's processes. The figure is, for each VRID, (first advert of the new master) - (last advert of the
  old one) - (3 x interval + skew), skew = (256 - 100)/256 x interval.
- *Clean stop*: SIGTERM; for each VRID from its priority 0 advert to the first advert of the new master, less skew.
- *Burst*: after a crash, for each VRID from the new master's first advert to the last gratuitous ARP of the second that follows.
- *Comes back*: the backup alone for 5 s and 4 intervals, then the router with 200 starts. Settled: the last change of sender on any
  VRID, counted from the start of the process. Watched for 40 s, or until nothing has changed hands for 10 s while all are taken back.
- *Due adverts*, *CPU*: 10 s after that; CPU is utime + stime of all processes of the daemon.
- *SIGHUP*: on the master, file unchanged; silences that end within 4 intervals afterwards. One interval of silence is usual: only what exceeds it counts.
- *vrrp process killed*: the silence of a VRID is over when either router sends; addresses removed is what `ip monitor` saw deleted on the master.
- *`-t`*: wall clock from the start of the process to its end, the middle one of five; the largest resident set of the five. Reading stands in no
  network: `dynamic_interfaces` is on. The plan is measured in one process of a release build, after both files were read.
- *Balancing*: every row and daemon in a User-Mode Linux of its own (one processor, where system calls and page faults cost many times
  what they cost on iron: ratios matter), with the checker process only. Real servers are addresses of the loopback interface, all served
  by one thread. *On this kernel*: the same in a network namespace, where there is no IPVS: ours balances by nftables, keepalived by a
  library of ours that is preloaded and says yes to whatever it tells the kernel, so that the table costs it nothing.
  - *CPU of a check*: utime + stime of the checker process over 10 s, by the connections that came meanwhile; `delay_loop 1`. *Of the
    kernel*: of a thread that does nothing but hold the same dialogue, one after the other. To connect to an address of this machine
    the kernel does the server's half in the name of the client; no daemon can take less.
  - *Late*: what passes between two connections to one server beyond `delay_loop`, seen by the server over 35 s: with the dialogue and
    the server's own slowness. Memory is the Pss of the checker process by servers.
  - *Fail*: the socket of 1,000 servers is shut; the last failure is when the kernel's AttemptFails has risen by 1,000 (`delay_loop 2`,
    no retries); then until /proc/net/ip_vs shows the one server of each service that is left.
  - *Start*: from the start of the program; *of the kernel* is the same table put by our `Ipvs::change` alone into an empty network namespace.
  - *Reload, stop*: from SIGHUP until the changed weight is in the table (with nftables: until `nft monitor` says so), *never* is more than a
    minute; from SIGTERM until the process has ended. *Left* is what is in the table then. *Late*: the latest of all checks from
    SIGHUP until twice the `delay_loop` after the change, as above.
- *Around* (part Around): *routes* from the first advert of a router that starts alone until `ip route` and `ip rule` show all; *scripts* is utime + stime of the daemon's
  processes over 20 s, without the programs that they run; *tracked process*: killed, until the advert of priority 0, 20 times; *notify* from the first advert of the router that
  takes over until all scripts have written their line; *auth_hmac* is CPU of the master over 20 s.
- *BFD* (part Paths): two network namespaces; the neighbour of the measured daemon is always ours. Sessions are pairs of few addresses. CPU is utime +
  stime of all processes of the daemon (of bfdd alone, without zebra) over a minute in which nothing changes. *Flaps* are lines \"Entering Down state\" of both sides in that minute. *Late*:
  what passes between two packets of a session beyond the interval, by tcpdump's stamps at the neighbour over 10 s. *Detection*: the neighbour is stopped with SIGSTOP; the figure is
  what the daemon's own log says it was overdue.
- *Observing*: the master of a pair of routers, with 2,000 virtual servers (nftables) whose ten servers are checked each 10 s. Twenty questions, 1.2 s apart. The time of `status --json` is that of
  the program, from its start to its end. Silences as in *while 20,000 adverts arrive*, over 20 s, one figure a virtual router.
- *Memory*: Pss in smaps_rollup, all processes of the master.

## What can delay an advert

Measured by hand in a network namespace with 4,000 links (2,000 veth pairs), on the machine above, which others used too (load average 8 to 12): the
calls that the vrrp process makes between two adverts, 200 to 300 times each, p50 / worst in ms. *Churn*: `ip -batch` removes and makes pairs without a
pause. *Addresses*: it adds and removes addresses of another link.

| call | 3 links | 4,000 links | churn | addresses |
|---|---|---|---|---|
| set 32 addresses | 0.3 / 10 | 0.6 / 23 | 31 / 240 | 0.5 / 140 |
| set 32 addresses that are there, so that a closer look is needed | 0.3 / 0.6 | 0.4 / 40 | 0.4 / 288 | 0.4 / 176 |
| open the sockets of a channel | 0.1 / 0.2 | 0.1 / 0.2 | 0.1 / 119 | 0.1 / 30 |
| take the kernel's events | 0.2 / 0.3 | 0.2 / 0.3 | 0.2 / 36 | 0.2 / 90 |
| read all links and addresses | 0.1 | 127 | 14,200 before it was bounded | 10,700 before it was bounded |

- The closer look reads the link that it is about only. Before, it read everything: 127 ms, in each batch with one doubtful change.
- Everything is read at the start and after lost events. As long as things change meanwhile it is read again, but none begins after 100 ms;
  what may be missing is found 30 s later. One reading of 4,000 links is still 127 ms in which no advert leaves.
- What is left is the kernel's lock for links (RTNL): who holds it, holds up each of these calls. A thread of its own for changes would bound that; it
  is not built.
- The patience of an exchange (5 s) never runs: the kernel has worked through a request when `send` returns.
- The IPVS sync daemons are started and ended on a thread of their own: no advert waits for the kernel, or for `modprobe`
  (`sync_daemon::nobody_waits_for_a_kernel_that_is_slow`).
";

/// `0.61 to 3.9`, or one number if there is but one.
fn range(values: &[f64]) -> String {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let (low, high) = (number(low), number(high));
    if low == high { low } else { format!("{low} to {high}") }
}

pub(super) fn number(value: f64) -> String {
    match value {
        value if value.is_infinite() => "never".to_owned(),
        value if value.is_nan() => "none".to_owned(),
        value if (value - value.round()).abs() < 1e-9 || value.abs() >= 1000.0 => format!("{value:.0}"),
        value if value.abs() >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

fn machine() -> Vec<String> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        text.lines()
            .find(|line| line.starts_with(name))
            .and_then(|line| line.split_once(':'))
            .map(|(_, value)| value.trim().to_owned())
    };
    let cpu = field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| "a CPU".to_owned());
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let memory = field(&read("/proc/meminfo"), "MemTotal").unwrap_or_default();
    vec![
        format!("{cores} cores, {cpu}, {memory} of memory"),
        format!("Linux {}", read("/proc/sys/kernel/osrelease").trim()),
        // what else the cores had to do
        format!("load averages at the end: {}", read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" ")),
    ]
}
