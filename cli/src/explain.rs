//! `keepalivedctl explain`: what a configuration leads to, in words.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use keepalived_config::explain::{Explanation, RouterStory, ServiceStory, TrackerEffect, TrackerStory, explain};

use crate::input::{Reading, caution, described};
use crate::{Answer, eprint_all, json};

/// What `explain` is given.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The configuration file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Only the instance or the virtual server of this name
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// As JSON, with all times in seconds and nanoseconds
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reading: Reading,
}

pub(crate) fn run(arguments: &Arguments) -> Answer {
    let loaded = arguments.reading.load(&arguments.file)?;
    let mut explanation = explain(&loaded.config);
    if let Some(only) = &arguments.only {
        explanation.routers.retain(|router| router.name == *only);
        explanation
            .services
            .retain(|service| service.service.split(' ').next() == Some(only) || service.service == *only);
    }
    let caution = caution(&arguments.file, &loaded).unwrap_or_default();
    let text = if arguments.json {
        // the document stays one that programs can read
        eprint_all(&caution);
        json(&explanation)?
    } else {
        caution + &text(&explanation)
    };
    Ok((text.into_bytes(), described(&loaded)))
}

fn text(explanation: &Explanation) -> String {
    let routers = explanation.routers.iter().map(router);
    let parts: Vec<String> = routers.chain(explanation.services.iter().map(service)).collect();
    if parts.is_empty() { "there is nothing to explain\n".to_owned() } else { parts.join("\n") }
}

fn router(story: &RouterStory) -> String {
    let all_well = match story.all_well {
        same if same == story.priority => String::new(),
        other => format!(", {other} while all that it tracks is well"),
    };
    let mut out = format!("{}: {}, priority {}{all_well}\n", story.name, story.identity, story.priority);
    // writing to a String cannot fail
    let mut line = |key: &str, text: String| writeln!(out, "  {key:<18}{text}").ok();
    let failover = &story.failover;
    line(
        "takes over",
        format!(
            "{} to {} after the master dies; {} after it stops in order",
            seconds(failover.soonest),
            seconds(failover.latest),
            seconds(failover.farewell)
        ),
    );
    line("preemption", story.preemption.clone());
    if let Some(group) = &story.sync_group {
        line("sync group", format!("moves together with the other members of {group}"));
    }
    let adverts = &story.adverts;
    let copies = if adverts.copies == 1 { String::new() } else { format!(", {} copies", adverts.copies) };
    line(
        "adverts",
        format!("{} octets every {}{copies}, to {}", adverts.octets, seconds(adverts.interval), adverts.destination),
    );
    for tracker in &story.trackers {
        line("tracks", tracked(tracker));
    }
    let (advertised, excluded) = story.addresses;
    let more = if excluded > 0 { format!(", {excluded} more are not in the adverts") } else { String::new() };
    line("addresses", format!("{advertised} move{more}"));
    out
}

/// What a tracker does, and what that means among other routers.
fn tracked(story: &TrackerStory) -> String {
    let state = |while_up: bool| if while_up { "up" } else { "down" };
    let what = &story.what;
    let said = match story.effect {
        TrackerEffect::Fault { while_up } => {
            format!("while {what} is {}, FAULT: any other router takes over", state(while_up))
        }
        TrackerEffect::Priority { well, ill, while_up } if ill == well => {
            format!("{what}: the priority is {well} whether it is {} or not, so it moves nothing", state(while_up))
        }
        TrackerEffect::Priority { well, ill, while_up } => format!(
            "while {what} is {}, priority {ill} instead of {well}: a router with {} or more takes over",
            state(while_up),
            ill.saturating_add(1)
        ),
        TrackerEffect::Times { factor } => format!("{what}: {factor} times its number is added to the priority"),
        TrackerEffect::None => format!("{what}: its weight does nothing, because priority 255 is never another"),
    };
    match story.within {
        Some(within) if within.is_zero() => said + "; at once",
        Some(within) => format!("{said}; within {}", seconds(within)),
        None => said,
    }
}

fn service(story: &ServiceStory) -> String {
    let mut out =
        format!("{}: {}, weight {} in all\n", story.service, counted(story.servers, "real server"), story.total_weight);
    // writing to a String cannot fail
    let mut line = |key: &str, text: String| writeln!(out, "  {key:<18}{text}").ok();
    let quorum = &story.quorum;
    line("quorum", format!("lost below weight {}, back at {}", quorum.lost_below, quorum.regained_at));
    let survives = match (quorum.any, quorum.lightest) {
        (0, 0) => "no server may fail".to_owned(),
        (any, lightest) if any == lightest => format!("any {any} may fail"),
        (any, lightest) => format!("any {any} may fail; {lightest} if they are the lightest"),
    };
    line("survives", survives);
    line("without quorum", story.without_quorum.clone());
    for check in &story.checks {
        let times = format!(
            "a failure counts within {}, a recovery within {}",
            seconds(check.failure_within),
            seconds(check.recovery_within)
        );
        line(check.kind, format!("{}: {times}", counted(check.servers, "server")));
    }
    let unchecked = match story.unchecked {
        0 => None,
        1 => Some("1 server is taken for up, whatever happens".to_owned()),
        count => Some(format!("{count} servers are taken for up, whatever happens")),
    };
    if let Some(unchecked) = unchecked {
        line("unchecked", unchecked);
    }
    out
}

/// `1 server`, `2 servers`
pub(crate) fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// `3.609 s`, `40 ms`: no more digits than people read.
fn seconds(duration: Duration) -> String {
    let millis = duration.as_secs_f64() * 1000.0;
    if duration.is_zero() {
        "0 s".to_owned()
    } else if millis < 100.0 {
        format!("{} ms", trimmed(millis))
    } else {
        format!("{} s", trimmed(millis / 1000.0))
    }
}

fn trimmed(number: f64) -> String {
    let text = format!("{number:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
