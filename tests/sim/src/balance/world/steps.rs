//! Steps of checks: how they begin, and what their servers answer.

use std::time::Duration;

use keepalived_core::balance::{CheckResult, Ticket};
use keepalived_daemon::checker::DueStep;

use super::super::disturbance::Condition;
use super::super::model::Answer;
use super::super::setting::{self, Kind, Target};
use super::super::watch::SLACK;
use super::{Event, Life, Planted, TOGETHER, World};
use crate::invariant::{Broken, Invariant};

/// A step of a check that is under way.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) target: Target,
    server: u8,
    weight: u32,
}

/// How long, besides its own time, the checker awaits a program whose end is lost.
const NOT_AWAITED: Duration = Duration::from_secs(10);

impl World {
    /// A step of a check begins: how it will end depends on its server.
    pub(super) fn begin(&mut self, ran: &DueStep) -> Result<(), Broken> {
        if self.planted == Some(Planted::Idle) {
            return Ok(());
        }
        let (now, ticket) = (self.now, ran.ticket);
        let Life::Up(life) = &mut self.life else { return Ok(()) };
        let model = &mut life.1;
        let broken = |text: String| Err((Invariant::Asked, text));
        let Some(task) = ran.task.task() else { return broken("a step of nothing".to_owned()) };
        let number = |address: std::net::IpAddr| match address {
            std::net::IpAddr::V4(address) => address.octets()[3],
            std::net::IpAddr::V6(_) => 0,
        };
        let service = match &task.service.service {
            keepalived_config::model::Service::Address { address, .. } => number(*address),
            keepalived_config::model::Service::Fwmark { mark, .. } => {
                u8::try_from(*mark).unwrap_or(0).saturating_sub(setting::MARKS)
            }
            keepalived_config::model::Service::Group { name, .. } => {
                name.strip_prefix('g').and_then(|number| number.parse().ok()).unwrap_or(0)
            }
        };
        let server = number(task.server.address);
        let place = task.server.checkers.iter().position(|checker| std::ptr::eq(checker, task.checker));
        let check = place.and_then(|place| model.check(service, server, place));
        let (Some(check), Some(target)) = (check, check.and_then(|check| model.target(check))) else {
            return broken(format!("a step of a check that is not configured: {task:?}"));
        };
        let begun = model.begins(check, ran.step, ticket, now);
        let begun = if self.planted == Some(Planted::Eager) {
            begun.and_then(|()| model.begins(check, ran.step, ticket, now))
        } else {
            begun
        };
        begun.or_else(broken)?;
        let weight = model.weight(check);
        self.statistics.steps += 1;
        self.steps.insert(ticket, Step { target, server, weight });
        self.trace
            .note(now, || format!("server {server} of service {service} is asked: {target:?}, step {}", ran.step));
        self.plan_answer(ticket);
        if let Kind::Misc(_) = target.kind {
            let at = now + target.patience() + NOT_AWAITED;
            let event = Event::Answers { life: self.lives, ticket, answer: Answer::Unasked, runner: None };
            self.queue.plan(at, event);
        }
        Ok(())
    }

    pub(super) fn plan_answer(&mut self, ticket: Ticket) {
        let Some(Step { target, server, weight }) = self.steps.get(&ticket).cloned() else { return };
        let of_program = matches!(target.kind, Kind::Misc(_));
        if of_program && self.runner.is_none() {
            return;
        }
        let soon = self.random.duration(Duration::from_millis(300));
        let condition = self.servers.get(&server).copied().unwrap_or(Condition::Well(1));
        let (after, answer) = match (self.shortage, condition, target.kind) {
            (Some(_), _, _) => (Duration::ZERO, Answer::Unasked),
            (None, Condition::Well(found), Kind::Misc(true)) => {
                (soon, Answer::Well(i64::from(found) - i64::from(weight)))
            }
            (None, Condition::Well(_), _) | (None, Condition::Lies, Kind::Tcp) => (soon, Answer::Well(0)),
            (None, Condition::Refuses, _) => (Duration::ZERO, Answer::Ill),
            (None, Condition::Stalls, _) => (target.patience(), Answer::Ill),
            (None, Condition::Resets | Condition::Lies, _) => (soon, Answer::Ill),
        };
        let runner = self.runner.filter(|_| of_program);
        let event = Event::Answers { life: self.lives, ticket, answer, runner };
        self.queue.plan(self.now + after, event);
    }

    /// A step ends.
    pub(super) fn answer(&mut self, ticket: Ticket, answer: Answer) -> Result<(), Broken> {
        // a checker that is not scheduled hears it later
        if self.paused.is_some() {
            let later = self.now + SLACK / 4;
            let event = Event::Answers { life: self.lives, ticket, answer, runner: None };
            self.queue.plan(later, event);
            return Ok(());
        }
        let (now, shown, shortage) = (self.now, self.shown(), self.shortage);
        let Some(step) = self.steps.remove(&ticket) else { return Ok(()) };
        let Life::Up(life) = &mut self.life else { return Ok(()) };
        // the checker may have given it up
        if self.loses || life.1.is_late(ticket, now) {
            self.trace.note(now, || format!("the answer of server {} is lost", step.server));
            return Ok(());
        }
        self.trace.note(now, || format!("server {}: {answer:?} ({:?})", step.server, step.target.kind));
        let (engine, model) = &mut **life;
        self.expected.extend(model.ends(ticket, answer, now));
        let verdict = match answer {
            Answer::Ill if self.planted == Some(Planted::Deaf) => CheckResult::Passed { weight: 0 },
            Answer::Ill => CheckResult::Failed("it is not well".to_owned()),
            Answer::Well(weight) => CheckResult::Passed { weight },
            Answer::Unasked => CheckResult::Unknown(format!("error {}", shortage.unwrap_or_default())),
        };
        self.idle = 0;
        engine.ended(ticket, &verdict, shown);
        // several results are heard before the table is made
        if self.random.percent(20) {
            let at = now + TOGETHER;
            (self.waits, self.next_turn) = (true, Some(at));
            self.queue.plan(at, Event::Turn);
            return Ok(());
        }
        self.turn()
    }
}
