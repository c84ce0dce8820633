//! The rows of the table: what the issue says must be reached.

use super::balance::{Act, Kind};
use super::gap::Disturbance;
use super::parse::LargeFile;
use super::rig::Load;
use super::scenario::Scenario;
use super::{around, bfd};

const fn load(instances: usize, centis: u16) -> Load {
    Load { instances, centis }
}

/// Each thing that is done, by the name that `--only` takes.
pub(super) const SCENARIOS: &[(&str, Scenario)] = &[
    ("crash-20", Scenario::Crash(load(20, 100))),
    ("crash-250", Scenario::Crash(load(250, 100))),
    ("stop-100", Scenario::Stop(load(100, 100))),
    ("return-250x1s", Scenario::Return(load(250, 100))),
    ("return-250x100ms", Scenario::Return(load(250, 10))),
    ("return-250x10ms", Scenario::Return(load(250, 1))),
    ("return-1000x1s", Scenario::Return(load(1000, 100))),
    ("return-1000x100ms", Scenario::Return(load(1000, 10))),
    ("return-4000x1s", Scenario::Return(load(4000, 100))),
    ("reload-1000", Scenario::Reload(load(1000, 100))),
    ("respawn-20", Scenario::Respawn(load(20, 100))),
    ("macs-1000", Scenario::Macs(load(1000, 100))),
    ("gap-adverts", Scenario::Gap(load(250, 100), Disturbance::Adverts(20_000))),
    ("gap-links", Scenario::Gap(load(250, 100), Disturbance::Links(4_000))),
    ("gap-reload", Scenario::Gap(load(250, 100), Disturbance::Reload(3_700))),
    ("around-routes-500", Scenario::Around(load(500, 100), around::Act::Routes)),
    ("around-scripts-500", Scenario::Around(load(1, 100), around::Act::Scripts(500))),
    ("around-process", Scenario::Around(load(1, 10), around::Act::Process(20))),
    ("around-notify-250", Scenario::Around(load(250, 100), around::Act::Notify)),
    ("around-signed-250", Scenario::Around(load(250, 10), around::Act::Signed)),
    ("bfd-1000", Scenario::Bfd(bfd::Act::Hold { sessions: 1_000, interval: 100, multiplier: 3 })),
    ("bfd-5000", Scenario::Bfd(bfd::Act::Hold { sessions: 5_000, interval: 300, multiplier: 3 })),
    ("bfd-20x10ms", Scenario::Bfd(bfd::Act::Hold { sessions: 20, interval: 10, multiplier: 3 })),
    ("bfd-loss-20", Scenario::Bfd(bfd::Act::Lose { sessions: 20, interval: 50, multiplier: 3 })),
    ("bfd-notice-20", Scenario::Bfd(bfd::Act::Notice { sessions: 20, interval: 50, multiplier: 3 })),
    ("observe-1000", Scenario::Observe(load(1000, 100), 2_000)),
    ("parse-1000x10", Scenario::Parse(LargeFile::Servers(1_000))),
    ("parse-5000x10", Scenario::Parse(LargeFile::Servers(5_000))),
    ("parse-10000x10", Scenario::Parse(LargeFile::Servers(10_000))),
    ("parse-400", Scenario::Parse(LargeFile::Instances(400))),
    ("parse-4000", Scenario::Parse(LargeFile::Instances(4_000))),
    ("plan-5000x10", Scenario::Plan(LargeFile::Servers(5_000))),
    ("balance-tcp-500", Scenario::Balance(Act::Cost(Kind::Tcp, 500))),
    ("balance-http-500", Scenario::Balance(Act::Cost(Kind::Http, 500))),
    ("balance-tcp-500-here", Scenario::BalanceHere(Act::Cost(Kind::Tcp, 500))),
    ("balance-http-500-here", Scenario::BalanceHere(Act::Cost(Kind::Http, 500))),
    ("balance-crowd-20000", Scenario::Balance(Act::Crowd(20_000))),
    ("balance-crowd-20000-here", Scenario::BalanceHere(Act::Crowd(20_000))),
    ("balance-fail-1000", Scenario::Balance(Act::Fail(1_000))),
    ("balance-program-2000", Scenario::Balance(Act::Program(2_000))),
    ("balance-program-10000", Scenario::Balance(Act::Program(10_000))),
    ("balance-reload-3700", Scenario::Balance(Act::Reload(3_700))),
    ("balance-reload-3700-here", Scenario::BalanceHere(Act::Reload(3_700))),
];

/// What is measured in one go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Routers,
    Around,
    Paths,
    Configuration,
    Balancing,
    Observing,
}

impl Part {
    pub(super) const ALL: [Self; 6] =
        [Self::Routers, Self::Around, Self::Paths, Self::Configuration, Self::Balancing, Self::Observing];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Routers => "Routers",
            Self::Around => "Around",
            Self::Paths => "Paths",
            Self::Configuration => "Configuration",
            Self::Balancing => "Balancing",
            Self::Observing => "Observing",
        }
    }

    /// Whether the row of this name is in it.
    pub(super) fn has(self, name: &str) -> bool {
        let part = match name.split('-').next() {
            Some("parse" | "plan") => Self::Configuration,
            Some("balance") => Self::Balancing,
            Some("around") => Self::Around,
            Some("bfd") => Self::Paths,
            Some("observe") => Self::Observing,
            _ => Self::Routers,
        };
        part == self
    }
}

/// What a figure must be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target {
    Under(f64),
    Above(f64),
    Exactly(f64),
    /// Not more than the other daemon's in the same run.
    NotMoreThanTheirs,
    /// Not more than half of the other daemon's in the same run.
    HalfOfTheirs,
    /// Not more than a fifth of the other daemon's in the same run.
    FifthOfTheirs,
    /// Not more than so many times the same figure of another row.
    TimesOf(f64, &'static str),
    /// Shown for the reader.
    Free,
}

/// One line of the table.
pub(super) struct Line {
    pub(super) title: &'static str,
    pub(super) scenario: &'static str,
    /// What keepalived 2.4.3 was seen to do on another day, as the issue has it.
    pub(super) c_2_4_3: &'static str,
    pub(super) figures: &'static [(&'static str, Target)],
    pub(super) wanted: &'static str,
}

macro_rules! lines {
    ($($title:literal, $scenario:literal, $c:literal, [$($label:literal $target:expr),*], $wanted:literal;)*) => {
        &[$(Line { title: $title, scenario: $scenario, c_2_4_3: $c, figures: &[$(($label, $target)),*], wanted: $wanted }),*]
    };
}

use Target::{Above, Exactly, FifthOfTheirs, Free, HalfOfTheirs, NotMoreThanTheirs, TimesOf, Under};

pub(super) const LINES: &[Line] = lines! {
    "crash failover beyond the RFC's wait, 20 instances, 1 s (ms)", "crash-20",
        "p50 0.6 to 3.9, p99 6 to 7", ["p50" Free, "p99" Under(1.0)], "p99 under 1 ms";
    "the same, 250 instances (ms)", "crash-250",
        "p50 2 to 3.6, p99 17 to 43", ["p50" Free, "p99" Under(5.0)], "p99 under 5 ms";
    "clean stop, 100 instances: from priority 0 to takeover beyond skew (ms)", "stop-100",
        "p50 26 to 30, max 67 to 84", ["p50" Free, "p99" Under(3.0), "max" Free], "p99 under 3 ms";
    "first advert to last gratuitous ARP of the first burst, 250 instances (ms)", "crash-250",
        "1.4 to 42", ["burst p50" Free, "burst max" Under(3.0)], "under 3 ms";
    "the master comes back, 250 x 1 s: seconds until no VRID changes hands any more; changes", "return-250x1s",
        "4.0 s, 250", ["s" Under(3.7), "changes" Exactly(250.0)], "under 3.7 s, 250";
    "the same, 250 x 100 ms", "return-250x100ms",
        "not settled after 40 s; 9661 changes, 73,000 gratuitous ARPs, one VRID flapped 91 times",
        ["s" Under(0.8), "changes" Exactly(250.0), "garps" Free, "worst flaps" Free], "under 0.8 s, 250";
    "250 x 10 ms", "return-250x10ms",
        "2.2 s, 490 to 750; then 98.5 to 99 % of due adverts",
        ["s" Under(0.5), "changes" Exactly(250.0), "% of due adverts" Above(99.5)], "under 0.5 s, 250; above 99.5 %";
    "1000 x 1 s on 4 interfaces", "return-1000x1s",
        "9.3 s, 1026", ["s" Under(3.8), "changes" Exactly(1000.0)], "under 3.8 s, 1000";
    "1000 x 100 ms on 4 interfaces", "return-1000x100ms",
        "13.4 s, 2356", ["s" Under(1.0), "changes" Exactly(1000.0)], "under 1 s, 1000";
    "4000 x 1 s on 16 interfaces", "return-4000x1s",
        "not settled after 40 s, 76 of 4000 taken back",
        ["s" Under(5.0), "changes" Exactly(4000.0), "taken back" Exactly(4000.0)], "under 5 s, 4000";
    "SIGHUP with an unchanged file, 1000 instances: longest silence of any VRID beyond its interval (ms)", "reload-1000",
        "3 to 8 ms", ["max ms" Under(3.0), "changes" Exactly(0.0)], "under 3 ms";
    "kill -9 of the master's vrrp process, 20 instances: longest silence beyond the interval (ms); addresses removed", "respawn-20",
        "2.3 s; yes", ["max ms" Under(100.0), "addresses removed" Exactly(0.0)], "under 100 ms; none";
    "1,000 virtual MACs, from the start until all have their addresses; from the stop until none is left", "macs-1000",
        "5.6 s; 849 left after 5 s",
        ["links s" Free, "s beyond the election" Under(1.0), "stop s" Under(2.0), "left" Exactly(0.0)], "under 1 s; under 2 s, none";
    "250 x 1 s: longest silence of the master beyond its interval while 20,000 adverts of a stranger arrive each second (ms)", "gap-adverts",
        "", ["max ms" Under(10.0), "adverts of the backup" Exactly(0.0), "foreign adverts/s" Free], "under 10 ms, no takeover";
    "the same while 4,000 links come and go", "gap-links",
        "", ["max ms" Under(10.0), "adverts of the backup" Exactly(0.0), "rounds" Free], "under 10 ms, no takeover";
    "the same during a reload of 3,700 services with 10 servers each", "gap-reload",
        "", ["max ms" Under(10.0), "adverts of the backup" Exactly(0.0)], "under 10 ms, no takeover";
    "CPU afterwards, 1000 x 1 s (% of a core)", "return-1000x1s",
        "2.6 / 1.0 %", ["% cpu master" NotMoreThanTheirs, "% cpu backup" NotMoreThanTheirs], "not more";
    "CPU afterwards, 250 x 10 ms (% of a core)", "return-250x10ms",
        "33 / 14 %", ["% cpu master" NotMoreThanTheirs, "% cpu backup" NotMoreThanTheirs], "not more";
    "memory (PSS of all processes), 20 instances (MB)", "crash-20",
        "5.1 MB", ["MB" Under(8.0)], "not more than 8 MB";
    "memory, 1000 instances (MB)", "return-1000x1s",
        "5.9 MB", ["MB" Under(10.0)], "not more than 10 MB";
    "5,000 routes and 5,000 rules in 500 instances: from the first advert of the takeover until all are there (s); longest silence of an instance beyond its interval meanwhile", "around-routes-500",
        "17 s from the start", ["s" Under(0.5), "max ms" Under(10.0)], "under 0.5 s; adverts on time";
    "500 scripts a second (/usr/bin/true): CPU of the daemon's processes without the scripts (% of a core)", "around-scripts-500",
        "15 %", ["% cpu" HalfOfTheirs, "processes/s" Free], "half of theirs";
    "a tracked process dies: until the advert of priority 0 (ms), in a network namespace", "around-process",
        "", ["p50" Free, "p99" Under(5.0), "max" Free], "p99 under 5 ms";
    "250 instances change state at once, each with a notify script: from the first advert until all scripts are done (s); longest silence beyond the interval (ms)", "around-notify-250",
        "", ["s" NotMoreThanTheirs, "max ms" Under(5.0)], "not later than theirs; 5 ms";
    "auth_hmac, 250 x 100 ms: CPU of the master against no authentication", "around-signed-250",
        "", ["% cpu without" Free, "% cpu with" Free, "times" Under(1.3)], "under 1.3 times";
    "BFD: 1,000 sessions at 100 ms x 3 for a minute: CPU (% of a core; FRR's bfdd beside keepalived), flaps, lateness of packets", "bfd-1000",
        "", ["% cpu" HalfOfTheirs, "keepalived % cpu" Free, "flaps" Exactly(0.0), "late ms p99" Under(1.0), "late ms max" Free, "MB" Free, "bfdd % cpu" Free, "bfdd flaps" Free, "bfdd late ms p99" Free],
        "half of the better one's, none, under 1 ms";
    "5,000 sessions at 300 ms x 3 for a minute", "bfd-5000",
        "", ["% cpu" Free, "flaps" Exactly(0.0), "late ms p99" Free, "MB" Free, "bfdd % cpu" Free, "bfdd flaps" Free], "no flap";
    "20 sessions at 10 ms x 3 for a minute", "bfd-20x10ms",
        "", ["flaps" Exactly(0.0), "% cpu" Free, "late ms p99" Free, "bfdd flaps" Free, "bfdd % cpu" Free], "no flap";
    "20 sessions at 50 ms x 3 for a minute, one packet in twenty lost", "bfd-loss-20",
        "", ["flaps" Exactly(0.0)], "no flap";
    "20 sessions at 50 ms x 3, the neighbour freezes: detection beyond the RFC's time (ms)", "bfd-notice-20",
        "", ["p50" Free, "p99" Under(1.0), "max" Free], "p99 under 1 ms";
    "`-t`, 1,000 virtual servers with 10 real servers each", "parse-1000x10",
        "100 ms, 16.5 MB", ["ms" HalfOfTheirs, "MB" NotMoreThanTheirs], "half the time, not more memory";
    "`-t`, 5,000 with 10 each", "parse-5000x10",
        "500 ms, 41 MB", ["ms" HalfOfTheirs, "MB" NotMoreThanTheirs], "half the time, not more memory";
    "`-t`, 4,000 instances", "parse-4000",
        "590 ms", ["ms" HalfOfTheirs, "MB" NotMoreThanTheirs], "half the time, not more memory";
    "`-t`, 10,000 virtual servers with 10 real servers each: against 1,000", "parse-10000x10",
        "", ["ms" TimesOf(11.0, "parse-1000x10"), "MB" Free], "at most 11 times the time";
    "`-t`, 4,000 instances: against 400", "parse-4000",
        "", ["ms" TimesOf(11.0, "parse-400"), "MB" Free], "at most 11 times the time";
    "the plan between two configurations of 50,000 real servers that differ in one", "plan-5000x10",
        "", ["parse ms" Free, "plan ms" Free, "plan / parse" Under(1.0)], "less than the parse";
    "CPU of a TCP check at 500 checks/s (ms)", "balance-tcp-500",
        "0.42", ["cpu ms per check" HalfOfTheirs, "cpu ms of the kernel" Free, "checks/s" Free],
        "half of theirs, or what the kernel takes";
    "CPU of an HTTP check at 500 checks/s (ms)", "balance-http-500",
        "", ["cpu ms per check" HalfOfTheirs, "cpu ms of the kernel" Free, "checks/s" Free],
        "half of theirs, or what the kernel takes";
    "the same TCP check on this kernel, without IPVS", "balance-tcp-500-here",
        "", ["cpu ms per check" HalfOfTheirs, "cpu ms of the kernel" Free, "checks/s" Free],
        "half of theirs, or what the kernel takes";
    "the same HTTP check on this kernel, without IPVS", "balance-http-500-here",
        "", ["cpu ms per check" HalfOfTheirs, "cpu ms of the kernel" Free, "checks/s" Free],
        "half of theirs, or what the kernel takes";
    "20,000 servers, a TCP check of each every 10 s", "balance-crowd-20000",
        "", ["late ms p99" Free, "late ms max" Under(100.0), "kB per server" NotMoreThanTheirs, "checks/s" Free],
        "no check later than 100 ms, not more memory";
    "the same on this kernel, without IPVS", "balance-crowd-20000-here",
        "", ["late ms p99" Free, "late ms max" Under(100.0), "kB per server" NotMoreThanTheirs, "checks/s" Free],
        "no check later than 100 ms, not more memory";
    "1,000 servers fail at once: until the table is right", "balance-fail-1000",
        "", ["ms after the last failure" Under(250.0), "s" Free], "under 250 ms after the last";
    "2,000 services with 10 servers each, from start to the whole table", "balance-program-2000",
        "", ["s" FifthOfTheirs, "s of the kernel" Free], "a fifth of theirs, or what the kernel takes";
    "10,000 services with 10 servers each", "balance-program-10000",
        "26 s", ["s" FifthOfTheirs, "s of the kernel" Free], "a fifth of theirs, or what the kernel takes";
    "3,700 services with 10 servers each: reload with one change, then stop", "balance-reload-3700",
        "", ["reload s" Under(0.3), "stop s" Under(2.0), "left" Exactly(0.0)], "under 0.3 s; under 2 s, nothing left";
    "the same on this kernel, without IPVS, while each server is checked every 20 s", "balance-reload-3700-here",
        "", ["reload s" Under(0.3), "late ms max" Under(100.0), "stop s" Under(2.0), "left" Exactly(0.0)],
        "under 0.3 s, no check later than 100 ms; under 2 s, nothing left";
    "1,000 instances and 20,000 servers: `keepalivedctl status --json` (ms)", "observe-1000",
        "", ["status ms p50" Free, "status ms max" Under(100.0)], "under 100 ms";
    "a scrape of the metrics (ms)", "observe-1000",
        "", ["scrape ms p50" Free, "scrape ms max" Under(150.0)], "under 150 ms";
    "memory of the observer (PSS)", "observe-1000", "", ["observer MB" Under(30.0)], "under 30 MB";
    "longest silence of a virtual router beyond its interval, with ten scrapes a second and 100 pages open, against none (ms)", "observe-1000",
        "", ["adverts late ms p50, quiet" Free, "adverts late ms p50, asked" Free, "later by ms" Under(1.0), "later by ms, p99" Free],
        "at most 1 ms later";
};
