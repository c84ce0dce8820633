//! What happened, in the order in which it did: what we do, what the balancer logs, what the client gets.

use super::client::{Client, Request};
use super::clock::now;
use crate::say::say;
use keepalived_lab::Running;
use std::collections::BTreeMap;

const DAY: f64 = 86_400.0;
/// Lines of the balancer's log that are worth telling begin so.
const WORTH: [&str; 5] = ["Removing ", "Adding ", "Lost ", "Gained ", "Starting with "];

struct Row {
    at: f64,
    who: String,
    what: String,
}

/// Tells it as it goes on.
pub(super) struct Told<'a> {
    start: f64,
    balancer: &'a Running,
    client: &'a Client,
    /// Lines of the log that were read.
    lines: usize,
    /// What was told last.
    last: f64,
    asked: usize,
    lost: usize,
    deaths: Vec<Death>,
}

/// Of a server, and when the balancer took it out.
struct Death {
    who: &'static str,
    address: String,
    at: f64,
    noticed: Option<f64>,
}

impl<'a> Told<'a> {
    pub(super) fn new(start: f64, balancer: &'a Running, client: &'a Client) -> Self {
        say!("seconds   who             what");
        Self { start, balancer, client, lines: 0, last: start, asked: 0, lost: 0, deaths: Vec::new() }
    }

    /// Something is done now.
    pub(super) fn did(&mut self, who: &str, what: &str) {
        let at = now();
        self.catch_up();
        self.print(Row { at, who: who.to_owned(), what: what.to_owned() });
    }

    /// A server dies now.
    pub(super) fn died(&mut self, who: &'static str, address: String, how: &str) {
        self.did(who, how);
        self.deaths.push(Death { who, address, at: self.last, noticed: None });
    }

    /// Prints what has happened since it last did.
    pub(super) fn catch_up(&mut self) {
        let log = self.balancer.log();
        // a line that is being written can wait
        let lines: Vec<&str> = log.split_inclusive('\n').filter(|line| line.ends_with('\n')).collect();
        let fresh = lines.get(self.lines..).unwrap_or_default();
        let rows: Vec<Row> = fresh.iter().filter_map(|line| logged(line.trim_end())).collect();
        self.lines = lines.len();
        let mut requests = self.client.requests();
        self.asked += requests.len();
        self.lost += requests.iter().filter(|request| request.answer.is_err()).count();
        for row in rows {
            let before: Vec<Request> = requests.extract_if(.., |request| request.at < row.at).collect();
            sum(&before).into_iter().for_each(|row| self.print(row));
            let mut waiting = self.deaths.iter_mut().filter(|death| death.noticed.is_none() && death.at < row.at);
            let removed = |death: &&mut Death| row.what.starts_with(&format!("Removing service [{}]", death.address));
            if let Some(death) = waiting.find(removed) {
                death.noticed = Some(row.at);
            }
            self.print(row);
        }
        sum(&requests).into_iter().for_each(|row| self.print(row));
    }

    /// How it was for the client.
    pub(super) fn print_sum(&self) {
        let Self { asked, lost, .. } = self;
        say!("\n{asked} requests, {lost} of them without an answer.");
        say!("How long it took from a death until new connections went elsewhere:");
        for Death { who, at, noticed, .. } in &self.deaths {
            match noticed {
                Some(noticed) => say!("   {who}   {:.2} s", noticed - at),
                None => say!("   {who}   never noticed"),
            }
        }
    }

    fn print(&mut self, Row { at, who, what }: Row) {
        // a request that was on its way when something else happened is told afterwards
        self.last = self.last.max(at);
        say!("{:+7.2}   {who:<15} {what}", self.last - self.start);
    }
}

/// A line of the balancer's log, if it is worth telling.
fn logged(line: &str) -> Option<Row> {
    let (time, rest) = line.split_once('Z')?;
    let (_, time) = time.split_once('T')?;
    let mut seconds = 0.0;
    for part in time.split(':') {
        seconds = seconds * 60.0 + part.parse::<f64>().ok()?;
    }
    // of today, or of yesterday
    let now = now();
    let today = (now / DAY).floor() * DAY + seconds;
    let at = if today > now + 1.0 { today - DAY } else { today };
    let what = rest.trim().strip_prefix("INFO ")?;
    WORTH.iter().any(|word| what.starts_with(word)).then(|| Row { at, who: "balancer".into(), what: what.to_owned() })
}

/// Requests in one line: how many, and who answered how many of them.
fn sum(requests: &[Request]) -> Option<Row> {
    let first = requests.first()?;
    let mut counts: BTreeMap<(bool, &str), usize> = BTreeMap::new();
    for request in requests {
        let key = match &request.answer {
            Ok(who) => (false, who.as_str()),
            Err(why) => (true, *why),
        };
        *counts.entry(key).or_default() += 1;
    }
    let part = |((failed, what), count): ((bool, &str), usize)| {
        if failed { format!("{} {count}", what.to_uppercase()) } else { format!("{what} {count}") }
    };
    let parts = counts.into_iter().map(part).collect::<Vec<_>>().join(", ");
    let count = requests.len();
    let plural = if count == 1 { "" } else { "s" };
    Some(Row { at: first.at, who: "client".into(), what: format!("{count} request{plural}: {parts}") })
}
