//! Runs the dialogue that a step of a check needs, and turns its end into a result.

use std::cell::RefCell;
use std::time::Duration;

use keepalived_checks::{BadTls, Failure, Tls, Trust};
use keepalived_config::model::{Checker, Config, HttpProtocol, MiscCheck, Ssl};
use keepalived_core::balance::{CheckResult, FailureKind};
use keepalived_core::time::Instant;
use keepalived_kernel::reactor;

use super::task::Task;
use crate::message::{Blame, HowEnded};

/// What all dialogues share.
#[derive(Debug)]
pub(super) struct Dialogue {
    /// For checks without TLS: no broken TLS file concerns them.
    none: Lazy,
    /// For checks that accept any certificate.
    anyone: Lazy,
    /// For checks with `tls_verify`. Made only if there are any: many systems have no trusted authorities.
    authorities: Lazy,
    ssl: Ssl,
}

/// Pause before files are read again that could not be read for a shortage: each attempt reads all of them.
const AGAIN: Duration = Duration::from_secs(10);

/// TLS that is made when a check needs it. Its files are read once, and again by a reload.
#[derive(Debug)]
struct Lazy {
    which: &'static str,
    made: RefCell<Option<Result<Tls, Problem>>>,
}

/// Why there is no TLS.
#[derive(Debug)]
struct Problem {
    why: String,
    /// When to read the files again: this machine was short of something.
    again: Option<Instant>,
}

impl Lazy {
    const fn new(which: &'static str) -> Self {
        Self { which, made: RefCell::new(None) }
    }

    /// The TLS, made by `make` if there is none yet and it may be tried.
    fn get(&self, now: Instant, make: impl FnOnce() -> Result<Tls, BadTls>) -> Result<Tls, CheckResult> {
        let mut made = self.made.borrow_mut();
        let is_due = made.as_ref().is_none_or(|made| made.as_ref().is_err_and(|problem| problem.is_over(now)));
        if is_due {
            let before = made.take().and_then(Result::err);
            *made = Some(make().map_err(|error| self.problem(&error, before.as_ref(), now)));
        }
        match made.as_ref() {
            Some(Ok(tls)) => Ok(tls.clone()),
            Some(Err(problem)) => Err(CheckResult::Unknown(problem.why.clone())),
            None => Err(CheckResult::Unknown("there is no TLS".into())),
        }
    }

    /// A problem. Logs it unless it is the same as `before`.
    fn problem(&self, error: &BadTls, before: Option<&Problem>, now: Instant) -> Problem {
        let (why, which) = (error.to_string(), self.which);
        if before.is_none_or(|before| before.why != why) {
            let then = if error.is_shortage { ", until the files can be read" } else { "" };
            tracing::error!("{why}; checks {which} do not run{then}, and their servers stay as they are");
        }
        Problem { why, again: error.is_shortage.then(|| now + AGAIN) }
    }
}

impl Problem {
    fn is_over(&self, now: Instant) -> bool {
        self.again.is_some_and(|at| at <= now)
    }
}

impl Dialogue {
    pub(super) fn new(config: &Config) -> Self {
        let dialogue = Self {
            none: Lazy::new("without TLS"),
            anyone: Lazy::new("over TLS"),
            authorities: Lazy::new("with tls_verify"),
            ssl: config.ssl.clone().unwrap_or_default(),
        };
        // logs what is wrong at once
        dialogue.tls(true, false).ok();
        dialogue
    }

    fn tls(&self, secure: bool, verify: bool) -> Result<Tls, CheckResult> {
        let now = reactor::now();
        match (secure, verify) {
            (false, _) => self.none.get(now, || Tls::new(&Ssl::default(), Trust::Anyone)),
            (true, false) => self.anyone.get(now, || Tls::new(&self.ssl, Trust::Anyone)),
            (true, true) => self.authorities.get(now, || Tls::new(&self.ssl, Trust::Authorities)),
        }
    }

    /// Runs one step of `task`.
    pub(super) async fn run(&self, task: Task<'_>, step: u16) -> Judgement {
        self.ask(task, usize::from(step)).await.unwrap_or_else(|result| Judgement { result, failure: None })
    }

    async fn ask(&self, task: Task<'_>, step: usize) -> Result<Judgement, CheckResult> {
        let host = task.host(step);
        // most checks are TCP checks; a future takes as much room as its largest branch that is not boxed
        let ended = match task.checker {
            Checker::Tcp(check) => keepalived_checks::tcp(check).await,
            Checker::Http(check) => {
                // the number comes from the same check
                let url = check.urls.get(step).ok_or_else(|| CheckResult::Unknown("there is no such url".into()))?;
                let tls = self.tls(check.secure, check.verify)?;
                match check.protocol {
                    HttpProtocol::V2 => Box::pin(keepalived_checks::http2(check, url, host, &tls)).await,
                    _ => Box::pin(keepalived_checks::http(check, url, host, &tls)).await,
                }
            }
            Checker::Grpc(check) => {
                let tls = self.tls(check.secure, check.verify)?;
                Box::pin(keepalived_checks::grpc(check, host, &tls)).await
            }
            Checker::Smtp(check) => Box::pin(keepalived_checks::smtp(check)).await,
            Checker::Dns(check) => Box::pin(keepalived_checks::dns(check)).await,
            Checker::Ping(check) => Box::pin(keepalived_checks::ping(check)).await,
            Checker::Udp(check) => Box::pin(keepalived_checks::udp(check)).await,
            Checker::Misc(_) | Checker::File(_) | Checker::Bfd(_) => {
                return Err(CheckResult::Unknown("it does not run by itself".into()));
            }
        };
        Ok(judge(ended))
    }
}

/// What the end of a dialogue says about the server.
#[derive(Debug)]
pub(super) struct Judgement {
    pub(super) result: CheckResult,
    /// The kind of its failure.
    pub(super) failure: Option<FailureKind>,
}

pub(super) fn judge(ended: Result<(), Failure>) -> Judgement {
    match ended {
        Ok(()) => Judgement { result: CheckResult::Passed { weight: 0 }, failure: None },
        Err(failure @ Failure::Local(..)) => {
            Judgement { result: CheckResult::Unknown(failure.to_string()), failure: None }
        }
        Err(failure) => Judgement { result: CheckResult::Failed(failure.to_string()), failure: Some(failure.kind()) },
    }
}

/// What the end of a `MISC_CHECK`'s program says about the server: 0 is success; with `misc_dynamic`, 2 to 255 are, too, and stand
/// for a weight of two less.
pub(super) fn judge_program(check: &MiscCheck, weight: u32, ended: HowEnded) -> Judgement {
    let passed = |weight| Judgement { result: CheckResult::Passed { weight }, failure: None };
    let failed = |kind, why| Judgement { result: CheckResult::Failed(why), failure: Some(kind) };
    match ended {
        HowEnded::Status(0) => passed(0),
        HowEnded::Status(status @ 2..=255) if check.dynamic => passed(i64::from(status) - 2 - i64::from(weight)),
        HowEnded::Status(status) => failed(FailureKind::Program, format!("exited with status {status}")),
        HowEnded::Signal(number) => failed(FailureKind::Program, format!("ended by signal {number}")),
        HowEnded::TimedOut => {
            failed(FailureKind::Timeout, format!("timed out after {} s", check.timeout.as_secs_f32()))
        }
        HowEnded::NotRun(Blame::Program, why) => failed(FailureKind::Program, why),
        HowEnded::NotRun(Blame::Machine, why) => Judgement { result: CheckResult::Unknown(why), failure: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bad(is_shortage: bool) -> Result<Tls, BadTls> {
        Err(BadTls { keyword: "key", file: "/key".into(), why: "Too many open files".into(), is_shortage })
    }

    fn good() -> Result<Tls, BadTls> {
        Tls::new(&Ssl::default(), Trust::Anyone)
    }

    fn never() -> Result<Tls, BadTls> {
        panic!("the files are read again")
    }

    const START: Instant = Instant::from_nanos(1_000_000_000);

    #[test]
    fn files_that_a_shortage_kept_from_being_read_are_read_later() {
        let lazy = Lazy::new("over TLS");
        assert!(lazy.get(START, || bad(true)).is_err());
        // not by each of thousands of checks, which make the shortage worse
        assert!(lazy.get(START + AGAIN / 2, never).is_err());
        assert!(lazy.get(START + AGAIN, || bad(true)).is_err());
        assert!(lazy.get(START + AGAIN + AGAIN / 2, never).is_err());
        assert!(lazy.get(START + AGAIN * 2, good).is_ok());
        assert!(lazy.get(START + AGAIN * 9, never).is_ok());
    }

    #[test]
    fn files_that_are_wrong_are_read_by_the_next_reload() {
        let lazy = Lazy::new("over TLS");
        assert!(matches!(lazy.get(START, || bad(false)), Err(CheckResult::Unknown(why)) if why.contains("/key")));
        assert!(lazy.get(START + AGAIN * 9, never).is_err());
    }
}
