//! From a task to the dialogue that it needs, and from its end to a result.

use std::sync::OnceLock;

use keepalived_checks::{Failure, Tls, Trust};
use keepalived_config::model::{Checker, Config, HttpProtocol, MiscCheck, Ssl};

use super::engine::Verdict;
use super::task::Task;
use crate::message::{Blame, HowEnded};

/// What all dialogues share.
#[derive(Debug)]
pub(super) struct Dialogue {
    /// For those without TLS, whatever is wrong with it.
    none: Result<Tls, String>,
    /// For those that believe anyone.
    anyone: Result<Tls, String>,
    /// For those with `tls_verify`. Made if there are any: many systems have no authorities that they trust.
    authorities: OnceLock<Result<Tls, String>>,
    ssl: Ssl,
}

impl Dialogue {
    pub(super) fn new(config: &Config) -> Self {
        let ssl = config.ssl.clone().unwrap_or_default();
        let none = open(&Ssl::default(), Trust::Anyone);
        Self { none, anyone: open(&ssl, Trust::Anyone), authorities: OnceLock::new(), ssl }
    }

    fn tls(&self, secure: bool, verify: bool) -> Result<&Tls, Verdict> {
        let tls = match (secure, verify) {
            (false, _) => &self.none,
            (true, false) => &self.anyone,
            (true, true) => self.authorities.get_or_init(|| open(&self.ssl, Trust::Authorities)),
        };
        tls.as_ref().map_err(|error| Verdict::Unknown(error.clone()))
    }

    /// Runs one step of `task`.
    pub(super) async fn hold(&self, task: Task<'_>, step: u16) -> Verdict {
        self.ask(task, usize::from(step)).await.unwrap_or_else(|verdict| verdict)
    }

    async fn ask(&self, task: Task<'_>, step: usize) -> Result<Verdict, Verdict> {
        let host = task.host(step);
        // most checks are of TCP, and each that is under way takes as much room as the largest that is not boxed
        let ended = match task.checker {
            Checker::Tcp(check) => keepalived_checks::tcp(check).await,
            Checker::Http(check) => {
                // the number comes from the same check
                let url = check.urls.get(step).ok_or_else(|| Verdict::Unknown("there is no such url".into()))?;
                let tls = self.tls(check.secure, check.verify)?;
                match check.protocol {
                    HttpProtocol::V2 => Box::pin(keepalived_checks::http2(check, url, host, tls)).await,
                    _ => Box::pin(keepalived_checks::http(check, url, host, tls)).await,
                }
            }
            Checker::Grpc(check) => {
                let tls = self.tls(check.secure, check.verify)?;
                Box::pin(keepalived_checks::grpc(check, host, tls)).await
            }
            Checker::Smtp(check) => Box::pin(keepalived_checks::smtp(check)).await,
            Checker::Dns(check) => Box::pin(keepalived_checks::dns(check)).await,
            Checker::Ping(check) => Box::pin(keepalived_checks::ping(check)).await,
            Checker::Udp(check) => Box::pin(keepalived_checks::udp(check)).await,
            Checker::Misc(_) | Checker::File(_) | Checker::Bfd(_) => {
                return Err(Verdict::Unknown("it does not run by itself".into()));
            }
        };
        Ok(judge(ended))
    }
}

/// What the end of a dialogue says about the server.
pub(super) fn judge(ended: Result<(), Failure>) -> Verdict {
    match ended {
        Ok(()) => Verdict::Passed(0),
        Err(failure @ Failure::Local(..)) => Verdict::Unknown(failure.to_string()),
        Err(failure) => Verdict::Failed(failure.to_string()),
    }
}

fn open(ssl: &Ssl, trust: Trust) -> Result<Tls, String> {
    let tls = Tls::new(ssl, trust).map_err(|error| error.to_string());
    if let Err(error) = &tls {
        let which = if trust == Trust::Authorities { "with tls_verify" } else { "over TLS" };
        tracing::error!("{error}; checks {which} cannot be made, and their servers stay as they are");
    }
    tls
}

/// What the end of a `MISC_CHECK`'s program says about the server: 0 is success; with `misc_dynamic`, 2 to 255 are, too, and stand
/// for a weight of two less.
pub(super) fn judge_program(check: &MiscCheck, weight: u32, ended: HowEnded) -> Verdict {
    match ended {
        HowEnded::Status(0) => Verdict::Passed(0),
        HowEnded::Status(status @ 2..=255) if check.dynamic => {
            Verdict::Passed(i64::from(status) - 2 - i64::from(weight))
        }
        HowEnded::Status(status) => Verdict::Failed(format!("exited with status {status}")),
        HowEnded::Signal(number) => Verdict::Failed(format!("ended by signal {number}")),
        HowEnded::TimedOut => Verdict::Failed(format!("timed out after {} s", check.timeout.as_secs_f32())),
        HowEnded::NotRun(Blame::Program, why) => Verdict::Failed(why),
        HowEnded::NotRun(Blame::Machine, why) => Verdict::Unknown(why),
    }
}
