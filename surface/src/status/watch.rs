//! `keepalivedctl watch`: everything on one screen, drawn anew each second.

use std::time::{Duration, SystemTime};

use keepalived_core::vrrp::State;
use keepalived_state::{Event, InstanceView, Record, Subject};

use super::events::{event, events};
use super::table::{columns, headline, master, priority, problem_lines, servers, sessions, state_colour};
use super::words::{Colour, ago};
use super::{Look, Scene, problems};

/// The time that a lane shows.
const LANE: Duration = Duration::from_secs(3_600);

/// The shortest lane that says something, and the longest that is worth its room.
const LANE_CELLS: std::ops::RangeInclusive<usize> = 10..=60;

/// Lines that a section gets before others get more.
const LEAST_LINES: usize = 4;

/// The size of a terminal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Size {
    /// Letters in a line.
    pub columns: u16,
    /// Lines.
    pub rows: u16,
}

/// The screen: at most `rows` lines, none longer than `columns`.
pub fn watch(scene: &Scene<'_>, look: Look, size: Size) -> String {
    let (width, height) = (usize::from(size.columns), usize::from(size.rows));
    let found = problems(scene);
    let mut head = String::new();
    headline(&mut head, scene, &found, look);
    let top: Vec<String> = head.lines().chain(problem_lines(scene, &found, look).lines()).map(str::to_owned).collect();
    let as_lines = |fill: &dyn Fn(&mut String)| {
        let mut text = String::new();
        fill(&mut text);
        text.trim_end().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let mut newest: Vec<String> = events(scene, None)
        .into_iter()
        .rev()
        .take(height)
        .map(|record| event(scene, record, look).trim_end().to_owned())
        .collect();
    if !newest.is_empty() {
        newest.insert(0, look.paint(Colour::Dim, "EVENTS"));
    }
    let sections = [
        top,
        routers(scene, look, width),
        as_lines(&|text| servers(text, scene, look)),
        as_lines(&|text| sessions(text, scene, look)),
        newest,
    ];
    let shown = fit(sections.into_iter().filter(|lines| !lines.is_empty()).collect(), height, look);
    let lines: Vec<String> = shown.iter().map(|line| clip(line, width)).collect();
    lines.join("\n") + "\n"
}

/// Lines of all sections, with an empty one between them, `height` in all. The first sections get what is left over.
fn fit(sections: Vec<Vec<String>>, height: usize, look: Look) -> Vec<String> {
    let room = height.saturating_sub(sections.len().saturating_sub(1));
    let mut shares: Vec<usize> = sections.iter().map(|lines| lines.len().min(LEAST_LINES)).collect();
    let mut left = room.saturating_sub(shares.iter().sum());
    for (share, lines) in shares.iter_mut().zip(&sections) {
        let more = lines.len().saturating_sub(*share).min(left);
        *share += more;
        left -= more;
    }
    let mut shown = Vec::new();
    for (lines, share) in sections.into_iter().zip(shares) {
        if !shown.is_empty() {
            shown.push(String::new());
        }
        let cut = lines.len().saturating_sub(share);
        let kept = if cut > 0 { share.saturating_sub(1) } else { share };
        shown.extend(lines.into_iter().take(kept));
        if cut > 0 && share > 0 {
            shown.push(look.paint(Colour::Dim, &format!("  and {} more lines", cut + 1)));
        }
    }
    shown.truncate(height);
    shown
}

fn routers(scene: &Scene<'_>, look: Look, width: usize) -> Vec<String> {
    let instances = &scene.snapshot.vrrp.instances;
    if instances.is_empty() {
        return Vec::new();
    }
    // those that need a look come first
    let mut shown: Vec<&InstanceView> = instances.iter().collect();
    shown.sort_by_key(|instance| matches!(instance.state, State::Master | State::Backup));
    let mut rows = vec![["ROUTER", "STATE", "SINCE", "PRIORITY", "MASTER"].map(str::to_owned)];
    rows.extend(shown.iter().map(|instance| {
        [
            instance.name.clone(),
            instance.state.to_string(),
            ago(scene.now, instance.since),
            priority(instance),
            master(instance),
        ]
    }));
    let mut text = String::new();
    columns(&mut text, &rows, |row, column, cell| match (row, column) {
        (0, _) => look.paint(Colour::Dim, cell),
        (_, 1) => look.paint(state_colour(shown.get(row - 1).map(|instance| instance.state)), cell),
        _ => cell.to_owned(),
    });
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let widest = lines.iter().map(|line| length(line)).max().unwrap_or(0);
    let cells = width.saturating_sub(widest + 2).min(*LANE_CELLS.end());
    if cells < *LANE_CELLS.start() {
        return lines;
    }
    for (number, line) in lines.iter_mut().enumerate() {
        line.extend(std::iter::repeat_n(' ', widest + 2 - length(line)));
        match number.checked_sub(1).and_then(|place| shown.get(place)) {
            Some(instance) => *line += &lane(scene, instance, cells, look),
            None => *line += &look.paint(Colour::Dim, &format!("{:<1$}NOW", "60 MIN AGO", cells.saturating_sub(3))),
        }
    }
    lines
}

/// The states of an instance in the last hour, oldest first.
fn lane(scene: &Scene<'_>, instance: &InstanceView, cells: usize, look: Look) -> String {
    let is_its = |record: &&Record| matches!(&record.subject, Subject::Instance(name) if *name == instance.name);
    let transitions: Vec<(SystemTime, State, State)> = scene
        .snapshot
        .vrrp
        .journal
        .records()
        .filter(is_its)
        .filter_map(|record| match &record.event {
            Event::Transition(transition) => Some((record.at, transition.from, transition.to)),
            _ => None,
        })
        .collect();
    let state_at = |at: SystemTime| {
        let next = transitions.partition_point(|(time, ..)| *time <= at);
        match (next.checked_sub(1).and_then(|last| transitions.get(last)), transitions.first()) {
            (Some((_, _, to)), _) => Some(*to),
            // what was before the first record that is kept
            (None, Some((_, from, _))) => {
                scene.snapshot.daemon.started.is_some_and(|started| started <= at).then_some(*from)
            }
            (None, None) => (instance.since <= at).then_some(instance.state),
        }
    };
    let of = u32::try_from(cells).unwrap_or(1).max(1);
    (1..=of)
        .map(|cell| {
            let back = LANE / of * (of - cell);
            match scene.now.checked_sub(back).and_then(state_at) {
                Some(State::Master) => look.paint(Colour::Green, "█"),
                Some(State::Backup) => look.paint(Colour::Dim, "▄"),
                Some(State::Fault) => look.paint(Colour::Red, "▲"),
                Some(State::Init | State::Stopped) => "·".to_owned(),
                None => " ".to_owned(),
            }
        })
        .collect()
}

/// Letters of a line that are seen: colours take no room.
fn length(line: &str) -> usize {
    let mut in_colour = false;
    line.chars()
        .filter(|letter| {
            let is_colour = in_colour || *letter == '\x1b';
            in_colour = is_colour && *letter != 'm';
            !is_colour
        })
        .count()
}

/// As much of a line as fits. Colours end with it.
fn clip(line: &str, width: usize) -> String {
    if length(line) <= width {
        return line.to_owned();
    }
    let mut kept = String::new();
    let (mut seen, mut in_colour, mut is_painted) = (0, false, false);
    for letter in line.chars() {
        let is_colour = in_colour || letter == '\x1b';
        in_colour = is_colour && letter != 'm';
        is_painted |= is_colour;
        if !is_colour {
            if seen + 1 >= width {
                break;
            }
            seen += 1;
        }
        kept.push(letter);
    }
    if width > 0 {
        kept.push('…');
    }
    if is_painted {
        kept += "\x1b[0m";
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_take_no_room() {
        assert_eq!(length("\x1b[31mred\x1b[0m!"), 4);
        assert_eq!(clip("\x1b[31mred\x1b[0m!", 4), "\x1b[31mred\x1b[0m!");
        assert_eq!(clip("\x1b[31mbright red\x1b[0m", 7), "\x1b[31mbright…\x1b[0m");
        assert_eq!(clip("plain words", 6), "plain…");
        assert_eq!(clip("plain", 0), "");
    }

    #[test]
    fn each_section_has_some_lines_and_the_first_have_more() {
        let lines = |name: &str, count: usize| (0..count).map(|number| format!("{name}{number}")).collect::<Vec<_>>();
        let shown = fit(vec![lines("a", 2), lines("b", 20), lines("c", 20)], 16, Look::default());
        assert_eq!(shown.len(), 16);
        let expected = "a0 a1  b0 b1 b2 b3 b4 b5 b6   and 13 more lines  c0 c1 c2   and 17 more lines";
        assert_eq!(shown.join(" "), expected);
        for height in 0..50 {
            assert!(fit(vec![lines("a", 9), lines("b", 9)], height, Look::default()).len() <= height);
        }
    }
}
