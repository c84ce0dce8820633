//! The checks of a real server.

use std::collections::HashSet;
use std::time::Duration;

use keepalived_core::balance::Few;

use super::super::reading::Reading;
use super::super::statements::Statements;
use super::pace::Habit;
use super::scene::{Scene, Timed, schedule, timed};
use super::{dns, grpc, http, udp};
use crate::finding::{Finding, rule};
use crate::model::{BfdCheck, Checker, FileCheck, FileWeight, MiscCheck, PingCheck, SmtpCheck, TcpCheck};
use crate::syntax::Node;

/// Every check in `block` that can be made, in the order of the file.
pub(super) fn read_all(reading: &mut Reading<'_>, block: Node<'_>, scene: &Scene<'_>) -> Few<Checker> {
    let mut sessions = HashSet::new();
    let mut checkers = Vec::new();
    for node in block.children() {
        let Some(keyword) = node.keyword().filter(|keyword| keyword.opens_block()) else { continue };
        let statements = Statements::of(node.children());
        let checker = match keyword.name {
            "SMTP_CHECK" => {
                smtp(reading, node, &statements, scene, &mut checkers);
                continue;
            }
            "TCP_CHECK" => timed(reading, &statements, scene, Habit::COMMON)
                .map(|Timed { schedule, endpoint }| Checker::Tcp(TcpCheck { schedule, endpoint })),
            "PING_CHECK" => timed(reading, &statements, scene, Habit::COMMON)
                .map(|Timed { schedule, endpoint }| Checker::Ping(Box::new(PingCheck { schedule, endpoint }))),
            "HTTP_GET" | "SSL_GET" | "HTTP2_GET" => http::read(reading, node, &statements, scene),
            "GRPC_CHECK" => grpc::read(reading, &statements, scene),
            "DNS_CHECK" => dns::read(reading, &statements, scene),
            "UDP_CHECK" => udp::read(reading, &statements, scene),
            "MISC_CHECK" => misc(reading, node, &statements, scene),
            "FILE_CHECK" => file(reading, node, &statements, scene),
            "BFD_CHECK" => bfd(reading, node, &statements, scene, &mut sessions),
            _ => continue,
        };
        if let Some(checker) = checker {
            scene.consider(reading, node, &checker);
            checkers.push(checker);
        }
    }
    checkers.into_iter().collect()
}

/// `SMTP_CHECK`; each `host` block is a check of its own, for which the block around it says what it does not say.
fn smtp(
    reading: &mut Reading<'_>,
    node: Node<'_>,
    statements: &Statements<'_>,
    scene: &Scene<'_>,
    checkers: &mut Vec<Checker>,
) {
    let helo = reading.text(statements.last("helo_name"));
    let helo = helo.unwrap_or_else(|| "smtpchecker.keepalived.org".to_owned());
    let mut push = |reading: &mut Reading<'_>, node, statements: &Statements<'_>| {
        let Some(Timed { schedule, endpoint }) = timed(reading, statements, scene, Habit::COMMON) else { return };
        let checker = Checker::Smtp(Box::new(SmtpCheck { schedule, endpoint, helo_name: helo.clone() }));
        scene.consider(reading, node, &checker);
        checkers.push(checker);
    };
    if !statements.has("host") {
        return push(reading, node, statements);
    }
    // what counts of the block around, so that many hosts do not each carry all of it
    let around = statements.effective();
    for host in statements.all("host") {
        let own = Statements::of(around.without("host").chain(host.children()));
        push(reading, host, &own);
    }
}

fn misc(reading: &mut Reading<'_>, node: Node<'_>, statements: &Statements<'_>, scene: &Scene<'_>) -> Option<Checker> {
    let path = statements.last("misc_path");
    let Some((script, may_run)) = reading.script_of(path, statements.last("user")) else {
        if path.is_none_or(|path| path.argument().is_none()) {
            let message = "MISC_CHECK has no misc_path; it is left out, and the server counts as up";
            reading.report_missing(&rule::CHECK_INCOMPLETE, node, "misc_path", message);
        }
        return None;
    };
    if !may_run {
        return None;
    }
    let (_, schedule) = schedule(reading, statements, scene, Habit::MISC);
    let seconds = reading.integer(statements.last("misc_timeout")).filter(|seconds| *seconds > 0);
    let timeout = seconds.map_or(scene.service_delay_loop, Duration::from_secs);
    Some(Checker::Misc(Box::new(MiscCheck { schedule, script, timeout, dynamic: statements.has("misc_dynamic") })))
}

fn file(reading: &mut Reading<'_>, node: Node<'_>, statements: &Statements<'_>, scene: &Scene<'_>) -> Option<Checker> {
    let said = statements.last("weight").and_then(|node| file_weight(reading, node));
    let Some(word) = statements.last("track_file").and_then(|node| node.argument()) else {
        let message = "FILE_CHECK has no track_file; it is left out, and the server counts as up";
        reading.report_missing(&rule::CHECK_INCOMPLETE, node, "track_file", message);
        return None;
    };
    let track_file = word.str().into_owned();
    let Some(usual) = scene.surroundings.track_files.get(track_file.as_str()) else {
        let message =
            format!("there is no track_file {track_file}; the check is left out, and the server counts as up");
        let finding = Finding::at(&rule::CHECK_UNKNOWN, word.span, message);
        let near = reading.suggest(&track_file, scene.surroundings.track_files.keys().copied());
        reading.report(match near {
            Some(near) => finding.help(format!("did you mean {near}?")),
            None => finding,
        });
        return None;
    };
    let (multiplier, reverse) = said.unwrap_or((i32::from(usual.value), None));
    let weight = FileWeight { multiplier, reverse: reverse.unwrap_or(usual.reverse) };
    Some(Checker::File(Box::new(FileCheck { track_file, weight })))
}

/// `weight N [reverse|noreverse]`
fn file_weight(reading: &mut Reading<'_>, node: Node<'_>) -> Option<(i32, Option<bool>)> {
    let (number, words) = node.arguments().split_first()?;
    let multiplier = reading.number_word("weight", number, -2_147_483_647..=2_147_483_647)?;
    let mut reverse = None;
    for word in words {
        match word.text {
            b"reverse" => reverse = Some(true),
            b"noreverse" => reverse = Some(false),
            _ => {
                let message = format!("weight is followed by reverse or noreverse, not by {}", word.str());
                reading.report(Finding::at(&rule::WORD_INVALID, word.span, message));
            }
        }
    }
    Some((i32::try_from(multiplier).ok()?, reverse))
}

fn bfd(
    reading: &mut Reading<'_>,
    node: Node<'_>,
    statements: &Statements<'_>,
    scene: &Scene<'_>,
    sessions: &mut HashSet<String>,
) -> Option<Checker> {
    let name = statements.last("name");
    let alpha = reading.switch(statements.last("alpha")).unwrap_or(scene.pace.alpha);
    let word = name.and_then(|name| name.argument());
    let Some(word) = word.filter(|_| name.is_some_and(|name| name.arguments().len() == 1)) else {
        let message = "BFD_CHECK needs exactly one name; it is left out, and the server counts as up";
        reading.report_at(&rule::CHECK_INCOMPLETE, Some(name.unwrap_or(node)), message);
        return None;
    };
    let instance = word.str().into_owned();
    let problem = match scene.surroundings.bfd_instances.get(instance.as_str()) {
        None => format!("there is no bfd_instance {instance}"),
        Some(bfd) if !bfd.tells_checkers => format!("bfd_instance {instance} says vrrp, so checks do not hear of it"),
        Some(_) if !sessions.insert(instance.clone()) => format!("bfd_instance {instance} is followed already"),
        Some(_) => return Some(Checker::Bfd(Box::new(BfdCheck { instance, alpha }))),
    };
    let finding = Finding::at(&rule::CHECK_UNKNOWN, word.span, format!("{problem}; the check is left out"));
    let is_unknown = !scene.surroundings.bfd_instances.contains_key(word.str().as_ref());
    let names = scene.surroundings.bfd_instances.keys().copied().filter(|_| is_unknown);
    let near = reading.suggest(&word.str(), names);
    reading.report(match near {
        Some(near) => finding.help(format!("did you mean {near}?")),
        None => finding,
    });
    None
}
