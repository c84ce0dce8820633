//! Expected: behaviour.md section 7, observed on keepalived 2.4.3.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU16;
use std::rc::Rc;

use proptest::prelude::*;

use super::super::check::Pace;
use super::super::check::Steps;
use super::super::params::{Place, ServerParams, Sorry};
use super::super::table::{DestinationKey, ServiceEntry};
use super::super::types::{Forwarding, Protocol, Scheduler};
use super::*;

mod lost;
mod shared;

const FAILED: CheckResult = CheckResult::Failed(String::new());

fn place(last: u8) -> Place {
    Place { address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)), port: NonZeroU16::new(80) }
}

fn key(last: u8) -> ServiceKey {
    ServiceKey::Address { address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)), port: 80, protocol: Protocol::Tcp }
}

fn pace() -> Pace {
    let second = Duration::from_secs(1);
    Pace {
        delay_loop: second,
        delay_before_retry: second,
        warmup: second,
        retry: 0,
        steps: Steps::Single,
        limit: second * 60,
    }
}

fn fresh() -> CheckParams {
    CheckParams { pace: Rc::new(pace()), alpha: false, was: None }
}

fn server(last: u8, checks: &[u32]) -> ServerParams {
    ServerParams {
        place: place(last),
        weight: 1,
        forwarding: Forwarding::Nat,
        upper_threshold: 0,
        lower_threshold: 0,
        inhibit: false,
        checks: checks.iter().copied().map(CheckId).collect(),
    }
}

/// A virtual server with a real server and a check for each of `weights`.
fn service(weights: &[u32]) -> Params {
    let weigh = |(number, weight): (u32, &u32)| {
        let last = u8::try_from(number).expect("few servers") + 1;
        ServerParams { weight: *weight, ..server(last, &[number]) }
    };
    Params {
        checks: weights.iter().map(|_| fresh()).collect(),
        services: vec![ServiceParams {
            was: None,
            keys: vec![key(1)],
            service: ServiceEntry::new(Scheduler::Rr),
            quorum: 1,
            hysteresis: 0,
            omega: false,
            serves: false,
            sorry: None,
            servers: (0..).zip(weights).map(weigh).collect(),
            leaving: Vec::new(),
        }],
        drain: Duration::ZERO,
    }
}

fn with(mut params: Params, change: impl FnOnce(&mut ServiceParams)) -> Params {
    change(&mut params.services[0]);
    params
}

fn sorry(inhibit: bool) -> Option<Sorry> {
    Some(Sorry { place: place(99), forwarding: Forwarding::Nat, inhibit })
}

/// A balancer whose effects are written down: `R1+`, `Q-`; and its table, `1:3 2:1` (last octet: weight).
struct Rig {
    balancer: Balancer,
    said: Vec<String>,
    now: Instant,
}

impl Rig {
    fn new(params: Params) -> Self {
        let mut out = Vec::new();
        let balancer = Balancer::new(params, 1, Instant::ZERO, &mut out);
        let mut rig = Self { balancer, said: Vec::new(), now: Instant::ZERO };
        rig.write(&out);
        rig
    }

    fn write(&mut self, effects: &[Effect]) {
        let sign = |up: bool| if up { '+' } else { '-' };
        for effect in effects {
            match effect {
                Effect::Server { server, up, .. } => self.said.push(format!("R{}{}", server + 1, sign(*up))),
                Effect::Quorum { quorum, .. } => self.said.push(format!("Q{}", sign(quorum.up))),
                Effect::Weight { server, weight, .. } => self.said.push(format!("W{}={weight}", server + 1)),
                Effect::Run { .. } | Effect::Found { .. } | Effect::Table(_) | Effect::Lost { .. } => {}
            }
        }
    }

    /// A check ends.
    fn end(&mut self, check: u32, result: &CheckResult) -> String {
        let mut out = Vec::new();
        self.balancer.told(CheckId(check), result, self.now, &mut out);
        self.write(&out);
        self.said()
    }

    fn fail(&mut self, check: u32) -> String {
        self.end(check, &FAILED)
    }

    fn pass(&mut self, check: u32) -> String {
        self.end(check, &CheckResult::Passed { weight: 0 })
    }

    fn reconfigure(&mut self, params: Params) -> Vec<Removed> {
        let mut out = Vec::new();
        let removed = self.balancer.reconfigure(params, self.now, &mut out);
        self.write(&out);
        removed
    }

    fn said(&mut self) -> String {
        std::mem::take(&mut self.said).join(" ")
    }

    fn table(&self) -> String {
        let entries: BTreeMap<ServiceKey, Entry> = self.balancer.entries(ServiceId(0)).collect();
        show(&entries.into_values().next().expect("a service"))
    }
}

/// `1:3 2:1`: the last octets of the servers, and their weights.
fn show(first: &Entry) -> String {
    let show = |(key, entry): (&DestinationKey, &super::super::table::DestinationEntry)| match key.address {
        IpAddr::V4(address) => format!("{}:{}", address.octets()[3], entry.weight),
        IpAddr::V6(_) => "v6".to_owned(),
    };
    first.destinations.iter().map(show).collect::<Vec<_>>().join(" ")
}

/// The same checks and virtual servers, known again.
fn again(mut params: Params) -> Params {
    for (number, check) in (0..).zip(&mut params.checks) {
        check.was = Some(CheckId(number));
    }
    for (number, service) in (0..).zip(&mut params.services) {
        service.was = Some(ServiceId(number));
    }
    params
}

/// `ha_suspend` is judged anew for each change of an address of this machine.
#[test]
fn judging_anew_what_rests_costs_nothing() {
    let mut rig = Rig::new(service(&[1, 2, 3]));
    let id = ServiceId(0);
    rig.balancer.suspend(id, true, rig.now);
    rig.balancer.suspend(id, false, rig.now);
    let before = rig.balancer.due.len();
    for _ in 0..1000 {
        rig.balancer.suspend(id, false, rig.now);
    }
    assert_eq!(rig.balancer.due.len(), before);
    rig.balancer.suspend(id, true, rig.now);
    let before = rig.balancer.due.len();
    for _ in 0..1000 {
        rig.balancer.suspend(id, true, rig.now);
    }
    assert_eq!(rig.balancer.due.len(), before);
}

#[test]
fn a_server_leaves_when_a_check_fails_and_returns() {
    let mut rig = Rig::new(service(&[1, 3]));
    assert_eq!((rig.said(), rig.table()), ("Q+".into(), "1:1 2:3".into()));
    assert_eq!((rig.fail(1), rig.table()), ("R2-".into(), "1:1".into()));
    assert_eq!((rig.pass(1), rig.table()), ("R2+".into(), "1:1 2:3".into()));
}

#[test]
fn an_inhibited_server_stays_with_weight_0() {
    let mut rig = Rig::new(with(service(&[1, 3]), |service| service.servers[1].inhibit = true));
    rig.fail(1);
    assert_eq!(rig.table(), "1:1 2:0");
}

#[test]
fn under_alpha_servers_wait_for_a_success() {
    let mut params = with(service(&[1, 3]), |service| service.servers[1].inhibit = true);
    params.checks.iter_mut().for_each(|check| check.alpha = true);
    let mut rig = Rig::new(params.clone());
    assert_eq!((rig.said(), rig.table()), ("".into(), "2:0".into()));
    assert_eq!((rig.pass(0), rig.table()), ("R1+ Q+".into(), "1:1 2:0".into()));
    let mut rig = Rig::new(with(params, |service| service.sorry = sorry(false)));
    assert_eq!((rig.said(), rig.table()), ("Q-".into(), "2:0 99:1".into()), "only this is worth saying");
}

#[test]
fn the_quorum_is_kept_and_regained_by_its_hysteresis() {
    let mut rig = Rig::new(with(service(&[1, 1, 1]), |service| (service.quorum, service.hysteresis) = (2, 1)));
    rig.said();
    assert_eq!([rig.fail(0), rig.fail(1)], ["R1-", "R2-"], "1 live does not lose it");
    assert_eq!(rig.fail(2), "R3- Q-", "0 does");
    assert_eq!([rig.pass(0), rig.pass(1)], ["R1+", "R2+"]);
    assert_eq!(rig.pass(2), "R3+ Q+", "3 regain it");
}

#[test]
fn without_any_weight_there_is_no_quorum() {
    let params = with(service(&[0]), |service| service.quorum = 0);
    let mut rig = Rig::new(params.clone());
    assert_eq!((rig.said(), rig.table()), ("".into(), "1:0".into()));
    assert_eq!([rig.fail(0), rig.pass(0)], ["R1-", "R1+"]);
    let mut rig = Rig::new(with(params, |service| service.sorry = sorry(false)));
    assert_eq!((rig.said(), rig.table()), ("Q-".into(), "99:1".into()));
}

#[test]
fn without_a_sorry_server_the_quorum_changes_no_table() {
    let mut rig = Rig::new(with(service(&[1, 1]), |service| service.quorum = 2));
    rig.said();
    assert_eq!((rig.fail(0), rig.table()), ("R1- Q-".into(), "2:1".into()));
}

#[test]
fn the_sorry_server_stands_in_for_all() {
    let mut rig = Rig::new(with(service(&[1, 1, 1]), |service| {
        (service.quorum, service.sorry) = (2, sorry(false));
        service.servers[2].inhibit = true;
    }));
    assert_eq!(rig.table(), "1:1 2:1 3:1");
    rig.fail(0);
    assert_eq!(rig.table(), "2:1 3:1");
    assert_eq!((rig.fail(1), rig.table()), ("R2- Q-".into(), "3:0 99:1".into()), "the inhibited one stays at 0");
    assert_eq!((rig.pass(0), rig.table()), ("R1+ Q+".into(), "1:1 3:1".into()));
}

#[test]
fn an_inhibited_sorry_server_waits_with_weight_0() {
    let mut rig = Rig::new(with(service(&[1]), |service| service.sorry = sorry(true)));
    assert_eq!(rig.table(), "1:1 99:0");
    rig.fail(0);
    assert_eq!(rig.table(), "99:1");
}

#[test]
fn several_checks_have_to_agree() {
    let mut params = service(&[1]);
    params.checks.push(fresh());
    let mut rig =
        Rig::new(with(params, |service| service.servers[0].checks = [0, 1].map(CheckId).into_iter().collect()));
    rig.said();
    assert_eq!([rig.fail(0), rig.fail(1), rig.pass(0)], ["R1- Q-", "", ""]);
    assert_eq!(rig.pass(1), "R1+ Q+");
}

#[test]
fn what_checks_add_to_the_weight_adds_up() {
    let mut params = service(&[10]);
    params.checks.push(fresh());
    let mut rig =
        Rig::new(with(params, |service| service.servers[0].checks = [0, 1].map(CheckId).into_iter().collect()));
    rig.said();
    assert_eq!(rig.end(0, &CheckResult::Passed { weight: 5 }), "W1=15");
    assert_eq!((rig.end(1, &CheckResult::Passed { weight: -3 }), rig.table()), ("W1=12".into(), "1:12".into()));
    assert_eq!((rig.end(1, &CheckResult::Passed { weight: -100 }), rig.table()), ("W1=0 Q-".into(), "1:0".into()));
    assert_eq!(
        (rig.end(0, &CheckResult::Passed { weight: i64::MAX }), rig.table()),
        ("W1=2147483647 Q+".into(), "1:2147483647".into())
    );
}

#[test]
fn a_shared_check_speaks_for_all_who_use_it() {
    let mut params = service(&[1]);
    let mut other = params.services[0].clone();
    other.keys = vec![key(2)];
    params.services.push(other);
    let mut rig = Rig::new(params);
    rig.said();
    assert_eq!(rig.fail(0), "R1- Q- R1- Q-");
}

#[test]
fn a_group_has_the_same_servers_behind_each_key() {
    let params = with(service(&[1]), |service| {
        let other =
            ServiceKey::Address { address: IpAddr::V4(Ipv4Addr::LOCALHOST), port: 443, protocol: Protocol::Tcp };
        service.keys = vec![key(1), other, ServiceKey::Fwmark { mark: 7, family: crate::vrrp::Family::V4 }];
        service.servers[0].forwarding = Forwarding::Dr;
    });
    let rig = Rig::new(params);
    let ports: Vec<u16> = rig
        .balancer
        .entries(ServiceId(0))
        .flat_map(|(_, entry)| entry.destinations.into_keys().map(|key| key.port))
        .collect();
    assert_eq!(ports, [80, 443, 0], "without NAT the port of each service counts");
}

#[test]
fn a_reload_keeps_what_is_known() {
    let mut rig = Rig::new(service(&[1, 1]));
    rig.fail(1);
    rig.said();
    let removed = rig.reconfigure(again(with(service(&[4, 5]), |_| {})));
    assert_eq!((removed, rig.said(), rig.table()), (Vec::new(), String::new(), "1:4".into()));
    assert_eq!((rig.pass(1), rig.table()), ("R2+".into(), "1:4 2:5".into()));
}

#[test]
fn a_reload_removes_and_adds_servers() {
    let mut rig = Rig::new(service(&[1, 1]));
    rig.said();
    let mut params = again(with(service(&[1, 1]), |service| service.servers[1].place = place(3)));
    params.checks[1].was = None;
    let removed = rig.reconfigure(params);
    assert_eq!(removed, [Removed::Server { service: ServiceId(0), place: place(2), up: true }]);
    assert_eq!(rig.table(), "1:1 3:1");
    assert_eq!(rig.reconfigure(Params::default()), [Removed::Service(ServiceId(0))]);
}

#[test]
fn a_removed_server_drains() {
    let mut rig = Rig::new(service(&[1, 1]));
    let drained = Params { drain: Duration::from_secs(60), ..again(with(service(&[1]), |_| {})) };
    rig.reconfigure(drained);
    assert_eq!(rig.table(), "1:1 2:0");
    let mut out = Vec::new();
    rig.balancer.handle_timeout(Instant::ZERO + Duration::from_secs(61), &mut out);
    assert!(out.contains(&Effect::Table(ServiceId(0))));
    assert_eq!(rig.table(), "1:1");
}

#[test]
fn a_step_that_is_under_way_outlives_a_reload() {
    let mut rig = Rig::new(service(&[1, 1]));
    let now = Instant::ZERO + Duration::from_secs(10);
    let mut out = Vec::new();
    rig.balancer.handle_timeout(now, &mut out);
    let tickets: Vec<(CheckId, Ticket)> = out
        .iter()
        .filter_map(|effect| match effect {
            Effect::Run { check, ticket, .. } => Some((*check, *ticket)),
            _ => None,
        })
        .collect();
    assert_eq!(tickets.len(), 2);
    // the second server goes, the first one becomes the second
    let mut params = again(service(&[1]));
    params.checks[0].was = Some(CheckId(1));
    rig.reconfigure(params);
    let ended = |rig: &mut Rig, of: CheckId| {
        let (_, ticket) = *tickets.iter().find(|(check, _)| *check == of).expect("both run");
        rig.balancer.ended(ticket, &FAILED, now, &mut Vec::new())
    };
    assert_eq!(ended(&mut rig, CheckId(0)), None, "its check is gone");
    assert_eq!(ended(&mut rig, CheckId(1)), Some(CheckId(0)));
}

#[test]
fn omega_takes_everything_down_at_the_end() {
    let mut rig = Rig::new(with(service(&[1, 1]), |service| service.omega = true));
    rig.said();
    rig.balancer.stop(&mut Vec::new());
    let mut quiet = Rig::new(service(&[1]));
    quiet.said();
    let mut out = Vec::new();
    quiet.balancer.stop(&mut out);
    assert!(out.is_empty());
    let mut loud = Rig::new(with(service(&[1, 1]), |service| service.omega = true));
    loud.said();
    let mut out = Vec::new();
    loud.balancer.stop(&mut out);
    loud.write(&out);
    assert_eq!(loud.said(), "R1- R2- Q-");
}

#[test]
fn checks_rest_while_all_who_use_them_are_suspended() {
    let mut params = service(&[1]);
    params.services.push(params.services[0].clone());
    let mut rig = Rig::new(params);
    rig.balancer.suspend(ServiceId(0), true, Instant::ZERO);
    assert!(rig.balancer.next_deadline().is_some(), "the other one needs it");
    rig.balancer.suspend(ServiceId(1), true, Instant::ZERO);
    let mut out = Vec::new();
    rig.balancer.handle_timeout(Instant::FAR_FUTURE, &mut out);
    assert!(out.is_empty());
    rig.balancer.suspend(ServiceId(0), false, Instant::ZERO);
    rig.balancer.handle_timeout(Instant::FAR_FUTURE, &mut out);
    assert_eq!(out.len(), 1);
}

/// More is due than begins at one moment: the rest is due at once, and everything begins once.
#[test]
fn a_crowd_that_is_due_begins_in_parts() {
    let mut params = service(&[1]);
    params.checks = vec![fresh(); 1000];
    let mut balancer = Balancer::new(params, 1, Instant::ZERO, &mut Vec::new());
    let late = Instant::ZERO + Duration::from_secs(10);
    let mut begun = Vec::new();
    while balancer.next_deadline().is_some_and(|at| at <= late) {
        let before = begun.len();
        balancer.handle_timeout(late, &mut begun);
        assert!((1..=MOST_AT_ONCE).contains(&(begun.len() - before)));
    }
    let which = |effect: &Effect| if let Effect::Run { check, .. } = effect { Some(*check) } else { None };
    let checks: HashSet<_> = begun.iter().filter_map(which).collect();
    assert_eq!((begun.len(), checks.len()), (1000, 1000));
}

proptest! {
    /// Whatever happens: no server with a failed check gets traffic, the quorum changes with a verdict only and is what
    /// the arithmetic says, and a server answers whenever one is up or there is a sorry server.
    #[test]
    fn the_table_follows_the_verdicts(
        weights in prop::collection::vec(0_u32..4, 1..6),
        quorum in 1_u32..6,
        hysteresis in 0_u32..3,
        has_sorry in any::<bool>(),
        inhibit in any::<bool>(),
        steps in prop::collection::vec((0_u32..6, any::<bool>(), -2_i64..3), 0..40),
    ) {
        let hysteresis = hysteresis.min(quorum - 1);
        let mut rig = Rig::new(with(service(&weights), |service| {
            (service.quorum, service.hysteresis) = (quorum, hysteresis);
            service.sorry = sorry(false).filter(|_| has_sorry);
            service.servers.iter_mut().for_each(|server| server.inhibit = inhibit);
        }));
        let mut up: Vec<bool> = weights.iter().map(|_| true).collect();
        let mut added: Vec<i64> = weights.iter().map(|_| 0).collect();
        let live = |up: &[bool], added: &[i64]| -> i64 {
            (0..weights.len()).filter(|n| up[*n]).map(|n| (i64::from(weights[n]) + added[n]).max(0)).sum()
        };
        let mut has_quorum = live(&up, &added) >= i64::from(quorum + hysteresis);
        for (check, passes, weight) in steps {
            let number = usize::try_from(check).expect("small");
            if number >= weights.len() {
                continue;
            }
            let result = if passes { CheckResult::Passed { weight } } else { FAILED };
            rig.end(check, &result);
            up[number] = passes;
            added[number] = if passes { weight } else { 0 };
            let sum = live(&up, &added);
            has_quorum = match has_quorum {
                true => sum > 0 && sum >= i64::from(quorum - hysteresis),
                false => sum >= i64::from(quorum + hysteresis),
            };
            prop_assert_eq!(rig.balancer.quorum(ServiceId(0)).map(|quorum| quorum.up), Some(has_quorum));
            let before = rig.table();
            prop_assert_eq!(&before, &rig.table());
            let stands_in = has_sorry && !has_quorum;
            let expected: Vec<String> = (0..weights.len())
                .filter_map(|n| {
                    let weight = (i64::from(weights[n]) + added[n]).max(0);
                    match up[n] && !stands_in {
                        true => Some(format!("{}:{weight}", n + 1)),
                        false => inhibit.then(|| format!("{}:0", n + 1)),
                    }
                })
                .chain(stands_in.then(|| "99:1".to_owned()))
                .collect();
            prop_assert_eq!(before, expected.join(" "));
        }
    }
}
