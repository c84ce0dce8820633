//! What this machine lacks is no verdict: all kinds of checks by all shortages. That sockets call a shortage by its name is tested with
//! the dialogues (`failure::a_shortage_is_no_verdict_at_any_step`), that files do with `outside`.

use std::io;

use keepalived_checks::Failure;
use keepalived_config::model::Checker;
use keepalived_core::balance::CheckResult;

use super::rig::{Rig, SECOND, virtual_server};
use crate::checker::dialogue::{judge, judge_program};
use crate::checker::engine::DueStep;
use crate::message::HowEnded;

const KINDS: [&str; 10] = [
    "TCP_CHECK {\n}",
    "HTTP_GET {\nurl {\npath /\n}\n}",
    "SSL_GET {\nurl {\npath /\n}\n}",
    "HTTP2_GET {\nurl {\npath /\n}\n}",
    "GRPC_CHECK {\n}",
    "SMTP_CHECK {\n}",
    "DNS_CHECK {\n}",
    "PING_CHECK {\n}",
    "UDP_CHECK {\n}",
    "MISC_CHECK {\nmisc_path /bin/true\nmisc_timeout 1\n}",
];

/// EAGAIN, ENOMEM, ENFILE, EMFILE, ENOBUFS.
const ERRORS: [i32; 5] = [11, 12, 23, 24, 105];

fn lacks(step: &DueStep, errno: i32) -> CheckResult {
    match step.task.task().unwrap().checker {
        Checker::Misc(check) => judge_program(check, 1, HowEnded::not_run(&io::Error::from_raw_os_error(errno))).result,
        _ => judge(Err(Failure::Local(errno))).result,
    }
}

/// `verdict` is none if nothing ever answers. The table stays, one line says why, and when the shortage is over a server that has failed in the meantime is found.
fn check(block: &str, verdict: impl Fn(&DueStep) -> Option<CheckResult>) {
    let server = |last: u8| format!("real_server 10.0.0.{last} 80 {{\n{block}\n}}\n");
    let mut rig = Rig::new(&virtual_server("192.0.2.1 80", &(server(1) + &server(2)), &[]));
    rig.pass(4, &[]);
    rig.said();
    assert_eq!(rig.table(), "10.0.0.1:1 10.0.0.2:1", "{block}");
    for _ in 0..80 {
        rig.now += SECOND;
        rig.engine.turn(rig.now);
        for step in rig.engine.due().collect::<Vec<_>>() {
            if let Some(verdict) = verdict(&step) {
                rig.engine.ended(step.ticket, &verdict, rig.now);
            }
        }
        rig.engine.turn(rig.now);
        assert_eq!(rig.table(), "10.0.0.1:1 10.0.0.2:1", "{block}");
    }
    let said = rig.said();
    // it is said again after a minute
    assert!((1..=2).contains(&said.len()) && said[0].contains("which changes nothing"), "{block}: {said:#?}");
    // what never answers is given up first
    rig.pass(90, &[2]);
    assert_eq!(rig.table(), "10.0.0.1:1", "{block}");
}

#[test]
fn no_kind_of_check_takes_a_shortage_for_a_verdict() {
    for kind in KINDS {
        for errno in ERRORS {
            check(kind, |step| Some(lacks(step, errno)));
        }
        // as when the runner has died, and another does not come
        check(kind, |_| None);
    }
}
