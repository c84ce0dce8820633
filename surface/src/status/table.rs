//! `keepalivedctl status`: a table that a person reads at a glance, problems first.

use std::fmt::Write as _;

use keepalived_core::balance::Counted;
use keepalived_core::bfd::SessionState;
use keepalived_core::vrrp::State;
use keepalived_state::{InstanceView, ServerView, ServiceView, Subject};

use super::problems::{Problem, Severity, age, last, problems};
use super::words::{Colour, ago, count, latency, present, present_of_all, up};
use super::{Look, Scene};

/// Beyond so many, what is well is folded into a count.
const MOST_SHOWN: usize = 100;

/// The table.
pub fn table(scene: &Scene<'_>, look: Look) -> String {
    let mut text = String::new();
    let problems = problems(scene);
    headline(&mut text, scene, &problems, look);
    text += &problem_lines(scene, &problems, look);
    if !problems.is_empty() {
        text.push('\n');
    }
    routers(&mut text, scene, look);
    servers(&mut text, scene, look);
    sessions(&mut text, scene, look);
    text
}

/// Two lines for each problem.
pub(super) fn problem_lines(scene: &Scene<'_>, problems: &[Problem], look: Look) -> String {
    let mut text = String::new();
    for problem in problems {
        let (sign, colour) = match problem.severity {
            Severity::Problem => ("▲", Colour::Red),
            Severity::Warning => ("!", Colour::Yellow),
        };
        let what = look.paint(colour, &problem.what);
        let age = age(scene, problem);
        writeln!(text, "{} {what}{}{age}", look.paint(colour, sign), if age.is_empty() { "" } else { "   " }).ok();
        writeln!(text, "  {}", problem.detail).ok();
    }
    text
}

/// Who this is, and how much is wrong.
pub(super) fn headline(text: &mut String, scene: &Scene<'_>, problems: &[Problem], look: Look) {
    let of = |severity| problems.iter().filter(|problem| problem.severity == severity).count();
    let (bad, odd) = (of(Severity::Problem), of(Severity::Warning));
    let mut words = Vec::new();
    if bad > 0 {
        words.push(look.paint(Colour::Red, &count(bad, "problem")));
    }
    if odd > 0 {
        words.push(look.paint(Colour::Yellow, &count(odd, "warning")));
    }
    if words.is_empty() {
        words.push(look.paint(Colour::Green, "All well"));
    }
    writeln!(text, "{}   {}\n", look.paint(Colour::Bold, &scene.snapshot.router_id), words.join(", ")).ok();
}

fn routers(text: &mut String, scene: &Scene<'_>, look: Look) {
    let instances = &scene.snapshot.vrrp.instances;
    if instances.is_empty() {
        return;
    }
    let is_odd = |instance: &&InstanceView| !matches!(instance.state, State::Master | State::Backup);
    let folds = !look.all && instances.len() > MOST_SHOWN;
    let shown: Vec<&InstanceView> = instances.iter().filter(|instance| !folds || is_odd(instance)).collect();
    let mut rows = vec![["ROUTER", "STATE", "SINCE", "PRIORITY", "MASTER", "ADDRESSES"].map(str::to_owned)];
    for instance in &shown {
        let addresses: Vec<String> = instance
            .addresses
            .iter()
            .chain(&instance.excluded_addresses)
            .map(|address| {
                let missing = instance.state == State::Master && !address.set;
                format!("{}/{}{}", address.line.address, address.line.prefix, if missing { " (not set)" } else { "" })
            })
            .collect();
        rows.push([
            instance.name.clone(),
            instance.state.to_string(),
            ago(scene.now, instance.since),
            priority(instance),
            master(instance),
            few(&addresses, look),
        ]);
    }
    let paint = |row: usize, column: usize, cell: &str| match (row, column) {
        (0, _) => look.paint(Colour::Dim, cell),
        (_, 1) => {
            let state = shown.get(row - 1).map(|instance| instance.state);
            look.paint(state_colour(state), cell)
        }
        _ => cell.to_owned(),
    };
    columns(text, &rows, paint);
    if folds {
        let of = |state| instances.iter().filter(|instance| instance.state == state).count();
        writeln!(text, "{} MASTER, {} BACKUP: --all shows them", of(State::Master), of(State::Backup)).ok();
    }
    text.push('\n');
}

pub(super) const fn state_colour(state: Option<State>) -> Colour {
    match state {
        Some(State::Master) => Colour::Green,
        Some(State::Fault) => Colour::Red,
        _ => Colour::Bold,
    }
}

/// `150 = 100 + 50`
pub(super) fn priority(instance: &InstanceView) -> String {
    let (base, effective) = (instance.settings.priority.get(), instance.effective_priority.get());
    match effective.cmp(&base) {
        std::cmp::Ordering::Equal => base.to_string(),
        std::cmp::Ordering::Greater => format!("{effective} = {base} + {}", effective - base),
        std::cmp::Ordering::Less => format!("{effective} = {base} - {}", base - effective),
    }
}

/// Who is master, as far as we know.
pub(super) fn master(instance: &InstanceView) -> String {
    match (instance.state, instance.master) {
        (State::Master, _) => "this router".to_owned(),
        (_, Some(master)) => format!("{} ({})", master.address, master.priority),
        (_, None) => "none heard".to_owned(),
    }
}

fn few(items: &[String], look: Look) -> String {
    const SOME: usize = 3;
    match items.get(..SOME).filter(|_| !look.all && items.len() > SOME + 1) {
        Some(some) => format!("{}  and {} more", some.join("  "), items.len() - SOME),
        None => items.join("  "),
    }
}

pub(super) fn servers(text: &mut String, scene: &Scene<'_>, look: Look) {
    let services = &scene.snapshot.balance.services;
    if services.is_empty() {
        return;
    }
    let total: usize = services.iter().map(|service| service.servers.len() + 1).sum();
    let folds = !look.all && total > MOST_SHOWN;
    let is_odd = |service: &&ServiceView| !service.quorum_up || up(service) < service.servers.len();
    let heads = ["SERVER", "CHECK", "WEIGHT", "ACTIVE", "WAITING", "LATENCY", "SINCE"];
    let mut rows = vec![heads.map(str::to_owned)];
    // nftables does not count connections
    let counts = scene.snapshot.balance.totals.counted == Some(Counted::Everything);
    let number = |number: u64| if counts { number.to_string() } else { "-".to_owned() };
    let mut colours = vec![Colour::Dim];
    for service in services.iter().filter(|service| !folds || is_odd(service)) {
        let (since, _) = last(scene, &Subject::VirtualServer(service.name.clone()));
        let [active, waiting, _] = present_of_all(service);
        rows.push([
            service.name.clone(),
            format!("{} of {} up, quorum {}", up(service), service.servers.len(), service.quorum),
            service.weight.to_string(),
            number(active),
            number(waiting),
            String::new(),
            since.map(|since| ago(scene.now, since)).unwrap_or_default(),
        ]);
        colours.push(if service.quorum_up { Colour::Bold } else { Colour::Red });
        for server in service.servers.iter().filter(|server| !folds || !server.up) {
            let subject = Subject::RealServer { server: server.name.clone(), of: service.name.clone() };
            let (since, why) = last(scene, &subject);
            let [active, waiting, _] = server.traffic.as_deref().map(present).unwrap_or_default();
            let slowest = server.checks.iter().filter(|check| check.up).filter_map(|check| check.latency).max();
            rows.push([
                format!("  {}", server.name),
                verdict(server, &why),
                if server.up { server.weight.to_string() } else { "out".to_owned() },
                number(active),
                number(waiting),
                slowest.map_or_else(|| "-".to_owned(), latency),
                since.map(|since| ago(scene.now, since)).unwrap_or_default(),
            ]);
            colours.push(if server.up { Colour::Green } else { Colour::Red });
        }
    }
    let paint = |row: usize, column: usize, cell: &str| match column {
        1 => look.paint(colours.get(row).copied().unwrap_or(Colour::Bold), cell),
        _ if row == 0 => look.paint(Colour::Dim, cell),
        _ => cell.to_owned(),
    };
    columns(text, &rows, paint);
    if folds {
        let servers = services.iter().map(|service| service.servers.len()).sum();
        let well = services.iter().map(up).sum::<usize>();
        writeln!(
            text,
            "{well} of {} up in {}: --all shows them",
            count(servers, "server"),
            count(services.len(), "virtual server")
        )
        .ok();
    }
    text.push('\n');
}

/// What its checks say.
fn verdict(server: &ServerView, why: &str) -> String {
    let failed: Vec<&str> =
        server.checks.iter().filter(|check| !check.up).map(|check| check.keyword.as_str()).collect();
    let waits = server.checks.iter().any(|check| !check.has_run);
    match (server.up, failed.as_slice()) {
        (false, _) if !why.is_empty() => why.to_owned(),
        (false, []) => "out".to_owned(),
        (false, failed) => format!("{} failed", failed.join(", ")),
        (true, _) if server.weight == 0 => "draining".to_owned(),
        (true, _) if server.checks.is_empty() => "not checked".to_owned(),
        (true, _) if waits => "up, not checked yet".to_owned(),
        (true, _) => "up".to_owned(),
    }
}

pub(super) fn sessions(text: &mut String, scene: &Scene<'_>, look: Look) {
    let sessions = &scene.snapshot.bfd.sessions;
    if sessions.is_empty() {
        return;
    }
    let mut rows = vec![["BFD SESSION", "STATE", "SINCE", "NEIGHBOUR", "NOTICES AFTER"].map(str::to_owned)];
    let folds = !look.all && sessions.len() > MOST_SHOWN;
    let shown: Vec<_> = sessions.iter().filter(|session| !folds || session.state != SessionState::Up).collect();
    for session in &shown {
        rows.push([
            session.name.clone(),
            session.state.to_string(),
            ago(scene.now, session.since),
            session.neighbor.to_string(),
            format!("{} ms", session.detection_time.as_millis()),
        ]);
    }
    let paint = |row: usize, column: usize, cell: &str| match (row, column) {
        (0, _) => look.paint(Colour::Dim, cell),
        (_, 1) => {
            let is_up = shown.get(row - 1).is_some_and(|session| session.state == SessionState::Up);
            look.paint(if is_up { Colour::Green } else { Colour::Yellow }, cell)
        }
        _ => cell.to_owned(),
    };
    columns(text, &rows, paint);
    if folds {
        let up = sessions.iter().filter(|session| session.state == SessionState::Up).count();
        writeln!(text, "{up} of {} up: --all shows them", count(sessions.len(), "session")).ok();
    }
    text.push('\n');
}

/// Rows in columns as wide as their widest cell, painted after they were measured.
pub(super) fn columns<const N: usize>(
    text: &mut String,
    rows: &[[String; N]],
    paint: impl Fn(usize, usize, &str) -> String,
) {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for (number, row) in rows.iter().enumerate() {
        let mut line = String::new();
        let mut gap = 0;
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            if !cell.is_empty() {
                line.extend(std::iter::repeat_n(' ', gap));
                gap = 0;
                line += &paint(number, column, cell);
            }
            gap += width.saturating_sub(cell.chars().count()) + 2;
        }
        writeln!(text, "{line}").ok();
    }
}
