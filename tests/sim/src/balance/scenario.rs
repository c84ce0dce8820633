//! What a seed stands for: a configuration, and what befalls its balancer when.

use std::time::Duration;

use keepalived_core::balance::Scheduler;

use super::disturbance::{Condition, Disturbance, Meddling};
use super::setting::{Check, FILES, FileRule, Kind, MARKS, Named, Server, Service, Setting, Target};
use crate::clock::Moment;
use crate::random::Random;

/// A whole run, before it begins.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Where it came from; also throws the dice of servers while it runs.
    pub seed: u64,
    /// What the daemon is set to at first.
    pub setting: Setting,
    /// The kernel tells at once what others do to its table, as that of nftables does.
    pub notifies: bool,
    /// What happens.
    pub plan: Vec<(Moment, Disturbance)>,
    /// When it is over.
    pub end: Moment,
}

/// Real servers of all configurations.
pub const SERVERS: u8 = 6;

/// Until what was troubled is as it ought to be: the kernel is tried again after a minute, and looked at after
/// `lvs_repair_interval`.
const REST: Duration = Duration::from_secs(100);

/// EAGAIN, ENOMEM, ENFILE, EMFILE, ENOBUFS.
const SHORTAGES: [i32; 5] = [11, 12, 23, 24, 105];

impl Scenario {
    /// The scenario of `seed`.
    pub fn of(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let notifies = random.percent(30);
        let checks = [Kind::Tcp, Kind::Http(1), Kind::Misc(false)].map(|kind| check(&mut random, kind));
        let setting = setting(&mut random, &checks, notifies);
        let author =
            Author { random, notifies, checks, setting: setting.clone(), now: Moment::START, plan: Vec::new() };
        let (plan, end) = author.write();
        Self { seed, setting, notifies, plan, end }
    }
}

/// The checks that most servers have: one that several virtual servers have on a real server is one.
type Usual = [Check; 3];

fn setting(random: &mut Random, usual: &Usual, notifies: bool) -> Setting {
    let mut setting = Setting {
        // without notifications, and never a look, nothing that others do would be found
        repair_interval: if notifies { random.pick(&[0, 30]) } else { random.pick(&[5, 30, 30]) },
        drain: random.pick(&[0, 0, 0, 5, 40]),
        flush: random.percent(15),
        flush_on_stop: random.percent(30),
        services: Vec::new(),
    };
    for number in 1..=random.pick(&[1, 1, 2, 2, 3, 4]) {
        setting.services.push(service(random, usual, number));
    }
    setting
}

fn service(random: &mut Random, usual: &Usual, number: u8) -> Service {
    let named = match random.below(10) {
        0 => Named::Mark,
        1..4 => Named::Group(group(random)),
        _ => Named::Address,
    };
    let mut service = Service {
        number,
        named,
        ha_suspend: random.percent(20),
        scheduler: random.pick(&[Scheduler::Rr, Scheduler::Wlc, Scheduler::Sh]),
        quorum: 1,
        hysteresis: 0,
        omega: random.percent(30),
        sorry: random.pick(&[None, None, Some(false), Some(true)]),
        sorry_is: random.percent(15).then_some(2),
        servers: Vec::new(),
    };
    for number in 1..=SERVERS {
        if random.percent(50) {
            service.servers.push(server(random, usual, number));
        }
    }
    if service.servers.is_empty() {
        service.servers.push(server(random, usual, 1));
    }
    set_quorum(random, &mut service);
    service
}

/// What a group has besides its own address: what other virtual servers name, or nothing.
fn group(random: &mut Random) -> Vec<u8> {
    (0..random.below(4)).map(|_| random.pick(&[1, 2, 3, 4, 7, MARKS + 1, MARKS + 2])).collect()
}

fn set_quorum(random: &mut Random, service: &mut Service) {
    let weight: u32 = service.servers.iter().map(|server| server.weight).sum();
    let most = u64::from(weight.max(1));
    service.quorum = if random.percent(50) { 1 } else { small(random, 1, most) };
    service.hysteresis = small(random, 0, u64::from(service.quorum - 1).min(4));
}

fn server(random: &mut Random, usual: &Usual, number: u8) -> Server {
    let mut checks = Vec::new();
    for usual in usual {
        if random.percent(40) {
            let own = check(random, usual.target.kind);
            checks.push(if random.percent(70) { usual.clone() } else { own });
        }
    }
    if random.percent(15) {
        checks.push(of_file(random));
    }
    Server { number, weight: random.pick(&[0, 1, 1, 1, 2, 10]), inhibit: random.percent(30), checks }
}

/// A check that others tell the result of: nothing else can be set.
fn of_file(random: &mut Random) -> Check {
    let rule =
        FileRule { file: random.pick(&FILES), multiplier: random.pick(&[0, 1, 1, -2]), reverse: random.percent(30) };
    Check {
        target: Target { kind: Kind::File(rule), timeout: 0 },
        delay_loop: 0,
        retry: 0,
        delay_before_retry: 0,
        warmup: 0,
        alpha: false,
    }
}

fn check(random: &mut Random, kind: Kind) -> Check {
    let kind = match kind {
        Kind::Tcp => kind,
        Kind::Http(_) => Kind::Http(random.pick(&[1, 1, 3])),
        Kind::Misc(_) => Kind::Misc(random.percent(50)),
        Kind::File(_) => kind,
    };
    Check {
        target: Target { kind, timeout: random.pick(&[1, 1, 3]) },
        delay_loop: random.pick(&[2, 2, 2, 5, 20]),
        retry: random.pick(&[1, 1, 0, 3]),
        delay_before_retry: random.pick(&[1, 1, 4]),
        warmup: random.pick(&[0, 0, 2, 10]),
        alpha: random.percent(15),
    }
}

fn small(random: &mut Random, least: u64, most: u64) -> u32 {
    u32::try_from(random.between(least, most)).expect("a small number")
}

/// Writes a plan: the daemon starts; then, a few times, trouble and a time of rest that is long enough for every
/// promise.
struct Author {
    random: Random,
    notifies: bool,
    checks: Usual,
    setting: Setting,
    now: Moment,
    plan: Vec<(Moment, Disturbance)>,
}

impl Author {
    fn write(mut self) -> (Vec<(Moment, Disturbance)>, Moment) {
        self.plan.push((self.now, Disturbance::Start));
        self.now = self.now + Duration::from_secs(self.random.pick(&[1, 3, 15]));
        for _ in 0..self.random.between(1, 3) {
            self.trouble();
            self.now = self.now + REST;
        }
        if self.random.percent(60) {
            self.plan.push((self.now, Disturbance::Stop(self.random.percent(20))));
        }
        self.plan.sort_by_key(|(at, _)| *at);
        (self.plan, self.now + Duration::from_secs(1))
    }

    fn trouble(&mut self) {
        let from = self.now;
        let window = Duration::from_secs(self.random.pick(&[2, 10, 40]));
        let mut until = from + window;
        for _ in 0..self.random.between(1, 6) {
            let at = from + self.random.duration(window);
            let most = self.random.pick(&[1, 10, 60]);
            let end = at + self.random.duration(Duration::from_secs(most));
            self.one(at, end);
            until = until.max(end);
        }
        self.now = until;
    }

    /// One disturbance at `at`; what has an end ends at `until`, unless it is for ever.
    fn one(&mut self, at: Moment, until: Moment) {
        let server = u8::try_from(self.random.between(1, u64::from(SERVERS))).expect("few servers");
        let service = self.service();
        let (begin, end) = match self.random.below(100) {
            0..24 => {
                let well = Disturbance::Condition(server, Condition::Well(self.random.pick(&[0, 1, 7])));
                (Disturbance::Condition(server, self.condition()), Some(well))
            }
            24..27 => (Disturbance::Writes(self.random.pick(&FILES), self.number()), None),
            27..30 => (Disturbance::Leaves(service), Some(Disturbance::Comes(service))),
            30..38 => {
                let of = self.random.percent(60).then_some(server);
                (Disturbance::Refuse(service, of), Some(Disturbance::Grant(service, of)))
            }
            38..43 => (Disturbance::Silence, Some(Disturbance::Speech)),
            43..45 => (Disturbance::Blindness, Some(Disturbance::Sight)),
            45..47 => (Disturbance::Dimness, Some(Disturbance::Sight)),
            47..60 => (Disturbance::Meddle(self.meddling(service, server)), None),
            60..66 => (Disturbance::RunnerDies, Some(Disturbance::RunnerComes)),
            66..70 => (Disturbance::Lose, Some(Disturbance::Deliver)),
            70..74 => (Disturbance::Shortage(self.random.pick(&SHORTAGES)), Some(Disturbance::Plenty)),
            74..80 => (Disturbance::Kill, Some(Disturbance::Respawn)),
            80..82 => (Disturbance::KillAll, Some(Disturbance::Start)),
            82..84 => (Disturbance::Stop(self.random.percent(30)), Some(Disturbance::Start)),
            84..88 => (Disturbance::Pause, Some(Disturbance::Resume)),
            _ => (self.reload(), None),
        };
        if begin == Disturbance::Kill && self.random.percent(40) {
            let while_dead = at + self.random.duration(until.since(at));
            let reload = self.reload();
            self.plan.push((while_dead, reload));
        }
        self.plan.push((at, begin));
        if let Some(end) = end {
            // disturbances of processes end; servers and the kernel may stay as they are
            let may_last = matches!(end, Disturbance::Condition(..) | Disturbance::Grant(..) | Disturbance::Comes(_));
            if !(may_last && self.random.percent(25)) {
                self.plan.push((until, end));
            }
        }
    }

    fn service(&mut self) -> u8 {
        let numbers: Vec<u8> = self.setting.services.iter().flat_map(Service::numbers).collect();
        self.random.pick(&numbers)
    }

    fn number(&mut self) -> i64 {
        self.random.pick(&[0, 0, 1, -1, 5, i64::from(i32::MIN)])
    }

    fn condition(&mut self) -> Condition {
        let weight = self.random.pick(&[0, 1, 7]);
        self.random.pick(&[
            Condition::Well(weight),
            Condition::Refuses,
            Condition::Refuses,
            Condition::Stalls,
            Condition::Resets,
            Condition::Lies,
        ])
    }

    fn meddling(&mut self, service: u8, server: u8) -> Meddling {
        let weight = small(&mut self.random, 0, 5);
        let number = u8::try_from(self.random.between(1, 3)).expect("up to 3");
        self.random.pick(&[
            Meddling::Flush,
            Meddling::RemoveService(service),
            Meddling::EditService(service),
            Meddling::RemoveServer(service, server),
            Meddling::Reweigh(service, server, weight),
            Meddling::AddService(number),
            Meddling::AddServer(service, number),
        ])
    }

    fn reload(&mut self) -> Disturbance {
        let Self { random, checks: usual, setting, .. } = self;
        for _ in 0..random.pick(&[0, 1, 1, 2]) {
            let count = setting.services.len();
            let at = random.index(count);
            let Some(service) = setting.services.get_mut(at) else { continue };
            match random.below(11) {
                0 if count > 1 => drop(setting.services.remove(at)),
                1 => {
                    let free = (1..=6).find(|number| setting.services.iter().all(|known| known.number != *number));
                    let new = free.map(|number| self::service(random, usual, number));
                    setting.services.extend(new);
                }
                7 => service.ha_suspend = !service.ha_suspend,
                8 => {
                    if let Named::Group(others) = &mut service.named {
                        *others = group(random);
                    }
                }
                2 => service.sorry = random.pick(&[None, Some(false), Some(true)]),
                3 => set_quorum(random, service),
                4 => service.scheduler = random.pick(&[Scheduler::Rr, Scheduler::Wlc, Scheduler::Sh]),
                5 if service.servers.len() > 1 => drop(service.servers.remove(random.index(service.servers.len()))),
                6 => {
                    let free = (1..=SERVERS).find(|it| service.servers.iter().all(|known| known.number != *it));
                    service.servers.extend(free.map(|number| server(random, usual, number)));
                }
                _ => change_server(random, service),
            }
        }
        if self.notifies && random.percent(10) {
            setting.repair_interval = random.pick(&[0, 30]);
        }
        Disturbance::Reload(Box::new(setting.clone()))
    }
}

fn change_server(random: &mut Random, service: &mut Service) {
    let at = random.index(service.servers.len());
    let Some(server) = service.servers.get_mut(at) else { return };
    let (which, kind) = (random.index(server.checks.len()), random.pick(&[Kind::Tcp, Kind::Http(1), Kind::Misc(true)]));
    let which = server.checks.get_mut(which).filter(|check| !matches!(check.target.kind, Kind::File(_)));
    match (random.below(7), which) {
        (0, _) => server.weight = random.pick(&[0, 1, 2, 10]),
        (1, _) => server.inhibit = !server.inhibit,
        (2, Some(check)) => check.delay_loop = random.pick(&[2, 5, 20]),
        (3, Some(check)) => check.retry = random.pick(&[0, 1, 3]),
        (4, Some(check)) => check.alpha = !check.alpha,
        (_, Some(check)) => {
            let gone = check.clone();
            server.checks.retain(|check| *check != gone);
        }
        (_, None) => server.checks.push(check(random, kind)),
    }
}
