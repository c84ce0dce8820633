//! Who tracks what: the lines of `track_interface`, `track_script` and their like.

use std::collections::BTreeMap;

use super::line::{Line, Wrong};
use super::reading::Reading;
use super::statements::{Statements, keyword_span};
use crate::finding::{Finding, Rule, rule};
use crate::model::{BfdInstance, Track, TrackedInterface, Tracks, Weight};
use crate::span::Span;
use crate::syntax::{Node, Word};
use crate::value;

const BLOCK: &str = "<track line>";

/// What of one kind can be tracked, and whether it is.
pub(super) struct Known {
    /// The keyword that defines it.
    pub(super) kind: &'static str,
    /// The largest weight.
    most: i16,
    names: BTreeMap<String, Entry>,
}

struct Entry {
    weight: Weight,
    place: Option<Span>,
    used: bool,
}

impl Known {
    fn new(kind: &'static str, most: i16) -> Self {
        Self { kind, most, names: BTreeMap::new() }
    }

    /// Takes note of something that `block` defines.
    pub(super) fn define(&mut self, name: String, weight: Weight, block: Node<'_>) {
        self.names.entry(name).or_insert(Entry { weight, place: keyword_span(block), used: false });
    }

    /// Takes note of something that is used elsewhere, too.
    pub(super) fn known(&mut self, name: String, weight: Weight) {
        self.names.insert(name, Entry { weight, place: None, used: true });
    }

    /// Reports trackers without a user.
    fn unused(&self, reading: &mut Reading<'_>, rule: &'static Rule) {
        for (name, entry) in self.names.iter().filter(|(_, entry)| !entry.used) {
            let message = format!("{} {name} is defined, but nothing tracks it", self.kind);
            let finding = match entry.place {
                Some(place) => Finding::at(rule, place, message),
                None => Finding::anywhere(rule, message),
            };
            let keyword = self.kind.trim_start_matches("vrrp_").trim_start_matches("track_");
            let keyword = keyword.trim_end_matches("_instance");
            reading.report(finding.help(format!("name it in track_{keyword} of an instance, or remove it")));
        }
    }
}

/// Everything that can be tracked by name.
pub(super) struct Trackers {
    pub(super) scripts: Known,
    pub(super) files: Known,
    pub(super) processes: Known,
    pub(super) probes: Known,
    pub(super) bfds: Known,
    /// Sessions that instances may follow.
    pub(super) sessions: BTreeMap<String, BfdInstance>,
}

impl Trackers {
    pub(super) fn new() -> Self {
        Self {
            scripts: Known::new("vrrp_script", 253),
            files: Known::new("track_file", 254),
            processes: Known::new("vrrp_track_process", 254),
            probes: Known::new("vrrp_track_probe", 253),
            bfds: Known::new("bfd_instance", 253),
            sessions: BTreeMap::new(),
        }
    }

    /// Reports trackers without a user; files and BFD sessions may serve real servers.
    pub(super) fn unused(&self, reading: &mut Reading<'_>) {
        self.scripts.unused(reading, &rule::SCRIPT_UNUSED);
        self.processes.unused(reading, &rule::TRACKER_UNUSED);
        self.probes.unused(reading, &rule::TRACKER_UNUSED);
    }
}

/// What `statements` of `owner` track; `None` if it is nothing.
pub(super) fn read(
    reading: &mut Reading<'_>,
    trackers: &mut Trackers,
    owner: &str,
    statements: &Statements<'_>,
) -> Option<Box<Tracks>> {
    let lines = |name: &str| -> Vec<Node<'_>> { statements.all(name).flat_map(|block| block.children()).collect() };
    let tracks = Tracks {
        interfaces: interfaces(reading, owner, &lines("track_interface")),
        scripts: named(reading, &mut trackers.scripts, owner, &lines("track_script")),
        files: named(reading, &mut trackers.files, owner, &lines("track_file")),
        processes: named(reading, &mut trackers.processes, owner, &lines("track_process")),
        bfds: named(reading, &mut trackers.bfds, owner, &lines("track_bfd")),
        probes: named(reading, &mut trackers.probes, owner, &lines("track_probe")),
    };
    (tracks != Tracks::default()).then(|| Box::new(tracks))
}

fn interfaces(reading: &mut Reading<'_>, owner: &str, nodes: &[Node<'_>]) -> Vec<TrackedInterface> {
    let mut out: Vec<TrackedInterface> = Vec::new();
    for node in nodes {
        let mut line = Line::new(BLOCK, *node);
        let Some(word) = line.next() else { continue };
        let Some(name) = reading.interface_name(word) else { continue };
        let result = reading.present(name, word).and_then(|name| {
            if out.iter().any(|tracked| tracked.name == name) {
                return Err(Wrong::new(word, format!("{name} is tracked twice")));
            }
            let weight = weight(reading, &mut line, Weight::default(), 253, Back::Never)?;
            Ok(TrackedInterface { name, weight })
        });
        match result {
            Ok(tracked) => out.push(tracked),
            Err(wrong) => left_out(reading, owner, wrong),
        }
    }
    out
}

fn named(reading: &mut Reading<'_>, known: &mut Known, owner: &str, nodes: &[Node<'_>]) -> Vec<Track> {
    let mut out: Vec<Track> = Vec::new();
    for node in nodes {
        let mut line = Line::new(BLOCK, *node);
        let Some(word) = line.next() else { continue };
        let name = word.str().into_owned();
        let Some(entry) = known.names.get_mut(&name) else {
            unknown(reading, known, owner, word, nodes);
            continue;
        };
        entry.used = true;
        let result = if out.iter().any(|track| track.name == name) {
            Err(Wrong::new(word, format!("{name} is tracked twice")))
        } else {
            weight(reading, &mut line, entry.weight, known.most, Back::Possible)
        };
        match result {
            Ok(weight) => out.push(Track { name, weight }),
            Err(wrong) => left_out(reading, owner, wrong),
        }
    }
    out
}

fn unknown(reading: &mut Reading<'_>, known: &mut Known, owner: &str, word: Word<'_>, listed: &[Node<'_>]) {
    if reading.near_misses.defines(known.kind, word) {
        // it is there, in a block whose keyword is misspelt, and that has been said
        return;
    }
    let message = format!("{owner}: there is no {} {}", known.kind, word.str());
    let finding = Finding::at(&rule::TRACKER_UNKNOWN, word.span, message).note("the line is left out");
    // what is listed already was not meant here
    let others = known.names.keys().map(String::as_str).filter(|name| !listed.iter().any(|node| node.name() == *name));
    let near = reading.suggest(&word.str(), others);
    if let Some(entry) = near.as_ref().and_then(|near| known.names.get_mut(near)) {
        // a finding about its missing user would name the same mistake
        entry.used = true;
    }
    reading.report(match near {
        Some(near) => finding.help(format!("did you mean {near}?")).fix(word.span, near),
        None => finding.help(format!("add {} {} {{ ... }}", known.kind, word.str())),
    });
}

fn left_out(reading: &mut Reading<'_>, owner: &str, wrong: Wrong) {
    let wrong = Wrong { message: format!("{owner}: {}", wrong.message), ..wrong };
    reading.report(wrong.finding(&rule::TRACK_LINE).note("the line is left out"));
}

/// Whether a line may say `noreverse`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Back {
    Possible,
    Never,
}

/// `[weight N [reverse|noreverse]]` over what holds without it.
fn weight(
    reading: &mut Reading<'_>,
    line: &mut Line<'_>,
    usual: Weight,
    most: i16,
    back: Back,
) -> Result<Weight, Wrong> {
    let Some(option) = line.next() else { return Ok(usual) };
    if option.text != b"weight" {
        let wrong = Wrong::new(option, format!("a tracked thing is followed by weight, not by {}", option.str()));
        let near = reading.suggest(&option.str(), ["weight"].into_iter());
        return Err(if near.is_some() { wrong.help("did you mean weight?") } else { wrong });
    }
    let number = line.value(option)?;
    let mut weight = usual;
    match value::integer(number.text).ok().and_then(|value| i16::try_from(value).ok()) {
        Some(value) if value.abs() <= most => weight.value = value,
        Some(value) if value.abs() == 254 => {
            weight.value = value.clamp(-most, most);
            let message = format!("weight must be -{most} to {most}, not {value}; {} is used", weight.value);
            reading.report(Finding::at(&rule::NUMBER_ADJUSTED, number.span, message));
        }
        _ => {
            let message = format!("weight must be -{most} to {most}, not {}", number.str());
            let finding = Finding::at(&rule::NUMBER_RANGE, number.span, message);
            reading.report(finding.note(format!("{} is used", usual.value)));
        }
    }
    match line.next() {
        None => {}
        Some(word) if word.text == b"reverse" => weight.reverse = true,
        Some(word) if word.text == b"noreverse" && back == Back::Possible => weight.reverse = false,
        Some(word) => {
            let message = match back {
                Back::Possible => format!("a weight is followed by reverse or noreverse, not by {}", word.str()),
                Back::Never => format!("a weight is followed by reverse, not by {}", word.str()),
            };
            reading.report(Finding::at(&rule::TRACK_LINE, word.span, message).note("the word is ignored"));
        }
    }
    Ok(weight)
}
