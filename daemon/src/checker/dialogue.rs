//! From a task to the dialogue that it needs, and from its end to a result.

use keepalived_checks::{Failure, Tls, Trust};
use keepalived_config::model::{Checker, Config, MiscCheck};

use super::engine::Verdict;
use super::lower::Task;
use super::programs::Programs;
use crate::message::HowEnded;

/// What all dialogues share.
#[derive(Debug)]
pub(super) struct Dialogue {
    /// Or why there is none.
    tls: Result<Tls, String>,
}

impl Dialogue {
    pub(super) fn new(config: &Config) -> Self {
        let ssl = config.ssl.clone().unwrap_or_default();
        let tls = Tls::new(&ssl, Trust::Anyone).map_err(|error| error.to_string());
        if let Err(error) = &tls {
            tracing::error!("{error}; checks over TLS will fail");
        }
        Self { tls }
    }

    /// Runs one step of `task`.
    pub(super) async fn hold(&self, task: &Task, step: u16) -> Verdict {
        let ended = match &task.checker {
            Checker::Tcp(check) => keepalived_checks::tcp(check).await,
            Checker::Http(check) => {
                let number = usize::from(step);
                // the number comes from the same check
                let Some(url) = check.urls.get(number) else { return Verdict::Unknown("there is no such url".into()) };
                let host = task.hosts.get(number).and_then(Option::as_deref);
                match &self.tls {
                    Ok(tls) => keepalived_checks::http(check, url, host, tls).await,
                    Err(error) => return Verdict::Unknown(error.clone()),
                }
            }
            Checker::Smtp(check) => keepalived_checks::smtp(check).await,
            Checker::Dns(check) => keepalived_checks::dns(check).await,
            Checker::Ping(check) => keepalived_checks::ping(check).await,
            Checker::Udp(check) => keepalived_checks::udp(check).await,
            Checker::Misc(_) | Checker::File(_) | Checker::Bfd(_) => {
                return Verdict::Unknown("it does not run by itself".into());
            }
        };
        match ended {
            Ok(()) => Verdict::Passed(0),
            Err(failure @ Failure::Local(..)) => Verdict::Unknown(failure.to_string()),
            Err(failure) => Verdict::Failed(failure.to_string()),
        }
    }
}

/// `MISC_CHECK`: 0 is success; with `misc_dynamic`, 2 to 255 are, too, and stand for a weight of two less.
pub(super) async fn misc(check: &MiscCheck, weight: u32, programs: &Programs) -> Verdict {
    match programs.run(&check.script, Some(check.timeout)).await {
        HowEnded::Status(0) => Verdict::Passed(0),
        HowEnded::Status(status @ 2..=255) if check.dynamic => {
            Verdict::Passed(i64::from(status) - 2 - i64::from(weight))
        }
        HowEnded::Status(status) => Verdict::Failed(format!("exited with status {status}")),
        HowEnded::Signal(number) => Verdict::Failed(format!("ended by signal {number}")),
        HowEnded::TimedOut => Verdict::Failed(format!("timed out after {} s", check.timeout.as_secs_f32())),
        HowEnded::NotRun(why) => Verdict::Failed(why),
    }
}
